import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'

const sleeper = fileURLToPath(new URL('../support/sleeper.ts', import.meta.url))
const denoPath = fileURLToPath(new URL('../../node_modules/deno/deno', import.meta.url))
const running: ChildProcess[] = []

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})

/** Starts the process under test, and waits until it says that it is up. */
async function start(mode: string, { supervised = false, runtime = [process.execPath] } = {}) {
  const [command, ...before] = runtime as [string, ...string[]]
  const child = spawn(command, [...before, sleeper, mode], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, WEIR_SUPERVISED: supervised ? '1' : '' },
  })
  running.push(child)
  const said: string[] = []
  const lines = createInterface({ input: child.stdout! })
  lines.on('line', (line) => said.push(line))
  const ended = once(child, 'close') as Promise<[number | null, string | null]>
  const until = async (word: string) => {
    while (!said.some((line) => line.includes(word))) await Promise.race([once(lines, 'line'), ended.then(() => Promise.reject(new Error(`ended before it said ${word}: ${said}`)))])
  }
  if (mode !== 'fails') await until('up')
  return { child, said, ended, until }
}

describe.each([
  ['Node', [process.execPath]],
  ['Deno', [denoPath, 'run', '-A', '--quiet']],
])('a process on %s', (_, runtime) => {
  test('is found by its title, drains at SIGTERM, and exits with 0', async () => {
    const { child, said, ended } = await start('drains', { runtime })
    expect((await readFile(`/proc/${child.pid}/comm`, 'utf8')).trim()).toBe('weir-sleeper')
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(said).toContain('stopped')
  })

  test('that is supervised ignores SIGINT, and drains when its stdin closes', async () => {
    const { child, said, ended, until } = await start('drains', { supervised: true, runtime })
    child.kill('SIGINT')
    child.kill('SIGUSR2')
    await until('still here')
    expect(said).not.toContain('stopped')
    child.stdin!.end()
    expect(await ended).toEqual([0, null])
    expect(said).toContain('stopped')
  })
})

describe('a process', () => {
  test('that hangs while it drains ends at the second signal, with 1', async () => {
    const { child, ended, until } = await start('hangs')
    child.kill('SIGINT')
    await until('drains')
    // Until the second one is no longer taken for an echo of the first.
    const again = setInterval(() => child.kill('SIGINT'), 100)
    expect(await ended).toEqual([1, null])
    clearInterval(again)
  })

  test('that is told twice at once to end, as by a terminal and by npm, drains all the same', async () => {
    const { child, said, ended, until } = await start('drains-slowly')
    child.kill('SIGINT')
    await until('drains')
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
    expect(said).toContain('stopped')
  })

  test('that hangs while it drains ends at the bound, with 1', async () => {
    const { child, said, ended } = await start('hangs-briefly')
    child.kill('SIGTERM')
    expect(await ended).toEqual([1, null])
    expect(said.join()).toContain('did not drain within 50 ms')
  })

  test('that throws where nobody catches says so and exits with 1', async () => {
    const { said, ended } = await start('throws')
    expect(await ended).toEqual([1, null])
    expect(said.join()).toContain('nobody caught')
  })

  test('that cannot start exits with 1 and the plain words of the operating error', async () => {
    const { said, ended } = await start('fails')
    expect(await ended).toEqual([1, null])
    expect(said).toContain('error Cannot listen')
  })

  test('whose work is done stops and exits with 0', async () => {
    const { said, ended } = await start('finishes')
    expect(await ended).toEqual([0, null])
    expect(said).toContain('stopped')
  })
})
