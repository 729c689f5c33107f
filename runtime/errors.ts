/**
 * Operating errors: what can go wrong outside the program, as data that callers branch on.
 *
 * Owns the codes. A bug is not one of these: it is an assertion (`assert` of `node:assert/strict`), and stops
 * the partition that it was found in.
 */

export const ErrorCode = {
  /** The log's server can't be reached, or no stream answers. Retry with backoff. */
  unavailable: 'unavailable',
  /** No answer in time: the operation may or may not have happened. */
  timeout: 'timeout',
  /** The stream refuses new messages, because its limit is reached (discard-new). */
  full: 'full',
  /** The message is larger than the server takes. */
  tooLarge: 'too-large',
  /** The expected last sequence of the subject, or revision of the key, was another one. */
  conflict: 'conflict',
  /** The log that is there is not the one that a position speaks of (shorter, or of another creation). */
  identity: 'identity',
  /** The log or a snapshot was written by a newer version of the program, and holds what this one does not know. */
  version: 'version',
  /** Settings or arguments that can't be served as they are. */
  config: 'config',
} as const
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode]

/** An error of the world, with a code to branch on, and whether trying again can help. */
export class OperatingError extends Error {
  readonly code: ErrorCode
  readonly retry: boolean

  constructor(code: ErrorCode, message: string, options: { retry?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'OperatingError'
    this.code = code
    this.retry = options.retry ?? (code === ErrorCode.unavailable || code === ErrorCode.timeout || code === ErrorCode.full)
  }
}

/** Whether `error` is an operating error, of `code` where one is given. */
export function isOperating(error: unknown, code?: ErrorCode): error is OperatingError {
  return error instanceof OperatingError && (code === undefined || error.code === code)
}
