/**
 * Logs and snapshots of the versions so far, as their own programs wrote them: `history/<version>-flags-<greatest>/`, made by record.ts.
 * Run as a program, it tells what the present one makes of each: on any engine the same.
 */

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
  /** Hash of the whole story, of that of the messages behind the snapshot, and of the snapshot's bytes. */
  readonly story: string
  readonly rest: string
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

export function storyOf(state: ReturnType<typeof partitionActor.create>, messages: readonly InputMessage[]): string {
  const story = new Story()
  drive(state, messages, COMMIT_MESSAGES, story)
  return story.hash()
}

/** What the present program makes of a recording: its story, and that behind the snapshot as it was stored. */
export function retold({ messages, snapshot, told }: Recording): { story: string; rest: string } {
  return { story: storyOf(partitionActor.create(), messages), rest: storyOf(partitionActor.restore(snapshot), messages.slice(told.snapshotAt)) }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(JSON.stringify(recordings().map((r) => ({ version: r.version, ...retold(r) }))))
