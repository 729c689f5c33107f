/**
 * `npm run chaos -- --minutes 5 [--seed N] [--workers K]`: real processes under load that join, are killed, frozen, told to end and started again
 * at random, for as long as you like; then the law over what is left. Its exit code is 1 where anything is wrong.
 *
 * The seed draws what is done and when, and is printed; what comes of it is up to the machine.
 */

import { parseArgs } from 'node:util'
import { runChaos } from './chaos.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    workers: { type: 'string', default: '3' },
  },
})

function read(name: keyof typeof values, { min, max, whole }: { min: number; max: number; whole: boolean }): number {
  const value = Number(values[name])
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value
  console.error(`Cannot use --${name} as it must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}: current value is ${values[name]}`)
  process.exit(2)
}

const minutes = read('minutes', { min: 0.1, max: 24 * 60, whole: false })
const seed = read('seed', { min: 0, max: 2 ** 32 - 1, whole: true })
const workers = read('workers', { min: 1, max: 32, whole: true })

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

console.log(`chaos for ${minutes} minutes with ${workers} workers, 2 edges, 2 stores and a nats-server; --seed ${seed}`)
const { wrong, deeds, ...outcome } = await runChaos({ seed, durationMs: minutes * 60_000, workers, say: (line) => console.log(line) })

const words = { join: 'joined', kill: 'SIGKILL', leave: 'SIGTERM', freeze: 'SIGSTOP', edge: 'edge', store: 'store', server: 'nats-server' }
console.log(`\ndone       ${Object.entries(words).map(([kind, word]) => `${word} ${deeds[kind] ?? 0}`).join(', ')}`)
console.log(`sent       ${outcome.acknowledged} readings acknowledged, ${outcome.readings} different ones, ${outcome.retries} retries, ${outcome.repeats} repeats`)
console.log(`log        ${outcome.claims} claims, ${outcome.commits} commits`)
if (outcome.restarts > 0) console.log(`restarted  ${outcome.restarts} that could not start without nats-server`)
console.log(`settled    ${(outcome.settledMs / 1_000).toFixed(1)} s after the last reading`)
for (const what of wrong) console.log(`WRONG      ${what}`)
console.log(wrong.length === 0 ? 'All is right: every acknowledged reading is in both lakes exactly once.' : `${wrong.length} wrong; --seed ${seed}`)
process.exit(wrong.length === 0 ? 0 : 1)
