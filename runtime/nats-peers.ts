/**
 * The other servers of a cluster, as far as a client can know them: by the addresses that it was given and those that its server names.
 *
 * A server greets whoever opens a connection with a line that holds its name and version, before any credentials; more is not asked here.
 */

import { connect } from 'node:net'
import type { Clock } from './clock.ts'
import type { ServerGreeting } from './log.ts'

const GREETS_WITHIN_MS = 1_000

/** The greetings of the servers at `addresses` (`host:port`), each server once; one that can't be reached is left out. */
export async function greetingsOf(addresses: Iterable<string>, clock: Clock): Promise<ServerGreeting[]> {
  const greetings = await Promise.all([...new Set(addresses)].map((address) => greetingOf(address, clock)))
  const found = greetings.filter((greeting) => greeting !== null)
  return found.filter(({ name, version }, i) => found.findIndex((other) => other.name === name && other.version === version) === i)
}

function greetingOf(address: string, clock: Clock): Promise<ServerGreeting | null> {
  const at = address.lastIndexOf(':')
  const socket = connect(Number(address.slice(at + 1)), address.slice(0, at).replace(/^\[|\]$/g, ''))
  return new Promise((resolve) => {
    let text = ''
    const end = (greeting: ServerGreeting | null) => {
      cancel()
      socket.destroy()
      resolve(greeting)
    }
    const cancel = clock.after(GREETS_WITHIN_MS, () => end(null))
    socket.on('error', () => end(null))
    socket.on('close', () => end(null))
    socket.on('data', (chunk) => {
      text += chunk
      if (!text.includes('\n')) return
      try {
        const { server_name, server_id, version } = JSON.parse(text.slice(text.indexOf('{'), text.indexOf('\n'))) as Record<string, string>
        end({ name: server_name || server_id || address, version: version ?? '' })
      } catch {
        end(null)
      }
    })
  })
}
