/**
 * What servers answer, in the words of Weir: acknowledgements, refusals, and errors of the client's library.
 */

import { errors } from '@nats-io/nats-core'
import { ErrorCode, OperatingError } from './errors.ts'

/** An error answer of JetStream, as its API and its acknowledgements write it. */
export interface ApiError {
  readonly code: number
  readonly err_code?: number
  readonly description?: string
}

/** Codes of JetStream's answers that callers of `api` branch on. */
export const ApiCode = {
  noMessage: 10037,
  streamNotFound: 10059,
  streamNameInUse: 10058,
  consumerNotFound: 10014,
} as const

/** An answer of JetStream's API that says what is not there: callers turn it into null or into an error of their own. */
export class ApiRefusal extends OperatingError {
  readonly apiCode: number

  constructor(code: ErrorCode, message: string, apiCode: number) {
    super(code, message)
    this.apiCode = apiCode
  }
}

export function refusal(what: string, error: ApiError): ApiRefusal {
  const apiCode = error.err_code ?? error.code
  const text = error.description ?? 'no description'
  const message = `Cannot ${what}: the log's server answers "${text}" (${apiCode})`
  switch (apiCode) {
    case 10071:
      return new ApiRefusal(ErrorCode.conflict, message, apiCode)
    case 10023:
    case 10047:
    case 10077:
      return new ApiRefusal(ErrorCode.full, message, apiCode)
    case 10005:
      // Replicas find no place while a server of the cluster is away.
      return new ApiRefusal(ErrorCode.unavailable, message, apiCode)
    case 10074:
      // Several replicas asked of a single server.
      return new ApiRefusal(ErrorCode.config, message, apiCode)
    case 10054:
      return new ApiRefusal(ErrorCode.tooLarge, message, apiCode)
    case ApiCode.streamNotFound:
      return new ApiRefusal(ErrorCode.identity, message, apiCode)
    default:
      // 400 answers say that the request itself can't be served; all else is a state of the server that passes.
      return new ApiRefusal(error.code === 400 ? ErrorCode.config : ErrorCode.unavailable, message, apiCode)
  }
}

/**
 * What a replica says of a stream while none leads it is that replica's own state, and may be older than what was acknowledged. Of a
 * stream with a leader, and of one on a single server, the answer is its leader's: null.
 */
export function leaderless(verb: string, answer: { cluster?: { leader?: string } }): OperatingError | null {
  if (!verb.startsWith('STREAM.INFO.') || answer.cluster === undefined || answer.cluster.leader) return null
  return new OperatingError(ErrorCode.unavailable, `Cannot ask for ${verb} as a server must lead the stream: there is none at present`)
}

export function notPermitted(what: string, cause: unknown): OperatingError {
  return new OperatingError(ErrorCode.config, `Cannot use ${what} as the user of this connection has no permission for it`, { cause })
}

export function translate(what: string, cause: unknown): OperatingError {
  if (cause instanceof OperatingError) return cause
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const unavailable = (why: string): OperatingError => new OperatingError(ErrorCode.unavailable, `Cannot ${what}: ${why}`, { cause })
  for (const e of [cause, inner]) {
    if (e instanceof errors.PermissionViolationError) return notPermitted(e.subject, cause)
    if (e instanceof errors.NoRespondersError) {
      return new OperatingError(
        ErrorCode.unavailable,
        `Cannot ${what}: JetStream does not answer`,
        { cause },
      )
    }
    if (e instanceof errors.TimeoutError) return new OperatingError(ErrorCode.timeout, `Cannot ${what}: no answer in time`, { cause })
  }
  return unavailable(cause instanceof Error ? cause.message : String(cause))
}

/** The number after `"seq":` of an acknowledgement without error, or 0 where the bytes must be parsed as JSON. */
export function fastSeq(data: Uint8Array): number {
  // {"stream":… is a success; {"error":… is not, and goes the slow way.
  if (data[2] !== 115 /* s */ || data.length > 160) return 0
  for (let i = 10; i < data.length - 6; i++) {
    // "seq":
    if (data[i] !== 34 || data[i + 1] !== 115 || data[i + 2] !== 101 || data[i + 3] !== 113 || data[i + 4] !== 34 || data[i + 5] !== 58) continue
    let at = i + 6
    while (data[at] === 32) at++
    let seq = 0
    for (; data[at] >= 48 && data[at] <= 57; at++) seq = seq * 10 + (data[at] - 48)
    return seq
  }
  return 0
}
