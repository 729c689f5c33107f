/**
 * An actor of a few lines for tests of hosts: it numbers what it hears, remembers all of it as a running hash, and says so.
 *
 * A message is text. `urgent …` must not wait, `many N` has N results, `boom` is a bug, `big N` has a result of N characters, `wait` makes it want a tick
 * until one comes, `quiet …` has no result, `set X` is what `introduce` appends.
 */

import { pack, unpack } from '../../runtime/codec.ts'
import type { Actor, Pieces, Restoring } from '../../runtime/actor.ts'
import { JournalReader } from '../../runtime/journal.ts'
import type { JournalHeader } from '../../runtime/journal.ts'
import type { LogMessage } from '../../runtime/log.ts'

export interface ToyState {
  count: number
  hash: number
  waiting: boolean
  setting: string
}

export interface ToyEffects {
  results: string[]
  urgent: boolean
}

const utf8 = new TextDecoder()
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export function toyActor(options: { onStep?: (text: string) => void; pieces?: number } = {}): Actor<ToyState, ToyEffects> {
  return {
    name: 'toy',
    snapshotVersion: 1,
    flags: [],
    snapshotVersionOf: () => 1,
    create: () => ({ count: 0, hash: 17, waiting: false, setting: '' }),
    step(state, message, effects) {
      const text = utf8.decode(message.data)
      options.onStep?.(text)
      if (text === 'boom') throw new TypeError('boom')
      state.count++
      for (const unit of text) state.hash = (Math.imul(state.hash, 31) + unit.charCodeAt(0)) >>> 0
      state.hash = (state.hash + message.timeMs) >>> 0
      if (text === 'wait') state.waiting = true
      if (text === 'tick') state.waiting = false
      if (text.startsWith('set ')) state.setting = text.slice(4)
      const [word, number] = text.split(' ')
      if (word === 'urgent') effects.urgent = true
      if (word === 'quiet') return
      const results = word === 'many' ? Number(number) : 1
      for (let i = 0; i < results; i++) effects.results.push(`${state.count}.${i} ${text} ${state.hash}${word === 'big' ? 'x'.repeat(Number(number)) : ''}`)
    },
    effects: () => ({ results: [], urgent: false }),
    count: (effects) => effects.results.length,
    urgent: (effects) => effects.urgent,
    encode: (effects, state) => pack({ results: effects.results, count: state.count, hash: state.hash }),
    pieces: (state) => piecesOf(state, options.pieces ?? 1),
    restoring: () => restoring(),
    wantsTick: (state) => state.waiting,
    tick: () => bytesOf('tick'),
    introduce: (state, settings) => (typeof settings === 'string' && state.setting !== settings ? bytesOf(`set ${settings}`) : null),
  }
}

/** The state told so many times, each as it is when that piece is taken. */
function piecesOf(state: ToyState, count: number): Pieces {
  return {
    count,
    *[Symbol.iterator]() {
      for (let i = 0; i < count; i++) yield pack([i, count, state])
    },
  }
}

function restoring(): Restoring<ToyState> {
  const pieces: ToyState[] = []
  let count = 1
  return {
    take(bytes) {
      const [index, of, state] = unpack<[number, number, ToyState]>(bytes)
      if (typeof state?.hash !== 'number' || index !== pieces.length) throw new RangeError('no toy')
      if (pieces.length > 0 && state.hash !== pieces[0].hash) throw new RangeError('a toy that changed while it was written')
      pieces.push(state)
      count = of
    },
    done() {
      if (pieces.length !== count) throw new RangeError('not all of a toy')
      return pieces[0]
    },
  }
}

export interface Told {
  /** Results of all commits in order. */
  results: string[]
  commits: { header: JournalHeader; results: string[]; count: number; hash: number; seq: number }[]
  claims: JournalHeader[]
}

/** What readers of the results log make of one partition; asserts that commits follow each other without gap or overlap. */
export function told(messages: readonly LogMessage[], partition = 0): Told {
  const reader = new JournalReader()
  const out: Told = { results: [], commits: [], claims: [] }
  let epoch = 0
  let covered = { created: '', seq: 0 }
  for (const message of messages) {
    if (message.subject !== `results.${partition}`) continue
    const got = reader.accept(message)
    if (!got) continue
    if ('claim' in got) {
      if (got.claim.epoch !== epoch + 1) throw new Error(`claim of epoch ${got.claim.epoch} after ${epoch}`)
      epoch = got.claim.epoch
      out.claims.push(got.claim)
      continue
    }
    const { header, payload, seq } = got.commit
    if (header.epoch !== epoch) throw new Error(`commit of epoch ${header.epoch} in ${epoch}`)
    if (header.position.created === covered.created && header.position.seq < covered.seq) throw new Error('a commit went back')
    covered = header.position
    const body = unpack<{ results: string[]; count: number; hash: number }>(payload)
    out.commits.push({ header, seq, ...body })
    out.results.push(...body.results)
  }
  return out
}
