/**
 * Messages between the store and a process that runs its public queries: msgpack, each behind its length, over a pair of sockets.
 *
 * Owns what can be said. Who may say what when is told by pool.ts for the store, by query-process.ts for the process.
 */

import type { Duplex } from 'node:stream'
import { pack, unpack } from '../../../runtime/codec.ts'
import type { SegmentFacts } from './attached.ts'
import type { FreshRows } from './fresh-rows.ts'
import type { OwnViews } from '../../store/own-views.ts'
import type { KeptView } from '../../view/kept.ts'
import type { ViewName } from './views.ts'

export type SqlFormat = 'json' | 'ndjson' | 'csv' | 'arrow' | 'parquet'
/** A value that a query may be given. */
export type Parameter = null | boolean | number | string
export type Parameters = readonly Parameter[] | Readonly<Record<string, Parameter>>

export interface Ask {
  readonly sql: string
  readonly params: Parameters
  readonly format: SqlFormat
  /** Times as epoch milliseconds. */
  readonly timeMs: boolean
  readonly rowsMax: number
  /** Views of own actors that there are. */
  readonly own?: OwnViews
  /** The tenant's kept views that may be meant, by name. */
  readonly kept?: Readonly<Record<string, KeptView>>
}

/** What the store says. */
export type ToProcess =
  | { readonly k: 'lake'; readonly add: readonly SegmentFacts[]; readonly drop: readonly string[] }
  | { readonly k: 'ask'; readonly ask: Ask }
  | { readonly k: 'go'; readonly tenant: string; readonly fresh: FreshRows }
  | { readonly k: 'stop' }
  /** Asks for a kept view, which is answered as JSON. */
  | { readonly k: 'compile'; readonly tenant: string; readonly sql: string }

/**
 * Why a query has no answer, or no whole one.
 * - `refused`  the gate does not let it pass
 * - `invalid`  it does not make sense to DuckDB, or its parameters do not fit
 * - `failed`   a value could not be computed
 * - `rows`, `memory`, `time`   it went beyond that bound
 * - `busy`     too many wait, or the store is behind; later it may do
 * - `gone`     a segment was merged away under it; a newer manifest is there
 * - `broken`   DuckDB or its process failed
 */
export type SqlFailureCode = 'refused' | 'invalid' | 'failed' | 'rows' | 'memory' | 'time' | 'busy' | 'gone' | 'broken'

export class SqlError extends Error {
  readonly code: SqlFailureCode
  /** In the text of the query, where it is known. */
  readonly position: number | null

  constructor(code: SqlFailureCode, message: string, position: number | null = null) {
    super(message)
    this.name = 'SqlError'
    this.code = code
    this.position = position
  }
}

/** What the process says. After `end` and `fail` it is ready for the next query. */
export type FromProcess =
  | { readonly k: 'ready' }
  | { readonly k: 'views'; readonly views: readonly ViewName[] }
  | { readonly k: 'data'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly k: 'end' }
  | { readonly k: 'fail'; readonly code: SqlFailureCode; readonly message: string; readonly position: number | null }

/** Sends a message. False where the other side does not keep up: wait for `drain`. */
export function send(socket: Duplex, message: ToProcess | FromProcess): boolean {
  const bytes = pack(message)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, bytes.byteLength)
  socket.cork()
  socket.write(length)
  const kept = socket.write(bytes)
  socket.uncork()
  return kept
}

/** Calls `take` with each whole message that a socket brings. */
export function receive<Message extends ToProcess | FromProcess>(socket: Duplex, take: (message: Message) => void): void {
  let waiting: Buffer[] = []
  let held = 0
  let wanted = 4
  let body = false
  socket.on('data', (chunk: Buffer) => {
    waiting.push(chunk)
    held += chunk.byteLength
    while (held >= wanted) {
      const all = waiting.length === 1 ? waiting[0] : Buffer.concat(waiting, held)
      const part = all.subarray(0, wanted)
      const rest = all.subarray(wanted)
      waiting = rest.byteLength === 0 ? [] : [rest]
      held = rest.byteLength
      if (body) take(unpack<Message>(part))
      wanted = body ? 4 : part.readUInt32BE(0)
      body = !body
    }
  })
}
