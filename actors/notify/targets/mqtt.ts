/**
 * MQTT (3.1.1, OASIS): the JSON of a message to a topic of a broker, at least once (QoS 1): it counts as delivered when the broker has acknowledged it.
 *
 * Owns the five packets that this takes (sections 3.1 to 3.4 and 3.14), and a connection for each message, since alerts are rare. Subscribing, sessions and
 * keeping alive are of no use here.
 */

import { connect as connectTcp, isIP } from 'node:net'
import type { LookupFunction, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Clock } from '../../../runtime/clock.ts'
import { NOTIFY_ANSWER_MAX_MS } from '../../../runtime/limits.ts'
import type { Outcome } from '../desk.ts'
import type { Sender } from '../outgoing.ts'
import { lookupOf, ReachError } from '../reach.ts'
import type { Reach } from '../reach.ts'

const CONNECT = 0x10
const CONNACK = 0x20
/** With QoS 1. */
const PUBLISH = 0x32
const PUBACK = 0x40
const DISCONNECT = Uint8Array.of(0xe0, 0)
const PACKET_ID = Uint8Array.of(0, 1)
/** What CONNACK says (section 3.2.2.3). */
const REFUSALS = ['', 'it speaks another version', 'it does not take the name of this client', 'it is not available', 'user or password are wrong', 'this user may not']
const NOT_AVAILABLE = 3

function packet(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts)
  const length: number[] = []
  for (let left = body.byteLength; ; ) {
    length.push((left % 128) + (left >= 128 ? 128 : 0))
    left = Math.floor(left / 128)
    if (left === 0) break
  }
  return Buffer.concat([Uint8Array.of(type, ...length), body])
}

/** A text, or bytes, with its length before it. */
function field(text: string): Uint8Array {
  const bytes = Buffer.from(text)
  return Buffer.concat([Uint8Array.of(bytes.byteLength >> 8, bytes.byteLength & 255), bytes])
}

export function connectPacket({ client, user, password }: { client: string; user: string | null; password: string | null }): Uint8Array {
  const flags = 0x02 | (user === null ? 0 : 0x80) | (password === null ? 0 : 0x40)
  const named = [client, user, password].filter((text) => text !== null).map(field)
  return packet(CONNECT, field('MQTT'), Uint8Array.of(4, flags, 0, 0), ...named)
}

export function publishPacket(topic: string, payload: string): Uint8Array {
  return packet(PUBLISH, field(topic), PACKET_ID, Buffer.from(payload))
}

export function mqttSender(clock: Clock, reach: Reach): Sender<'mqtt'> {
  return async ({ url, topic, user, password }, { id, body }, signal) => {
    let lookup: LookupFunction
    try {
      lookup = lookupOf(await reach.addressesOf(new URL(url).hostname))
    } catch (error) {
      return { kind: 'away', error: error instanceof ReachError ? error.message : `the broker could not be found: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}` }
    }
    return new Promise<Outcome>((resolve) => {
      const { hostname, port, protocol } = new URL(url)
      const host = hostname.replace(/^\[|\]$/g, '')
      const isTls = protocol === 'mqtts:'
      const address = { host, lookup, port: port === '' ? (isTls ? 8_883 : 1_883) : Number(port) }
      const begin = () => socket.write(connectPacket({ client: `weir${id.replace(/[^A-Za-z0-9]/g, '').slice(0, 18)}`, user, password }))
      const socket: Socket = isTls ? connectTls({ ...address, ...(isIP(host) > 0 ? {} : { servername: host }) }, begin) : connectTcp(address, begin)
      let heard = Buffer.alloc(0)
      const end = (outcome: Outcome) => {
        cancel()
        signal.removeEventListener('abort', cut)
        socket.destroy()
        resolve(outcome)
      }
      const away = (why: string) => end({ kind: 'away', error: `the broker could not be reached: ${why}` })
      const cut = () => away('this process ends')
      const cancel = clock.after(NOTIFY_ANSWER_MAX_MS, () => away(`no answer within ${NOTIFY_ANSWER_MAX_MS / 1_000} s`))
      signal.addEventListener('abort', cut)
      socket.on('error', (error: NodeJS.ErrnoException) => away(error.code ?? error.message))
      socket.on('close', () => away('it closed the connection'))
      let isConnected = false
      socket.on('data', (part) => {
        heard = Buffer.concat([heard, part])
        // Both answers have four bytes.
        if (heard.byteLength < 4) return
        const [type, , flags, code] = heard
        heard = heard.subarray(4)
        if (!isConnected && type === CONNACK) {
          if (code !== 0) return end({ kind: code === NOT_AVAILABLE ? 'away' : 'refused', error: `the broker refuses: ${REFUSALS[code] ?? code}` })
          isConnected = true
          socket.write(publishPacket(topic, body))
        } else if (isConnected && type === PUBACK && (flags << 8) + code === 1) {
          socket.write(DISCONNECT, () => end({ kind: 'taken' }))
        } else away('it answered with something else')
      })
    })
  }
}
