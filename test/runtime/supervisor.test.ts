import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import type { Clock } from '../../runtime/clock.ts'
import { LogFile } from '../../runtime/log-file.ts'
import { launchChild, Service } from '../../runtime/supervisor.ts'
import type { Life } from '../../runtime/supervisor.ts'

/** A clock whose time passes only by sleeping; it notes each pause. */
function steppingClock() {
  const pauses: number[] = []
  let atMs = 0
  const clock: Clock = {
    ...systemClock,
    monotonic: () => atMs,
    sleep: async (ms) => {
      pauses.push(ms)
      atMs += ms
    },
  }
  return { clock, pauses, pass: (ms: number) => (atMs += ms) }
}

/** Lives that end when the test says so. */
function scriptedLives() {
  const lives: { life: Life; die(how: string): void; stopped: boolean }[] = []
  const waiting: (() => void)[] = []
  const launch = async (): Promise<Life> => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const entry = {
      stopped: false,
      die: resolve,
      life: { pid: lives.length + 1, ended: promise, stop: async () => { entry.stopped = true; resolve('asked') } },
    }
    lives.push(entry)
    waiting.splice(0).forEach((wake) => wake())
    return entry.life
  }
  const born = async (count: number) => {
    while (lives.length < count) await new Promise<void>((resolve) => waiting.push(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    return lives[count - 1]!
  }
  return { launch, born, lives }
}

describe('a service', () => {
  test('that dies is launched again, after pauses that double up to their bound and are short again after a healthy life', async () => {
    const { clock, pauses, pass } = steppingClock()
    const { launch, born } = scriptedLives()
    const deaths: unknown[] = []
    const service = new Service({ name: 'edge', clock, launch, onDeath: (death) => deaths.push(death) })
    await service.start()
    for (let life = 1; life <= 8; life++) (await born(life)).die('exit code 1')
    const ninth = await born(9)
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
    expect(deaths[0]).toEqual({ name: 'edge', pid: 1, how: 'exit code 1', pauseMs: 100 })
    pass(60_000)
    ninth.die('signal SIGKILL')
    await born(10)
    expect(pauses.at(-1)).toBe(100)
    expect([service.state, service.pid]).toEqual(['alive', 10])
    await service.stop()
    expect([service.state, service.pid]).toEqual(['stopped', null])
  })

  test('that is stopped has no further life', async () => {
    const { clock } = steppingClock()
    const { launch, born, lives } = scriptedLives()
    const deaths: unknown[] = []
    const service = new Service({ name: 'edge', clock, launch, onDeath: (death) => deaths.push(death) })
    await service.start()
    const first = await born(1)
    await service.stop()
    expect(first.stopped).toBe(true)
    expect([lives.length, deaths]).toEqual([1, []])
  })

  test('whose later launch fails tries on, and says why', async () => {
    const { clock } = steppingClock()
    const { launch, born } = scriptedLives()
    const hows: string[] = []
    let failures = 0
    const service = new Service({
      name: 'nats-server',
      clock,
      launch: async () => {
        if (failures > 0 && failures++ < 3) throw new Error('port taken')
        return launch()
      },
      onDeath: ({ how }) => hows.push(how),
    })
    await service.start()
    const first = await born(1)
    failures = 1
    first.die('exit code 1')
    await born(2)
    expect(hows).toEqual(['exit code 1', 'port taken', 'port taken'])
    await service.stop()
  })

  test('whose first launch fails says so to who starts it', async () => {
    const { clock } = steppingClock()
    const service = new Service({ name: 'edge', clock, launch: () => Promise.reject(new Error('no such program')) })
    await expect(service.start()).rejects.toThrow('no such program')
    await service.stop()
    expect(service.state).toBe('stopped')
  })
})

describe('a child process', () => {
  const sleeper = fileURLToPath(new URL('../support/sleeper.ts', import.meta.url))
  const launch = (mode: string, stopMs?: number) => {
    const said: string[] = []
    const { promise: up, resolve } = Promise.withResolvers<void>()
    const onLine = (line: string) => {
      said.push(line)
      if (line === 'up') resolve()
    }
    const life = launchChild({ name: 'sleeper', command: process.execPath, args: [sleeper, mode], env: process.env, clock: systemClock, onLine, stopMs })
    return { life, said, up }
  }

  test('drains when it is stopped', async () => {
    const { life, said, up } = launch('drains')
    const { stop, ended } = await life
    await up
    await stop()
    expect(await ended).toBe('exit code 0')
    expect(said).toContain('stopped')
  })

  test('that does not drain in time is killed', async () => {
    const { life, up } = launch('hangs', 100)
    const { stop, ended } = await life
    await up
    await stop()
    expect(await ended).toBe('signal SIGKILL')
  })

  test('of a program that is not there is an operating error', async () => {
    const options = { name: 'nothing', command: '/no/such/program', args: [], env: {}, clock: systemClock, onLine: () => {} }
    await expect(launchChild(options)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('/no/such/program') })
  })
})

describe('a log file', () => {
  const folders: string[] = []
  afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })))
  const folder = () => {
    folders.push(mkdtempSync(join(tmpdir(), 'weir-log-')))
    return folders.at(-1)!
  }

  test('never outgrows its bound, and keeps so many before it', () => {
    const at = folder()
    const open = () => new LogFile(join(at, 'edge.log'), { bytesMax: 100, kept: 2 })
    const log = open()
    for (let line = 0; line < 50; line++) log.write(`line ${line} of a log`)
    log.close()
    expect(readdirSync(at).sort()).toEqual(['edge.log', 'edge.log.1', 'edge.log.2'])
    const read = (name: string) => readFileSync(join(at, name), 'utf8')
    for (const name of readdirSync(at)) expect(read(name).length).toBeLessThanOrEqual(100)
    expect(read('edge.log')).toMatch(/line 49 of a log\n$/)

    const again = open()
    again.write('after a restart')
    again.close()
    expect(read('edge.log').length).toBeLessThanOrEqual(100)
    expect(read('edge.log') + read('edge.log.1')).toContain('line 49 of a log\n')
  })

  test('that cannot be written is no error, and says later how much is missing', () => {
    const at = folder()
    const log = new LogFile(join(at, 'later', 'edge.log'))
    log.write('one')
    log.write('two')
    mkdirSync(join(at, 'later'))
    log.write('three')
    log.close()
    expect(readFileSync(log.path, 'utf8')).toMatch(/^2 lines are missing here.*\nthree\n$/)
  })
})
