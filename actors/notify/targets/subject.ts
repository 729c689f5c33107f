/**
 * Alerts on the log's own servers: the JSON of a message on the subject `alerts.<tenant>.<route>`.
 *
 * Plainly published it reaches who listens at that moment, and counts as delivered. With `stored` a stream of the installation's operator must take it
 * (one on `alerts.>`, say): it is sent until JetStream has acknowledged it.
 */

import type { Connection } from '../../../runtime/log.ts'
import { isOperating } from '../../../runtime/errors.ts'
import { ALERTS } from '../../../runtime/nats-roles.ts'
import type { Sender } from '../outgoing.ts'

/** A part of a subject: signs that part subjects, or stand for others, are written as in URLs. */
export const subjectPart = (text: string) => Array.from(new TextEncoder().encode(text), (byte) => (/[A-Za-z0-9_-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`)).join('')

export function subjectSender(connection: Pick<Connection, 'log' | 'bus' | 'connected'>): Sender<'nats'> {
  return async ({ stored }, { tenant, route, body }) => {
    const subject = `${ALERTS}.${subjectPart(tenant)}.${subjectPart(route)}`
    const data = new TextEncoder().encode(body)
    try {
      if (stored) await connection.log.publish(subject, data)
      else if (connection.connected()) connection.bus.send(subject, data)
      else return { kind: 'away', error: 'the connection to the log is down' }
      return { kind: 'taken' }
    } catch (error) {
      if (!isOperating(error)) throw error
      return { kind: 'away', error: `no stream has taken ${subject}: ${error.message}` }
    }
  }
}
