/**
 * Where alerts may be sent to, as the operator of the installation says: routes are written by tenants' admins, and what they name is connected to from
 * within the operator's network (server-side request forgery, OWASP).
 *
 * Owns the list and the look at addresses. Leaves connecting to targets/.
 *
 * - R1 What is connected to is an address that was looked at here, not a name: a name that leads elsewhere a moment later leads nowhere.
 * - R2 Link-local addresses, those of clouds' metadata services, and those of no single host are allowed where the list names them by address alone.
 * - R3 Without a list all others are allowed, those of the machine and of its network among them: receivers of a farm stand there. With one, nothing else is.
 */

import { lookup as lookUp } from 'node:dns/promises'
import type { LookupAddress } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import { OperatingError } from '../../runtime/errors.ts'

/** A host that may not be sent to: no retry helps until the operator says otherwise. */
export class ReachError extends Error {
  constructor(host: string, must: string) {
    super(`Cannot send to ${host} as ${must}`)
    this.name = 'ReachError'
  }
}

export interface Reach {
  /** Addresses of a host (a name, or an address as URLs have it) that may be connected to; never none. Throws `ReachError`, or what the look-up throws. */
  addressesOf(host: string): Promise<readonly LookupAddress[]>
}

/** Link-local, in IPv6 also as one that leads there; metadata services outside of it; what is no single host. */
const NEVER = [
  '169.254.0.0/16', 'fe80::/10', '64:ff9b::a9fe:0/112', '2002:a9fe::/32', '::a9fe:0/112', 'fd00:ec2::254/128', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32',
  '0.0.0.0/8', '::/128', '224.0.0.0/4', '240.0.0.0/4', 'ff00::/8',
]
const NAME = /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/

/**
 * The reach of a list: names, `*.` and a name for all below it, addresses and CIDR, with commas between; null: everything but R2. Throws `OperatingError` `config`.
 *
 * @example
 * reachOf('hooks.example.org, *.example.com, 10.20.0.0/16')
 */
export function reachOf(list: string | null, resolve: (host: string) => Promise<readonly LookupAddress[]> = (host) => lookUp(host, { all: true })): Reach {
  const never = blockOf(NEVER)
  const entries = list === null ? null : list.split(',').map((entry) => entry.trim().toLowerCase()).filter((entry) => entry !== '')
  const networks = (entries ?? []).filter(isNetwork)
  const names = (entries ?? []).filter((entry) => !isNetwork(entry))
  const wrong = names.find((entry) => !NAME.test(entry))
  if (wrong !== undefined) throw new OperatingError('config', `Cannot read where alerts may be sent to as each entry must be a name, *. and a name, an address or CIDR, with commas between: current value is ${wrong}`)
  const allowed = blockOf(networks)
  return {
    async addressesOf(host) {
      const bare = host.replace(/^\[|\]$/g, '').replace(/\.$/, '').toLowerCase()
      const family = isIP(bare)
      const isNamed = entries === null || names.some((name) => (name.startsWith('*.') ? bare.endsWith(name.slice(1)) : bare === name))
      // What no network and no name allows is not even looked up.
      if (!isNamed && networks.length === 0) throw new ReachError(host, NOT_LISTED)
      const found = family > 0 ? [{ address: bare, family }] : await resolve(bare)
      const isIn = (block: BlockList, { address, family: of }: LookupAddress) => block.check(address.replace(/%.*/, ''), of === 6 ? 'ipv6' : 'ipv4')
      const passed = found.filter((one) => isIn(allowed, one) || (isNamed && !isIn(never, one)))
      if (passed.length === 0) throw new ReachError(host, isNamed ? BAD_ADDRESS : NOT_LISTED)
      return passed
    },
  }
}

/** Gives a socket the addresses that were looked at, in place of a look-up of its own. */
export function lookupOf(addresses: readonly LookupAddress[]): LookupFunction {
  return (_, { all }, found) => (all ? found(null, [...addresses]) : found(null, addresses[0].address, addresses[0].family))
}

const NOT_LISTED = "the operator's list of hosts that alerts may be sent to (--notify-allow of the notifier) must name it"
const BAD_ADDRESS = 'its address must be of a host of its own: it is link-local, or of a metadata service, or of no single host'

function isNetwork(entry: string): boolean {
  const [address, bits, ...more] = entry.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
}

function blockOf(networks: readonly string[]): BlockList {
  const block = new BlockList()
  for (const network of networks) {
    const [address, bits] = network.split('/')
    const isSix = isIP(address) === 6
    block.addSubnet(address, bits === undefined ? (isSix ? 128 : 32) : Number(bits), isSix ? 'ipv6' : 'ipv4')
  }
  return block
}

/** The host that a target is reached at, and the place in its document that names it; null of one that needs no connection of its own. */
export function hostOf(target: { readonly kind: string; readonly url?: string; readonly server?: string }): { readonly host: string; readonly pointer: string } | null {
  const address = target.url ?? target.server
  if (address === undefined) return null
  return { host: new URL(address).hostname, pointer: `/target/${target.kind}/${target.url === undefined ? 'server' : 'url'}` }
}
