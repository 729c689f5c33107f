/** Helpers of the tests of formats: a body in, readings and verdicts out, as plain data. */

import { parseBody } from '../../../actors/reading/formats.ts'
import type { Format } from '../../../actors/reading/formats.ts'
import type { Reading } from '../../../actors/reading/input.ts'
import type { Precision } from '../../../actors/reading/parse-lines.ts'
import { Names } from '../../../actors/reading/validate-names.ts'
import { Batch } from '../../../actors/reading/validate.ts'
import type { Rejected, RejectSample } from '../../../actors/reading/validate.ts'

export const NOW_MS = 1_767_225_600_000

export interface Read {
  readings: Reading[]
  rejected: Rejected[]
  rejectedCount: number
  rejectedBy: Map<string, number>
  samples: RejectSample[]
  refusal: string | null
  tooMany: boolean
  forbiddenCount: number
}

export function read(format: Format, body: string | Uint8Array, options: { prefixes?: string[]; precision?: Precision; nowMs?: number } = {}): Read {
  const names = new Names()
  const batch = new Batch(names)
  batch.reset(names, options.nowMs ?? NOW_MS, options.prefixes)
  parseBody(format, Buffer.from(body as Uint8Array), batch, options.precision)
  const readings = Array.from({ length: batch.count }, (_, i) => ({
    device: batch.series[i].device.name,
    metric: batch.series[i].metric,
    ts: batch.ts[i],
    value: batch.value[i],
  }))
  const { rejected, rejectedCount, rejectedBy, samples, refusal, tooMany, forbiddenCount } = batch
  return { readings, rejected, rejectedCount, rejectedBy, samples, refusal, tooMany, forbiddenCount }
}

export const json = (body: unknown, options?: Parameters<typeof read>[2]): Read => read('json', JSON.stringify(body), options)
