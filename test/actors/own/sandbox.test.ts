/** An author's code in its own process: what it answers, what it can't reach, and how it ends where it goes beyond its bounds. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import degreeDays from '../../../actors/examples/degree-days.ts'
import { answersIn } from '../../../actors/own/answers.ts'
import { denoPath, Sandbox } from '../../../actors/own/sandbox.ts'
import type { SandboxLimits, SandboxRuntime } from '../../../actors/own/sandbox.ts'
import type { StepEvent, StepMemory } from '../../../actors/own/steps.ts'
import { Steps } from '../../../actors/own/steps.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { quietLogger } from '../../support/quiet-logger.ts'

const folder = join(mkdtempSync(join(tmpdir(), 'weir-authors-')), 'author')
mkdirSync(folder)
afterAll(() => rmSync(dirname(folder), { recursive: true, force: true }))
const { logger } = quietLogger()
const RUNTIMES: readonly SandboxRuntime[] = denoPath() === null ? ['node'] : ['deno', 'node']
const NOTHING = (): StepMemory => ({ states: [], documents: [] })

let files = 0
function author(reading: string, head = ''): string {
  const file = join(folder, `a${++files}.ts`)
  writeFileSync(file, `import { defineActor } from 'weir/actor'\n${head}\ninterface State { n: number }\nexport default defineActor({ name: 'probe', key: 'device', initial: (): State => ({ n: 0 }), view: { columns: { said: 'VARCHAR' } },\n  ${reading}\n})\n`)
  return file
}
const open = (file: string, runtime: SandboxRuntime, limits: Partial<SandboxLimits> = {}) => Sandbox.open({ file, runtime, limits, clock: systemClock, logger })
const readings = (...values: number[]): StepEvent[] => [{ kind: 'readings', tenant: 'default', receivedAt: 1, rows: values.map((value, i) => ['d', 'm', 86_400_000 + i, value] as const) }]
async function said(file: string, runtime: SandboxRuntime): Promise<string> {
  const sandbox = await open(file, runtime)
  try {
    const [{ rows }] = await sandbox.step(readings(1), NOTHING, true)
    return (JSON.parse(rows[0][2]) as { said: string }).said
  } finally {
    await sandbox.close()
  }
}

describe.each(RUNTIMES)("an author's code on %s", (runtime) => {
  test('answers as it does in the process of its tests, and goes on from the states that it is given', async () => {
    const sandbox = await open(join(import.meta.dirname, '../../../actors/examples/degree-days.ts'), runtime)
    const steps = new Steps(degreeDays)
    const day = (days: number, value: number): StepEvent => ({ kind: 'readings', tenant: 'default', receivedAt: 1, rows: [['f', 'temperature', days * 86_400_000, value], ['f', 'temperature', days * 86_400_000 + 1, value + 7.3]] })
    expect(sandbox.facts).toMatchObject({ name: 'degree_days', everyMs: null, columns: [['least', 'DOUBLE'], ['most', 'DOUBLE'], ['degrees', 'DOUBLE'], ['total', 'DOUBLE']] })
    expect(sandbox.reads).toEqual({ metrics: ['temperature'] })
    const first = [day(20_000, 11.1), day(20_001, 12.7)]
    expect(await sandbox.step(first, NOTHING, true)).toEqual(first.map((event) => steps.step(event, true)))
    const next = [day(20_002, 30)]
    expect(await sandbox.step(next, NOTHING, false)).toEqual(next.map((event) => steps.step(event, true)))
    const states = [['default\nf', '{"day":19999,"least":0,"most":40,"year":2024,"total":5}']] as const
    steps.load({ states, documents: [] })
    expect(await sandbox.step(first, () => ({ states, documents: [] }), true)).toEqual(first.map((event) => steps.step(event, true)))
    await sandbox.close()
  })

  test('is told what it did wrong, by key; an infinite loop, a heap and bytes without bound end its process alone, which is asked once more', async () => {
    const file = author(`reading(state, { value }, out) {
    if (value === 1) throw new Error('no such luck')
    if (value === 2) for (;;) state.n++
    if (value === 3) { const all: unknown[] = []; for (;;) all.push(new Array(10_000).fill(state.n)) }
    if (value === 4) { const all: unknown[] = []; for (;;) all.push(new Uint8Array(4_000_000).fill(1)) }
    out.row({ said: String(value) })
  },`)
    const sandbox = await open(file, runtime, { cpuMs: 300, rssMiB: 250 })
    const fault = (value: number) => sandbox.step(readings(0, value), NOTHING, true).then(() => 'answered', (error: Error) => `${error.name}: ${error.message}`)
    expect(await fault(1)).toBe('ActorFault: reading of d, d m at 1970-01-02T00:00:00.001Z: no such luck')
    const { starts } = sandbox
    expect(await fault(2)).toMatch(/^ActorFault: Cannot go on as a step must end within its bounds: it computed for \d+ ms, of at most 300, 2 times at the same message$/)
    expect(sandbox.starts).toBe(starts + 2)
    expect(await fault(3)).toMatch(/it computed for|more memory than its heap|MiB of memory/)
    expect(await fault(4)).toMatch(/it computed for|MiB of memory, of at most 250/)
    expect((await sandbox.step(readings(7), NOTHING, false))[0].rows[0][2]).toBe('{"said":"7"}')
    await sandbox.close()
  })

  test('reaches neither files nor processes nor what it is not handed', async () => {
    expect(await said(author('reading(_, __, out) { out.row({ said: [typeof fetch, typeof process, typeof setTimeout, typeof Worker, typeof WebSocket].join() }) },'), runtime)).toBe('undefined,undefined,undefined,undefined,undefined')
    const tried = (what: string) => said(author('reading(_, __, out) { out.row({ said: seen }) },', `const seen = await (${what}).then((got: unknown) => 'GOT ' + String(got), (error: Error) => error.name + ': ' + error.message)`), runtime)
    const refused = runtime === 'deno' ? /Requires read access|NotCapable|not defined/ : /as an actor may import weir\/actor and files beside its own alone/
    expect(await tried(`import('node:fs').then((fs) => fs.readFileSync('/etc/hostname', 'utf8'))`)).toMatch(refused)
    expect(await tried(`import('file:///etc/hostname', { with: { type: 'json' } })`)).toMatch(refused)
    expect(await tried(`import('node:child_process').then((c) => c.execFileSync('true'))`)).toMatch(runtime === 'deno' ? /Requires run access|NotCapable|not defined/ : refused)
    expect(await tried(`import('node:net').then((net) => new Promise((yes, no) => net.connect(1, '127.0.0.1').on('error', no).on('connect', yes)))`)).toMatch(runtime === 'deno' ? /Requires net access|NotCapable/ : refused)
    expect(await tried(`import('node:process').then((p) => p.env.DENO_DIR ?? p.env.HOME ?? 'x')`)).toMatch(runtime === 'deno' ? /Requires env access|NotCapable|x$/ : refused)
    await expect(open(author('reading() {},', `import text from 'file:///etc/hostname' with { type: 'json' }\nglobalThis.x = text`), runtime)).rejects.toThrow(/Cannot run .* as an actor may import weir\/actor and files beside its own alone: file:\/\/\/etc\/hostname/)
  })

  test('may be of several files beneath its own, and of no others', async () => {
    const file = join(folder, 'pack.ts')
    mkdirSync(join(folder, 'parts'), { recursive: true })
    writeFileSync(join(folder, 'parts', 'twice.ts'), `import type { Reading } from 'weir/actor'\nimport { one } from '../one.ts'\nexport const twice = ({ value }: Reading): number => 2 * value * one\n`)
    writeFileSync(join(folder, 'one.ts'), 'export const one: number = 1\n')
    const pack = (head: string) => writeFileSync(file, `${head}\nimport { defineActor } from 'weir/actor'\nimport type { Reading } from '/nowhere.ts'\nimport { one } from './one.ts'\nimport { twice } from './parts/twice.ts'\nexport default defineActor({ name: 'pack', key: 'device', initial: () => 0, reading(_, reading, out) { out.row({ said: String(twice(reading) + one) }) }, view: { columns: { said: 'VARCHAR' } } })\n`)
    pack('')
    expect(await said(file, runtime)).toBe('3')
    const farm = await open(join(import.meta.dirname, '../../../actors/farm/actor.ts'), runtime)
    expect(farm.facts.name).toBe('advice')
    await farm.close()
    pack(`import { x } from '../x.ts'`)
    writeFileSync(join(dirname(folder), 'x.ts'), '')
    await expect(open(file, runtime)).rejects.toThrow(/as its files must lie beside it or beneath: ..\/x.ts/)
    rmSync(join(dirname(folder), 'x.ts'))
    pack(`import { y } from './y.ts'`)
    writeFileSync(join(folder, 'y.ts'), `import './pack.ts'\nexport const y = 1\n`)
    await expect(open(file, runtime)).rejects.toThrow(/must not import each other in a circle: pack.ts → y.ts → pack.ts/)
  })

  test('is refused at its start where its file is no actor, and says why', async () => {
    const file = join(folder, 'none.ts')
    writeFileSync(file, 'export default { name: "x" }')
    await expect(open(file, runtime)).rejects.toThrow(`Cannot run ${file}: Cannot use this actor as initial must be a function: current value is undefined`)
    writeFileSync(file, `export default { name: 'readings', key: 'device', initial: () => null }`)
    await expect(open(file, runtime)).rejects.toThrow(`Cannot run ${file}: Cannot use this actor as its name must be one that no view of Weir has and that SQL does not keep for itself`)
    await expect(open(join(folder, 'absent.ts'), runtime)).rejects.toThrow(/each of its files must be there and be readable/)
    await expect(open(author('reading() { return ('), runtime)).rejects.toThrow(/Cannot run/)
  })
})

test('what a process says is believed part by part', () => {
  const good = { states: [['t\nk', '{}'], ['t\nj', null]], rows: [['t\nk', 5, '{"a":1}']], alerts: [['t\nk', 'a', 'info', 'x', null]] }
  expect(answersIn([good], 1)).toEqual([good])
  const bad: object[] = [
    { ...good, states: [['k', '{}']] }, { ...good, states: [['t\nk', 5]] }, { ...good, states: [['t\nk', 'x'.repeat(70_000)]] }, { ...good, rows: [['t\nk', NaN, '{}']] }, { ...good, rows: [['t\nk', 5, 'no json']] },
    { ...good, rows: [['t\nk', 5, '[1]']] }, { ...good, rows: 'x' }, { ...good, alerts: [['t\nk', 'a', 'fatal', 'x', null]] }, { ...good, alerts: [['t\nk', 'a b', 'info', 'x', null]] }, {},
  ]
  for (const one of bad) expect(() => answersIn([one], 1)).toThrow(/Cannot use what the process of this actor says/)
  expect(() => answersIn([good], 2)).toThrow(/there must be 2 answers/)
  expect(() => answersIn(null, 0)).toThrow()
})
