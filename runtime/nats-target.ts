/** Reads the `--nats` of a command line: addresses, credentials, inbox prefix. */

import type { NodeConnectionOptions } from '@nats-io/transport-node'
import { ErrorCode, OperatingError } from './errors.ts'

export interface NatsTarget {
  readonly options: NodeConnectionOptions
  readonly inboxPrefix?: string
  /** Without credentials. */
  readonly shown: string
}

/** Throws `config` on what is no list of addresses. */
export function parseServers(list: string): NatsTarget {
  const servers: string[] = []
  let options: NodeConnectionOptions = {}
  let inboxPrefix: string | undefined
  for (const part of list.split(',').map((s) => s.trim()).filter((s) => s !== '')) {
    let url: URL
    try {
      url = new URL(part.includes('://') ? part : `nats://${part}`)
    } catch (cause) {
      throw new OperatingError(
        ErrorCode.config,
        'Cannot connect as each of --nats must be a URL like nats://user:password@host:4222',
        { cause },
      )
    }
    if (url.protocol !== 'nats:' && url.protocol !== 'tls:') {
      throw new OperatingError(
        ErrorCode.config,
        `Cannot connect as each of --nats must start with nats:// or tls://: current value is ${url.protocol}//`,
      )
    }
    servers.push(`${url.hostname}:${url.port === '' ? 4222 : url.port}`)
    if (url.protocol === 'tls:') options = { ...options, tls: {} }
    if (url.username !== '' && options.user === undefined && options.token === undefined) {
      const user = decodeURIComponent(url.username)
      options = url.password === '' ? { ...options, token: user } : { ...options, user, pass: decodeURIComponent(url.password) }
    }
    inboxPrefix ??= url.searchParams.get('inbox') ?? undefined
  }
  if (servers.length === 0) throw new OperatingError(ErrorCode.config, 'Cannot connect as --nats must name a server: it is empty')
  return { options: { ...options, servers }, inboxPrefix, shown: servers.join(', ') }
}
