/**
 * The two ways in: `POST /v1/readings`, and `POST /api/v2/write` as InfluxDB's clients speak.
 *
 * One request goes: key → quota → format → body → columns and verdicts → blocks → the log's acknowledgement → answer.
 *
 * Invariants
 * - E1 2xx only after every accepted reading is acknowledged (I1); anything else means that the request may be sent again.
 * - E2 Between validating a request's readings and handing their rows to the batcher nothing is awaited: the columns are shared.
 * - E3 What was rejected goes to the ledger once, with the answer that names it; a request that is to be sent again counts nothing.
 */

import type { Context } from 'hono'
import { ErrorCode, isOperating } from '../../runtime/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import { mayAct } from '../../runtime/http.ts'
import type { ProblemOptions } from '../../runtime/http.ts'
import type { Keyring, Principal } from '../../runtime/keys.ts'
import { BODY_READINGS_MAX, IDEMPOTENCY_KEY_CHARS_MAX } from '../../runtime/limits.ts'
import { formatOf, MEDIA_TYPES_TOLD, parseBody } from '../reading/formats.ts'
import type { Format } from '../reading/formats.ts'
import { PRECISIONS } from '../reading/parse-lines.ts'
import type { Precision } from '../reading/parse-lines.ts'
import { Names } from '../reading/validate-names.ts'
import { Batch } from '../reading/validate.ts'
import type { Rejected } from '../reading/validate.ts'
import type { Batcher } from './batcher.ts'
import { busy, readBody } from './body.ts'
import type { Hand } from './body.ts'
import type { EdgeMetrics } from './metrics.ts'
import type { Quotas } from './quota.ts'
import type { RejectsLog } from './rejects.ts'

const KEY = new RegExp(`^[\\x21-\\x7e]{1,${IDEMPOTENCY_KEY_CHARS_MAX}}$`)

const NONE: readonly Rejected[] = []

/** What became of a request: a count and the rejected, or a problem. */
export type Verdict =
  | { readonly accepted: number; readonly rejected: readonly Rejected[]; readonly rejectedCount: number }
  | { readonly problem: ProblemOptions; readonly rejected?: readonly Rejected[] }

export interface IngestOptions {
  readonly keyring: Keyring
  readonly batcher: Batcher
  readonly rejects: RejectsLog
  readonly quotas: Quotas
  readonly metrics: EdgeMetrics
  readonly clock: Clock
  readonly hand: Hand
  readonly bodyMaxBytes: number
  /** Whether the process takes requests; false while it drains. */
  readonly open: () => boolean
}

export class Ingest {
  readonly #options: IngestOptions
  readonly #batch = new Batch(new Names())

  constructor(options: IngestOptions) {
    this.#options = options
  }

  /** The verdict on a request whose body is of the type that it says. */
  async readings(c: Context): Promise<Verdict> {
    const contentType = c.req.header('content-type') ?? ''
    const format = formatOf(contentType)
    return this.#take(c, format ?? { status: 415, title: 'Unknown content type', detail: `Send ${MEDIA_TYPES_TOLD}: the Content-Type is ${JSON.stringify(contentType.slice(0, 100))}.` })
  }

  /** The verdict on a request in line protocol. */
  async lines(c: Context): Promise<Verdict> {
    const precision = (c.req.query('precision') || 'ns') as Precision
    if (PRECISIONS.includes(precision)) return this.#take(c, 'lines', precision)
    return this.#take(c, { status: 400, title: 'Unknown precision', detail: `Set precision to one of ${PRECISIONS.join(', ')}.` })
  }

  async #take(c: Context, format: Format | ProblemOptions, precision?: Precision): Promise<Verdict> {
    const { keyring, quotas, hand, open } = this.#options
    const principal = keyring.authenticate(c.req.header('authorization'))
    if (principal === null) return { problem: UNAUTHORIZED }
    if (!mayAct(principal, ['device'])) return { problem: wrongRole(principal) }
    if (!open()) return { problem: DRAINING }
    const waitS = quotas.waitS(principal)
    if (waitS > 0) return { problem: overQuota(waitS) }
    if (typeof format !== 'string') return { problem: format }
    const key = c.req.header('idempotency-key') ?? null
    if (key !== null && !KEY.test(key)) return { problem: BAD_KEY }
    if (!hand.hold(0)) return { problem: busy() }

    const body = await readBody(c, { bytesMax: this.#options.bodyMaxBytes, hand })
    if (!Buffer.isBuffer(body)) return { problem: body as ProblemOptions }
    let verdict: Verdict | Promise<Verdict>
    try {
      verdict = this.#judge(principal, format, body, precision, key)
    } finally {
      hand.release(body.length)
    }
    return verdict
  }

  /** Parses, validates and hands over in one go (E2); what it gives to wait for is the log's answer alone. */
  #judge(principal: Principal, format: Format, body: Buffer, precision: Precision | undefined, key: string | null): Verdict | Promise<Verdict> {
    const { batcher, quotas, clock } = this.#options
    const { tenant } = principal
    const batch = this.#batch
    batch.reset(batcher.namesOf(tenant), clock.now(), principal.prefixes)
    parseBody(format, body, batch, precision)
    if (batch.tooMany) {
      return { problem: { status: 413, title: 'Too many readings', detail: `Send at most ${BODY_READINGS_MAX} readings in one request. None of these was taken.` } }
    }
    // The batch is used again while the log is waited for: what the answer needs of it is taken out now.
    const { count, rejectedCount, rejectedBy, rejectedFor, samples } = batch
    const rejected = rejectedCount === 0 ? NONE : batch.rejected
    const settle = (verdict: Verdict): Verdict => {
      if (rejectedCount > 0) {
        this.#options.rejects.add(tenant, rejectedBy, samples)
        for (const [cause, count] of rejectedFor) this.#options.metrics.rejected.inc({ cause }, count)
      }
      return verdict
    }
    if (count === 0) return settle(nothingUsable(batch))
    quotas.take(principal, count)
    return batcher.submit(tenant, batch, key).then((error) => {
      if (error !== null) return { problem: notStored(error) }
      this.#options.metrics.accepted.inc(count)
      return settle({ accepted: count, rejected, rejectedCount })
    })
  }
}

function nothingUsable(batch: Batch): Verdict {
  const { rejectedCount, forbiddenCount, refusal } = batch
  const rejected = rejectedCount === 0 ? NONE : batch.rejected
  const counted = rejectedCount > rejected.length ? { rejectedCount } : {}
  const extra = { accepted: 0, rejected, ...counted }
  if (refusal !== null) {
    return { problem: { status: 400, title: 'Body not readable', detail: `Nothing was taken: ${refusal}`, extra }, rejected }
  }
  if (rejectedCount === 0) {
    return { problem: { status: 400, title: 'No readings', detail: 'The request holds no reading. Send at least one.', extra }, rejected }
  }
  if (forbiddenCount === rejectedCount) {
    return { problem: { status: 403, title: 'Devices not allowed', detail: 'The key is bound to device prefixes, and none of the devices begins with one of them.', extra }, rejected }
  }
  return { problem: { status: 400, title: 'No reading is valid', detail: `Nothing was taken. The first reason: ${rejected[0].reason}`, extra }, rejected }
}

function notStored(error: Error): ProblemOptions {
  const again = 'Send the whole request again; readings that were stored before the fault count once.'
  if (isOperating(error, ErrorCode.full)) {
    return { status: 503, title: 'Log full', detail: `The log takes no more until older readings are stored and purged. ${again}`, headers: { 'retry-after': '5' } }
  }
  return { status: 503, title: 'Log not available', detail: `The log did not acknowledge the readings in time. ${again}`, headers: { 'retry-after': '1' } }
}

const UNAUTHORIZED: ProblemOptions = {
  status: 401,
  title: 'Key missing or unknown',
  detail: 'Send "Authorization: Bearer <key>" with a key that is not revoked. `weir keys create --role device` makes one.',
  headers: { 'www-authenticate': 'Bearer realm="weir"' },
}
const DRAINING: ProblemOptions = {
  status: 503,
  title: 'Shutting down',
  detail: 'This edge takes nothing new. Send the request again in a second.',
  headers: { 'retry-after': '1', connection: 'close' },
}
const BAD_KEY: ProblemOptions = {
  status: 400,
  title: 'Bad Idempotency-Key',
  detail: `An Idempotency-Key must be 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters.`,
}

function wrongRole(principal: Principal): ProblemOptions {
  return { status: 403, title: 'Key not allowed to write', detail: `The key's role is ${principal.role}; writing readings needs device or admin. \`weir keys create --role device\` makes one.` }
}

function overQuota(waitS: number): ProblemOptions {
  return { status: 429, title: 'Over the quota', detail: `The tenant or the key has used up its readings a second. Send again in ${waitS} s.`, headers: { 'retry-after': String(waitS) } }
}
