/**
 * Signatures of webhooks as Standard Webhooks has them (standardwebhooks.com, "Symmetric"): HMAC-SHA256 over id, time and body, so that a receiver
 * knows who sent it, that nothing was changed, and that it is not one of long ago.
 */

import { createHmac } from 'node:crypto'

const PREFIX = 'whsec_'
const BYTES_MIN = 24
const BYTES_MAX = 64

/** A secret is `whsec_` and 24 to 64 bytes in base64. */
export function isSecret(text: string): boolean {
  if (!text.startsWith(PREFIX) || !/^[A-Za-z0-9+/]+={0,2}$/.test(text.slice(PREFIX.length))) return false
  const { length } = keyOf(text)
  return length >= BYTES_MIN && length <= BYTES_MAX
}

export function secretOf(bytes: Uint8Array): string {
  return PREFIX + Buffer.from(bytes).toString('base64')
}

const keyOf = (secret: string) => Buffer.from(secret.slice(PREFIX.length), 'base64')

/** The value of `webhook-signature`. `timestamp`: epoch seconds. */
export function signatureOf({ secret, id, timestamp, body }: { secret: string; id: string; timestamp: number; body: string }): string {
  return `v1,${createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}
