/**
 * The register of readers: who still needs which part of the logs.
 *
 * Each store (and whatever else reads the logs to the end) keeps an entry `readers.<name>` in the installation's bucket. What a registered
 * reader has not behind it is never purged; so one that is gone for good must be forgotten by hand, or it holds the disk.
 */

import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { KeyValue, StreamInfo } from '../../runtime/log.ts'
import { RESULTS } from '../../runtime/topology.ts'
import type { Manifest } from './manifest.ts'

const PREFIX = 'readers.'

/**
 * The name of a store among the readers, the same at each of its starts: the one given, else that of the machine and of its data folder.
 * Two stores of one name would overwrite each other's entry, so that the log could be purged of what the slower one still needs.
 */
export function readerName(given: string, dataDir: string): string {
  const folder = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 6)
  return (given || `${hostname()}-${folder}`).replace(/[^A-Za-z0-9_-]/g, '-')
}

/** What a reader has behind it for good. */
export interface ReaderEntry {
  readonly name: string
  /** Clock of the reader when it wrote this, epoch ms: information only. */
  readonly atMs: number
  readonly resultsCreated: string
  /** RESULTS before this sequence is not needed. */
  readonly resultsFrom: number
  /** By stream: input before this sequence is not needed. */
  readonly inputFrom: Readonly<Record<string, { readonly created: string; readonly seq: number }>>
  /** By partition number: its own input and results up to here are not needed. */
  readonly covered: Readonly<Record<string, { readonly created: string; readonly seq: number; readonly resultsSeq: number }>>
  /** By stream: sequences at moments of the past, oldest first, by which the age of messages is told. */
  readonly marks: Readonly<Record<string, { readonly created: string; readonly at: readonly (readonly [timeMs: number, seq: number])[] }>>
}

/** The entry of a store whose lake may go back to `manifest`. */
export function entryOf(name: string, manifest: Manifest, { atMs, marks }: Pick<ReaderEntry, 'atMs' | 'marks'>): ReaderEntry {
  const { resultsCreated, resultsFrom, inputFrom } = manifest
  const covered = Object.fromEntries(Object.entries(manifest.covered).map(([p, c]) => [p, { created: c.input.created, seq: c.input.seq, resultsSeq: c.resultsSeq }]))
  return { name, atMs, resultsCreated, resultsFrom, inputFrom, covered, marks }
}

export async function writeReader(kv: KeyValue, entry: ReaderEntry): Promise<void> {
  await kv.set(PREFIX + entry.name, new TextEncoder().encode(JSON.stringify(entry)))
}

/** The entry of one reader; null where there is none, or it does not read. */
export async function readReader(kv: KeyValue, name: string): Promise<ReaderEntry | null> {
  const found = await kv.get(PREFIX + name)
  if (found === null) return null
  try {
    const entry = JSON.parse(new TextDecoder().decode(found.value)) as ReaderEntry | null
    // Someone else's bytes under a reader's name are no entry.
    return typeof entry?.inputFrom === 'object' && Number.isFinite(entry.atMs) ? entry : null
  } catch {
    return null
  }
}

/** How many messages of these streams the log keeps for a reader; one whose entry does not read needs them all. */
export function messagesBehind(entry: ReaderEntry | null, streams: readonly StreamInfo[]): number {
  const behind = streams.map((stream) => {
    const place = stream.name === RESULTS ? entry && { created: entry.resultsCreated, seq: entry.resultsFrom } : entry?.inputFrom[stream.name]
    // One that speaks of another creation of the stream, or not at all, has read nothing of this one.
    const next = place?.created === stream.created ? Math.max(place.seq, stream.firstSeq) : stream.firstSeq
    return Math.max(0, stream.lastSeq - next + 1)
  })
  return behind.reduce((sum, messages) => sum + messages, 0)
}

/** Every registered reader; `entry` is null where it does not read, and then it must be taken to need everything. */
export async function listReaders(kv: KeyValue): Promise<{ name: string; entry: ReaderEntry | null }[]> {
  const names = (await kv.keys()).filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length))
  return Promise.all(names.map(async (name) => ({ name, entry: await readReader(kv, name) })))
}

/** Removes a reader that will not come back: nothing is kept for it any more. */
export async function forgetReader(kv: KeyValue, name: string): Promise<void> {
  await kv.delete(PREFIX + name)
}
