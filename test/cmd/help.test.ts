import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const weir = join(root, 'cmd', 'weir.ts')

/** Flags that the public interface names, by command. */
const PROMISED: Record<string, string[]> = {
  up: ['data', 'port', 'host', 'nats', 'workers', 'threads', 'partitions', 'replicas', 'lateness', 'idle', 'retention', 'demo', 'sync', 'actors', 'notify-allow'],
  edge: ['nats', 'host', 'port'],
  worker: ['nats', 'threads', 'lateness', 'idle', 'retention', 'host', 'port', 'actors', 'sandbox'],
  store: ['nats', 'data', 'host', 'port', 'keep-superseded', 'retention', 'retention-bytes'],
  notifier: ['nats', 'host', 'port', 'notify-allow'],
  lake: ['data'],
  keys: ['nats', 'data', 'role', 'tenant'],
  views: ['url', 'key', 'data', 'revision', 'json'],
  rules: ['url', 'key', 'data', 'from', 'to', 'revision', 'json'],
  backfill: ['url', 'key', 'map', 'device', 'metric', 'prefix', 'tz', 'order', 'rate', 'from-row', 'state', 'rejects', 'dry-run'],
  simulate: ['url', 'key', 'seed', 'speed', 'probes'],
  replay: ['nats', 'data', 'partition', 'actor', 'from', 'to', 'explain', 'last', 'quiet', 'json'],
  doctor: ['nats', 'data', 'host', 'port'],
}

async function run(program: string, args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [program, ...args], { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

describe('weir', () => {
  test('can be run by its name', () => {
    expect(readFileSync(weir, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(statSync(weir).mode & 0o111).toBe(0o111)
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: Record<string, string> }
    expect(bin).toEqual({ weir: 'cmd/weir.ts' })
  })

  test('lists its commands, each with a line', async () => {
    const { code, out } = await run(weir, ['--help'])
    expect(code).toBe(0)
    expect([...out.matchAll(/^ {2}(\w+) {2,}\S.*$/gm)].map(([, name]) => name)).toEqual(Object.keys(PROMISED))
  })

  test('says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await run(weir, ['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })

  test('refuses an unknown command, and none, with exit code 2', async () => {
    expect(await run(weir, ['fly'])).toMatchObject({ code: 2, err: expect.stringContaining('must be one of up, edge') })
    expect(await run(weir, [])).toMatchObject({ code: 2, out: expect.stringContaining('Commands:') })
  })
})

describe.each(Object.entries(PROMISED))('weir %s', (command, flags) => {
  test('names every flag with its variable in its help, run by name or by itself', async () => {
    const { code, out } = await run(weir, [command, '--help'])
    expect(code).toBe(0)
    expect(out).toContain(`Usage: weir ${command}`)
    // A flag too long for its column has its help on the next line.
    const lines = out.replace(/\n {8,}/g, ' ').split('\n').filter((line) => /^ {2}--(?!help)/.test(line))
    const named = lines.map((line) => /^ {2}--([a-z-]+).*\((?:default .*, )?(WEIR_\w+)\)$/.exec(line) ?? [line, '', ''])
    for (const [, flag, variable] of named) expect(variable).toBe(`WEIR_${flag!.replaceAll('-', '_').toUpperCase()}`)
    expect(named.map(([, flag]) => flag)).toEqual(expect.arrayContaining(flags))
    expect(await run(join(root, 'cmd', `${command}.ts`), ['--help'])).toMatchObject({ code: 0, out })
  })

  test('refuses an unknown flag with exit code 2', async () => {
    expect(await run(weir, [command, '--no-such-flag'])).toMatchObject({ code: 2, err: expect.stringContaining('--no-such-flag') })
  })
})
