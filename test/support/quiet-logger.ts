/** A logger that keeps what it is told, for tests to look at, and prints nothing. */

import { Writable } from 'node:stream'
import { pino } from 'pino'
import type { Logger } from '../../runtime/telemetry.ts'

export interface Line {
  level: number
  msg: string
  [field: string]: unknown
}

export function quietLogger(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  return { logger: pino({ level: 'debug', base: null }, stream), lines }
}
