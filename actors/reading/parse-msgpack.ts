/**
 * msgpack, rows or columns: a guard over the bytes (runtime/msgpack-guard.ts), then msgpackr, then the walk that JSON has too.
 */

import { Unpackr } from 'msgpackr'
import { BODY_DEPTH_MAX } from '../../runtime/limits.ts'
import { guardMsgpack } from '../../runtime/msgpack-guard.ts'
import { addBody } from './parse-json.ts'
import type { Batch } from './validate.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number', moreTypes: false })

export function parseMsgpack(bytes: Uint8Array, batch: Batch): void {
  const failure = guardMsgpack(bytes, BODY_DEPTH_MAX)
  if (failure !== null) return batch.refuse(failure)
  let body: unknown
  try {
    body = unpackr.unpack(bytes)
  } catch (error) {
    return batch.refuse(`the msgpack can't be read: ${(error as Error).message.slice(0, 160)}.`)
  }
  addBody(body, batch)
}
