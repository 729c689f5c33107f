/**
 * SenML (RFC 8428), as JSON and as CBOR: packs of records, with base fields that hold until they are replaced.
 *
 * A SenML name is one string, Weir's series are a device and a metric. Of the name (`bn` + `n`):
 * - a base name and a name of which the name is a valid metric: the device is the base name without a separator (`/ : _ .`) at
 *   its end, the metric is the name;
 * - else `urn:dev:…` (RFC 9039): the device is what stands before the first `_` after the scheme, the metric what follows it;
 * - else what stands before and after the last `/` or `:`, where the latter is a valid metric;
 * - else the whole name is the device, and the metric is `value`.
 * Units are not kept. Values are `v` and `vb`, to which `bv` is added; text, data and sums alone are rejected.
 *
 * Times are seconds; one below 2^28 is relative to now (section 4.5.3).
 */

import { BODY_DEPTH_MAX, DEVICE_CHARS_MAX } from '../../runtime/limits.ts'
import { decodeCbor } from './parse-cbor.ts'
import { parseGuarded } from './parse-json.ts'
import { isMetric } from './validate-names.ts'
import { quote } from './validate.ts'
import type { Batch } from './validate.ts'

const RELATIVE_BELOW_S = 2 ** 28
const VERSION_MAX = 10
const NAME_CHARS_MAX = 2 * DEVICE_CHARS_MAX

/** Integer labels of the CBOR form (section 6). */
const LABELS = new Map<unknown, string>([
  [-1, 'bver'], [-2, 'bn'], [-3, 'bt'], [-4, 'bu'], [-5, 'bv'], [-6, 'bs'],
  [0, 'n'], [1, 'u'], [2, 'v'], [3, 'vs'], [4, 'vb'], [5, 's'], [6, 't'], [7, 'ut'], [8, 'vd'],
])

export function parseSenmlJson(text: string, batch: Batch): void {
  const json = parseGuarded(text)
  if (typeof json.failure === 'string') return batch.refuse(json.failure, text.slice(0, 1024))
  addPack(json.value, batch, (record) =>
    typeof record === 'object' && record !== null && !Array.isArray(record) ? new Map(Object.entries(record)) : null,
  )
}

export function parseSenmlCbor(bytes: Uint8Array, batch: Batch): void {
  let pack: unknown
  try {
    pack = decodeCbor(bytes, BODY_DEPTH_MAX)
  } catch (error) {
    return batch.refuse((error as Error).message)
  }
  addPack(pack, batch, (record) => (record instanceof Map ? new Map([...record].map(([key, value]) => [LABELS.get(key) ?? String(key), value])) : null))
}

function addPack(pack: unknown, batch: Batch, fieldsOf: (record: unknown) => Map<string, unknown> | null): void {
  if (!Array.isArray(pack)) return batch.refuse(`a SenML pack must be an array of records: current value is ${quote(pack)}.`)
  let baseName = ''
  let baseTime = 0
  let baseValue = 0
  for (let index = 0; index < pack.length && !batch.tooMany; index++) {
    const fields = fieldsOf(pack[index])
    if (fields === null) {
      batch.reject(index, '', () => 'a SenML record must be an object.', pack[index])
      continue
    }
    for (const name of fields.keys()) {
      if (name.endsWith('_')) return batch.refuse(`the pack must hold no field that has to be understood and is not: ${quote(name)}.`)
    }
    const version = fields.get('bver')
    if (version !== undefined && !(typeof version === 'number' && version <= VERSION_MAX)) {
      return batch.refuse(`the version of the pack must be at most ${VERSION_MAX}: current value is ${quote(version)}.`)
    }
    const { bn, bt, bv } = { bn: fields.get('bn'), bt: fields.get('bt'), bv: fields.get('bv') }
    if (bn !== undefined) baseName = typeof bn === 'string' ? bn : ''
    if (bt !== undefined) baseTime = typeof bt === 'number' ? bt : NaN
    if (bv !== undefined) baseValue = typeof bv === 'number' ? bv : NaN
    const { n = '', t = 0, v, vb } = { n: fields.get('n'), t: fields.get('t'), v: fields.get('v'), vb: fields.get('vb') }

    // A record of base fields alone sets them for the records after it, and is no reading.
    const carries = v !== undefined || vb !== undefined || fields.has('vs') || fields.has('vd') || fields.has('s')
    if (!carries && ![...fields.keys()].some((name) => !name.startsWith('b') && name !== 'n' && name !== 't' && name !== 'u')) continue

    const item = Object.fromEntries(fields)
    if (v === undefined && vb === undefined) {
      batch.reject(index, '', () => 'a SenML record must carry v or vb: text, data and sums are not kept.', item)
      continue
    }
    const [device, metric] = nameOf(baseName, typeof n === 'string' ? n : '')
    const seconds = baseTime + (typeof t === 'number' ? t : NaN)
    const ts = seconds < RELATIVE_BELOW_S ? batch.nowMs + seconds * 1000 : Math.round(seconds * 1000)
    batch.add(index, device, metric, ts, typeof v === 'number' ? v + baseValue : (v ?? vb), item)
  }
}

/** Device and metric of a SenML name, by the rules above. */
export function nameOf(baseName: string, name: string): [device: string, metric: string] {
  // Longer than any device may be: not worth looking through, once a record.
  if (baseName.length + name.length > NAME_CHARS_MAX) return [(baseName || name).slice(0, NAME_CHARS_MAX).padEnd(NAME_CHARS_MAX, '?'), 'value']
  if (baseName !== '' && isMetric(name)) return [baseName.replace(/[/:_.]+$/, ''), name]
  const whole = baseName + name
  if (/^urn:dev:/i.test(whole)) {
    const at = whole.indexOf('_', 8)
    return at === -1 ? [whole, 'value'] : [whole.slice(0, at), whole.slice(at + 1)]
  }
  const at = Math.max(whole.lastIndexOf('/'), whole.lastIndexOf(':'))
  const tail = whole.slice(at + 1)
  return at > 0 && isMetric(tail) ? [whole.slice(0, at), tail] : [whole, 'value']
}
