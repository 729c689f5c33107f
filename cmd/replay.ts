/**
 * `weir replay`: makes again, from the log alone, what was committed, and compares it byte by byte; or explains an anomaly by the state that its
 * reading met, or an alert by the conditions that held. It only reads: a system may run meanwhile. Exits 0 where all that was compared is identical, else 1.
 */

import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { OwnActor } from '../actors/own/actor.ts'
import { ownConnection } from '../actors/own/connection.ts'
import { ownNames } from '../actors/own/names.ts'
import { ADDRESS_FORM, parseAddress } from '../actors/replay/address.ts'
import { isAlertId, jsonOfAlert, wordsOfAlert, wordsOfNoAlert } from '../actors/replay/alert-words.ts'
import { explainAlert } from '../actors/replay/explain-alert.ts'
import type { AnomalyAddress } from '../actors/replay/address.ts'
import { explain } from '../actors/replay/explain.ts'
import type { Recorded } from '../actors/replay/explain.ts'
import { jsonOfExplanation, wordsOf, wordsOfNotFound } from '../actors/replay/explain-words.ts'
import { parseFrom, runReplay } from '../actors/replay/run.ts'
import type { ReplayedActor } from '../actors/replay/run.ts'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { isOperating, OperatingError } from '../runtime/errors.ts'
import { readInstallation } from '../runtime/installation.ts'
import { openLog } from '../runtime/open-log.ts'
import { createLogger } from '../runtime/telemetry.ts'
import { BUCKET_META, OWN_FIRST } from '../runtime/topology.ts'

const SPEC = {
  data: { type: 'string', default: './data', help: 'data folder, of a system that runs or is stopped' },
  nats: { type: 'string', default: null, help: 'outer servers, nats://reader:password@host:port?inbox=_INBOX_reader, in place of those of the data folder' },
  partition: { type: 'number', default: null, integer: true, min: 0, max: 1023, help: 'partition to replay; without it, all of them' },
  from: { type: 'string', default: null, help: 'first message whose commit is compared: a sequence, start, or snapshot (the oldest); without it, as early as can be' },
  to: { type: 'number', default: null, integer: true, min: 0, help: 'last message that a commit may cover; without it, the end' },
  explain: { type: 'string', default: null, help: `shows how an anomaly or an alert came about: ${ADDRESS_FORM}, as default/field-7/probe-2/soil_moisture@2026-11-23T06:10:00Z; or the id of an alert` },
  last: { type: 'number', default: 12, integer: true, min: 0, max: 10_000, help: 'explain: readings of the series to show before it' },
  actor: { type: 'string', default: null, help: 'replays the own actor in this file, in place of partitions' },
  quiet: { type: 'boolean', default: false, help: 'the summaries alone' },
  json: { type: 'boolean', default: false, help: 'prints JSON, an object a line' },
} as const satisfies FlagSpec

const SUMMARY = 'Makes again, from the log alone, what was committed, and compares it byte by byte.'

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('replay', SUMMARY, SPEC, argv, env)
  // Who reads only the first lines ends it.
  process.stdout.on('error', () => process.exit(0))
  try {
    const from = parseFrom(flags.from)
    const alert = flags.explain !== null && isAlertId(flags.explain) ? flags.explain : null
    const address = flags.explain === null || alert !== null ? null : parseAddress(flags.explain)
    const cacheDir = resolve(import.meta.dirname, '..', '.cache', 'nats-server')
    const dataDir = resolve(flags.data)
    const holdStill = () => holdLake(join(dataDir, 'lake'))
    const log = await openLog({ nats: flags.nats, dataDir, cacheDir, env, clock: systemClock, name: 'weir-replay', holdStill })
    const ended = endsInOrder(log.close)
    try {
      process.stderr.write(`The log of ${log.where}.\n`)
      const { connection } = log
      const recorded = { connection, clock: systemClock, topology: await readInstallation(connection, { clock: systemClock, withinMs: 5_000 }) }
      const again = () => (flags.actor === null ? runReplay({ ...flags, ...recorded, from, print }) : replayActor(flags.actor, (own) => runReplay({ ...flags, ...recorded, from, print, own }), recorded))
      const good = await (alert !== null ? explainAlertOf(recorded, alert, flags) : address !== null ? explainIt(recorded, address, flags) : again())
      process.exitCode = good ? 0 : 1
    } finally {
      await ended()
    }
  } catch (error) {
    if (!isOperating(error)) throw error
    process.stderr.write(`weir replay: ${error.message}\n`)
    process.exitCode = 1
  }
}

/** With the actor's code in a process of its own, as a worker has it. */
async function replayActor(file: string, run: (own: ReplayedActor) => Promise<boolean>, { connection }: Recorded): Promise<boolean> {
  const { Sandbox } = await import('../actors/own/sandbox.ts')
  const sandbox = await Sandbox.open({ file, clock: systemClock, logger: createLogger('replay') })
  try {
    const { name } = sandbox.facts
    const at = (await ownNames(await connection.kv(BUCKET_META, { create: false }))).indexOf(name)
    if (at < 0) throw new OperatingError('config', `Cannot replay ${name} as a worker must have run it: there is no log of it`)
    const actor = new OwnActor(sandbox.facts, sandbox)
    const partition = OWN_FIRST + at
    return await run({ partition, actor, connection: ownConnection(connection, partition, actor) })
  } finally {
    await sandbox.close()
  }
}

async function explainIt(recorded: Recorded, address: AnomalyAddress, { last, json }: { readonly last: number; readonly json: boolean }): Promise<boolean> {
  const explanation = await explain(recorded, address, last)
  if (!('anomaly' in explanation)) {
    process.stderr.write(`weir replay: ${wordsOfNotFound(address, explanation)}\n`)
    return false
  }
  await print(json ? JSON.stringify(jsonOfExplanation(explanation)) : wordsOf(explanation))
  return explanation.met?.same === true
}

async function explainAlertOf(recorded: Recorded, id: string, { last, json }: { readonly last: number; readonly json: boolean }): Promise<boolean> {
  const explanation = await explainAlert(recorded, id, last)
  if (explanation === null) {
    process.stderr.write(`weir replay: ${wordsOfNoAlert(id)}\n`)
    return false
  }
  await print(json ? JSON.stringify(jsonOfAlert(explanation)) : wordsOfAlert(explanation))
  return explanation.moments.length > 0 && explanation.moments.every(({ same }) => same)
}

/** The lake's lock, which a store holds in whatever container it runs. */
async function holdLake(folder: string): Promise<() => void> {
  const isThere = await access(folder).then(() => true, () => false)
  if (!isThere) return () => {}
  // DuckDB is loaded only where it is needed.
  const { lockLake } = await import('../actors/store/lock.ts')
  const lock = await lockLake(folder, systemClock)
  return () => lock.release()
}

/** Closes once, at the end or when told to end before: the server of a stopped system must not outlive this by an interrupt. */
function endsInOrder(close: () => Promise<void>): () => Promise<void> {
  const onSignal = () => void close().finally(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal)
  return async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal)
    await close()
  }
}

async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
