/**
 * E-mail by SMTP (nodemailer): a plain text whose Message-ID is made of the message's id, so that mail programs show one that came twice once.
 *
 * - M1 A server that offers TLS is spoken to by it; where there is a password, one that offers none is not told it.
 * - M2 The connection goes to an address that ../reach.ts has looked at; certificates are held against the name.
 */

import { isIP } from 'node:net'
import { NOTIFY_ANSWER_MAX_MS } from '../../../runtime/limits.ts'
import type { Sender } from '../outgoing.ts'
import { ReachError } from '../reach.ts'
import type { Reach } from '../reach.ts'

export const emailSender = (reach: Reach): Sender<'email'> => async ({ to, from, server, user, password }, { id, title, text, route }) => {
  const { hostname, port, protocol } = new URL(server)
  const secure = protocol === 'smtps:'
  const name = hostname.replace(/^\[|\]$/g, '')
  let address: string
  try {
    const addresses = await reach.addressesOf(hostname)
    ;({ address } = addresses.find(({ family }) => family === 4) ?? addresses[0])
  } catch (error) {
    return { kind: 'away', error: error instanceof ReachError ? error.message : `the mail server could not be found: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}` }
  }
  // Loaded when the first mail is sent: most notifiers send none.
  const { createTransport } = await import('nodemailer')
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  const transport = createTransport({
    host: address,
    ...(isIP(name) > 0 ? {} : { tls: { servername: name } }),
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    requireTLS: !secure && password !== null && !isHere,
    ...(user === null ? {} : { auth: { user, pass: password! } }),
    connectionTimeout: NOTIFY_ANSWER_MAX_MS,
    greetingTimeout: NOTIFY_ANSWER_MAX_MS,
    socketTimeout: NOTIFY_ANSWER_MAX_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  try {
    await transport.sendMail({ from, to: [...to], subject: title, text: `${text}\n\n-- \nWeir, route ${route}\n`, messageId: `<${id}@weir>`, headers: { 'X-Weir-Id': id, 'Auto-Submitted': 'auto-generated' } })
    return { kind: 'taken' }
  } catch (error) {
    const { responseCode, message } = error as Error & { responseCode?: number }
    // The mail server has refused this one (RFC 5321, 4.2.1): what it says may be about the message, or the address, and another may pass.
    const refused = responseCode !== undefined && responseCode >= 500
    return { kind: refused ? 'refused' : 'away', error: `the mail server did not take it: ${message.slice(0, 200)}` }
  } finally {
    transport.close()
  }
}
