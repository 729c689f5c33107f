/**
 * Logs and snapshots of the versions so far, as their own programs wrote them: `history/<version>-flags-<greatest>/`, made by record.ts.
 * Run as a program, it tells what the present one makes of each: on any engine the same.
 */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { zstdDecompressSync } from 'node:zlib'
import { partitionActor } from '../../actors/partition/actor.ts'
import type { InputMessage } from '../../runtime/actor.ts'
import { unpack } from '../../runtime/codec.ts'
import { drive, Story } from './story.ts'

export const HISTORY = join(import.meta.dirname, 'history')

/** What the program of that version told of its log. */
export interface Told {
  /** Hashes: of the whole story, of that of the messages behind the snapshot, of the bytes of all commits, and of the snapshot's. */
  readonly story: string
  readonly rest: string
  readonly commits: string
  readonly snapshot: string
  /** Messages that the snapshot covers. */
  readonly snapshotAt: number
  readonly snapshotVersion: number
  readonly flags: readonly number[]
}

export interface Recording {
  readonly version: string
  readonly messages: readonly InputMessage[]
  readonly snapshot: Uint8Array
  readonly told: Told
}

/** Messages in one commit of a told story: it is a part of the story, since totals are told at each. */
export const COMMIT_MESSAGES = 13

export function recordings(): Recording[] {
  return readdirSync(HISTORY).sort().map((version) => {
    const read = (file: string) => readFileSync(join(HISTORY, version, file))
    const messages = unpack<[number, number, Uint8Array][]>(zstdDecompressSync(read('log.bin'))).map(([seq, timeMs, data]) => ({ seq, timeMs, data }))
    return { version, messages, snapshot: zstdDecompressSync(read('snapshot.bin')), told: JSON.parse(read('told.json').toString()) as Told }
  })
}

/** Hash of the commits' bytes: as long as their form is the one of then, they are the same to the last bit. */
export function commitsOf(messages: readonly InputMessage[]): string {
  const hash = createHash('sha256')
  const state = partitionActor.create()
  for (let from = 0; from < messages.length; from += COMMIT_MESSAGES) {
    const effects = partitionActor.effects()
    for (const m of messages.slice(from, from + COMMIT_MESSAGES)) partitionActor.step(state, m, effects)
    hash.update(partitionActor.encode(effects, state))
  }
  return hash.digest('hex')
}

export function storyOf(state: ReturnType<typeof partitionActor.create>, messages: readonly InputMessage[]): string {
  const story = new Story()
  drive(state, messages, COMMIT_MESSAGES, story)
  return story.hash()
}

/** What the present program makes of a recording: its story, and that behind the snapshot as it was stored. */
export function retold({ messages, snapshot, told }: Recording): Pick<Told, 'story' | 'rest' | 'commits'> {
  const rest = storyOf(partitionActor.restore(snapshot), messages.slice(told.snapshotAt))
  return { story: storyOf(partitionActor.create(), messages), rest, commits: commitsOf(messages) }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(JSON.stringify(recordings().map((r) => ({ version: r.version, ...retold(r) }))))
