/**
 * What a person at a terminal gets to see of JSON log lines: warnings and errors, in words. Everything else stays in the log files.
 */

import process from 'node:process'
import type { Clock } from './clock.ts'
import type { ProcessLogger } from './process.ts'

const WARN = 40
const ERROR = 50

/** One log line of `name` as a person reads it, or null where it is of no concern to one. */
export function toHuman(name: string, line: string): string | null {
  let entry: { level?: unknown; msg?: unknown; err?: { message?: unknown; stack?: unknown } }
  try {
    entry = JSON.parse(line)
    if (typeof entry !== 'object' || entry === null || typeof entry.level !== 'number') throw new SyntaxError('no log line')
  } catch {
    // Not of our logger: the many lines of a runtime that breaks down, say.
    return null
  }
  const level = entry.level as number
  if (level < WARN) return null
  const cause = entry.err?.message === undefined ? '' : `: ${String(entry.err.message)}`
  return `${name}: ${level >= ERROR ? 'error' : 'warning'}: ${String(entry.msg ?? '')}${cause}`
}

/** A logger whose warnings and errors a person reads on stderr, and whose every line `write` is given as JSON. */
export function terminalLogger(name: string, clock: Clock, write: (line: string) => void): ProcessLogger {
  const log = (level: number) => (fields: object, msg: string) => {
    const { err, ...rest } = fields as { err?: unknown }
    const cause = err instanceof Error ? { err: { message: err.message, stack: err.stack } } : {}
    const line = JSON.stringify({ level, time: new Date(clock.now()).toISOString(), role: name, ...rest, ...cause, msg })
    write(line)
    const human = toHuman(name, line)
    if (human !== null) process.stderr.write(`${human}\n`)
  }
  return { info: log(30), warn: log(WARN), error: log(ERROR) }
}
