/**
 * Logs and snapshots of own actors as the program of their time told them: `own/<actor>/`. `node test/golden/own.ts record NAME` keeps what the log of own-log.ts is and
 * leads to; what a release wrote is never written again. Without an argument it tells what the present program makes of those that
 * are the same on any engine.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { factsOf, OwnActor } from '../../actors/own/actor.ts'
import type { ToldMessage } from '../../actors/own/actor.ts'
import type { AnyActor } from '../../actors/own/contract.ts'
import type { OwnState } from '../../actors/own/state.ts'
import { Steps } from '../../actors/own/steps.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import type { InputMessage } from '../../runtime/actor.ts'
import { pack, unpack } from '../../runtime/codec.ts'
import { OWN_LOGS } from './own-log.ts'

export const OWN_HISTORY = join(import.meta.dirname, 'own')
/** Messages of a commit. */
export const COMMIT_MESSAGES = 7

export interface OwnTold {
  /** Hashes: of the bytes of all commits, of those behind the snapshot, and of the snapshot's. */
  readonly commits: string
  readonly rest: string
  readonly snapshot: string
  /** Messages that the snapshot covers. */
  readonly snapshotAt: number
  readonly rows: number
  readonly alerts: number
}

export interface OwnRecording {
  readonly name: string
  readonly actor: AnyActor
  readonly messages: readonly InputMessage[]
  readonly snapshot: Uint8Array
  readonly told: OwnTold
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** One owner of an own actor: the host's half and the author's code, both from a snapshot or from nothing. */
export class OwnOwner {
  readonly #steps: Steps
  readonly #actor: OwnActor
  readonly state: OwnState

  constructor(actor: AnyActor, snapshot: Uint8Array | null = null) {
    this.#steps = new Steps(actor)
    this.#actor = new OwnActor(factsOf(actor, ''), { step: async () => [] })
    this.state = snapshot === null ? this.#actor.create() : this.#actor.restore(snapshot)
    this.#steps.load(this.state.memory())
  }

  commit(messages: readonly InputMessage[]): Uint8Array {
    const effects = this.#actor.effects()
    for (const message of messages) {
      const plan = this.state.plan(message)
      const answers = plan.events.map((event) => this.#steps.step(event, false))
      this.#actor.step(this.state, { ...message, plan, answers, of: this.state } as Partial<ToldMessage>, effects)
    }
    return this.#actor.encode(effects, this.state)
  }

  snapshot(): Uint8Array {
    return this.#actor.snapshot(this.state)
  }
}

/** The commits of a log, or of the rest of one. */
export function commitsOf(owner: OwnOwner, messages: readonly InputMessage[]): Uint8Array[] {
  return Array.from({ length: Math.ceil(messages.length / COMMIT_MESSAGES) }, (_, i) => owner.commit(messages.slice(i * COMMIT_MESSAGES, (i + 1) * COMMIT_MESSAGES)))
}

export const hashOfCommits = (commits: readonly Uint8Array[]): string => hashOf(Buffer.concat(commits))

export function ownRecordings(): OwnRecording[] {
  return readdirSync(OWN_HISTORY).sort().map((name) => {
    const read = (file: string) => readFileSync(join(OWN_HISTORY, name, file))
    const messages = unpack<[number, number, Uint8Array][]>(zstdDecompressSync(read('log.bin'))).map(([seq, timeMs, data]) => ({ seq, timeMs, data }))
    return { name, actor: OWN_LOGS[name].actor, messages, snapshot: zstdDecompressSync(read('snapshot.bin')), told: JSON.parse(read('told.json').toString()) as OwnTold }
  })
}

/** What the present program makes of a log, and of what follows a snapshot as it was stored. */
export function ownRetold({ actor, messages, snapshot, told }: OwnRecording): Pick<OwnTold, 'commits' | 'rest'> {
  return { commits: hashOfCommits(commitsOf(new OwnOwner(actor), messages)), rest: hashOfCommits(commitsOf(new OwnOwner(actor, snapshot), messages.slice(told.snapshotAt))) }
}

function record(name: string): void {
  const { actor, make } = OWN_LOGS[name]
  const messages = make()
  const owner = new OwnOwner(actor)
  const snapshotAt = COMMIT_MESSAGES * Math.floor(messages.length / COMMIT_MESSAGES / 2)
  const before = commitsOf(owner, messages.slice(0, snapshotAt))
  const snapshot = owner.snapshot()
  const after = commitsOf(owner, messages.slice(snapshotAt))
  const effects = [...before, ...after].map((payload) => decodeEffects(payload))
  const sum = (of: 'own' | 'alerts') => effects.reduce((total, { [of]: rows }) => total + rows.length, 0)
  const told: OwnTold = { commits: hashOfCommits([...before, ...after]), rest: hashOfCommits(after), snapshot: hashOf(snapshot), snapshotAt, rows: sum('own'), alerts: sum('alerts') }
  const folder = join(OWN_HISTORY, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'log.bin'), zstdCompressSync(pack(messages.map((m) => [m.seq, m.timeMs, m.data]))))
  writeFileSync(join(folder, 'snapshot.bin'), zstdCompressSync(snapshot))
  writeFileSync(join(folder, 'told.json'), `${JSON.stringify(told, null, 2)}\n`)
  console.log(`${messages.length} messages: ${JSON.stringify(told)}`)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [what, name] = process.argv.slice(2)
  if (what === 'record' && OWN_LOGS[name] !== undefined) record(name)
  else console.log(JSON.stringify(ownRecordings().filter((recording) => OWN_LOGS[recording.name].onAnyEngine).map((recording) => ({ name: recording.name, ...ownRetold(recording) }))))
}
