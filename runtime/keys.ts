/**
 * Keys: who may do what, for which tenant.
 *
 * Owns the records of keys and the synchronous answer to "whose is this header". Leaves HTTP answers to http.ts, and what a role
 * may do to whoever asks for one.
 *
 * Like a cloakroom that keeps only the numbers of its tokens: what is stored is the SHA-256 of a secret, so that who reads the
 * bucket can't take anyone's coat.
 *
 * Invariants
 * - K1 A secret is shown once, by what made it; it is never stored, logged or listed.
 * - K2 `authenticate` answers from memory. The memory follows the bucket by a watch, so that a revocation holds everywhere
 *   as soon as the watch has brought it.
 * - K3 A rotated key keeps its id, tenant, role, prefixes and quota. Its old secret stops at once, unless a grace is asked for.
 */

import { createHash } from 'node:crypto'
import type { Clock } from './clock.ts'
import { ErrorCode, isOperating, OperatingError } from './errors.ts'
import { KEY_CACHE_MAX } from './limits.ts'
import type { KeyValue } from './log.ts'

export const ROLES = ['device', 'analyst', 'admin'] as const
/** `device` ingests, `analyst` reads, `admin` does everything in its tenant. */
export type Role = (typeof ROLES)[number]

export const DEFAULT_TENANT = 'default'

/** Who a request comes from. */
export interface Principal {
  readonly id: string
  readonly tenant: string
  readonly role: Role
  /** Device ids must start with one of these; empty: any device. */
  readonly prefixes: readonly string[]
  /** Readings a second of this key; left out: no bound of its own. */
  readonly quota?: number
}

/** What is kept of a key, under the SHA-256 of its secret. Times in epoch ms. */
export interface KeyRecord extends Principal {
  readonly createdAt: number
  /** From then on the secret is refused. In the future for an old secret within its grace. */
  readonly revokedAt?: number
}

interface Entry {
  record: KeyRecord
  revision: number
}

const TENANT = /^[A-Za-z0-9_.-]{1,64}$/
const PREFIX = /^[A-Za-z0-9._:/-]{1,128}$/
const SECRET = /^[\x21-\x7e]{8,256}$/
const HEADER = /^(?:Bearer|Token) +([\x21-\x7e]{8,256}) *$/i

export class Keyring {
  #kv: KeyValue
  #clock: Clock
  /** By hash of the secret. */
  #entries = new Map<string, Entry>()
  /** By header, of keys that were good: a cache that is emptied at each change and at its bound. */
  #headers = new Map<string, KeyRecord>()
  #unwatch: () => void = () => {}

  private constructor(kv: KeyValue, clock: Clock) {
    this.#kv = kv
    this.#clock = clock
  }

  /** Reads every key and follows the changes until `close`. */
  static async open(kv: KeyValue, clock: Clock): Promise<Keyring> {
    const keyring = new Keyring(kv, clock)
    keyring.#unwatch = await kv.watch((hash, value, revision) => keyring.#learn(hash, value, revision))
    return keyring
  }

  close(): void {
    this.#unwatch()
  }

  /** Whose key `Authorization: Bearer <key>` (or `Token <key>`) carries, or null where it is missing, unknown or revoked. */
  authenticate(authorizationHeader: string | null | undefined): Principal | null {
    if (!authorizationHeader) return null
    let record = this.#headers.get(authorizationHeader)
    if (record === undefined) {
      const secret = HEADER.exec(authorizationHeader)?.[1]
      if (secret === undefined) return null
      record = this.#entries.get(hashOf(secret))?.record
      if (record === undefined) return null
      if (this.#headers.size >= KEY_CACHE_MAX) this.#headers.clear()
      this.#headers.set(authorizationHeader, record)
    }
    return record.revokedAt === undefined || this.#clock.now() < record.revokedAt ? record : null
  }

  /** Makes a key and gives its secret, this once. Throws `config` on a bad tenant, role, prefix or quota. */
  async create(options: {
    tenant?: string
    role: Role
    prefixes?: readonly string[]
    quota?: number
  }): Promise<{ secret: string; record: KeyRecord }> {
    const record = this.#recordOf(this.#clock.nonce(6), options)
    const secret = this.#draw(record.role)
    await this.#store(hashOf(secret), record, 0)
    return { secret, record }
  }

  /**
   * Sees to it that `secret` is an admin's key: installs it where it is unknown. Throws `config` where it was revoked, or is
   * the key of another role.
   */
  async ensureAdminKey(options: { secret: string; tenant?: string }): Promise<{ record: KeyRecord; created: boolean }> {
    if (!SECRET.test(options.secret)) {
      throw refuse('install the admin key', 'it must be 8 to 256 visible characters', `its length is ${options.secret.length}`)
    }
    const hash = hashOf(options.secret)
    const record = this.#recordOf(this.#clock.nonce(6), { role: 'admin', tenant: options.tenant })
    for (;;) {
      const there = await this.#kv.get(hash)
      if (there !== null) {
        const known = parse(there.value)
        if (known.role !== 'admin' || known.revokedAt !== undefined) {
          throw refuse('use the admin key', 'it must be a key of role admin that is not revoked', `key ${known.id} is ${known.revokedAt === undefined ? known.role : 'revoked'}`)
        }
        this.#apply(hash, known, there.revision)
        return { record: known, created: false }
      }
      try {
        await this.#store(hash, record, 0)
        return { record, created: true }
      } catch (error) {
        if (!isOperating(error, ErrorCode.conflict)) throw error
      }
    }
  }

  /** Keys of `tenant` (of all tenants when left out), oldest first; revoked ones too. A rotated key is there once a secret. */
  list(tenant?: string): KeyRecord[] {
    const records = [...this.#entries.values()].map((entry) => entry.record)
    return records.filter((r) => tenant === undefined || r.tenant === tenant).sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
  }

  /**
   * Gives key `id` a new secret. The old one stops at once, or after `graceMs`, during which both hold.
   * Throws `config` where there is no such key, or it is revoked.
   */
  async rotate(id: string, options: { graceMs?: number } = {}): Promise<{ secret: string; record: KeyRecord }> {
    const nowMs = this.#clock.now()
    const old = this.#live(id, nowMs)
    if (old.length === 0) throw refuse('rotate the key', 'it must be the id of a key that is not revoked', id)
    const { revokedAt: _gone, ...same } = old[old.length - 1][1].record
    const record: KeyRecord = { ...same, createdAt: nowMs }
    const secret = this.#draw(record.role)
    await this.#store(hashOf(secret), record, 0)
    for (const [hash] of old) await this.#end(hash, nowMs + (options.graceMs ?? 0))
    return { secret, record }
  }

  /** Ends every secret of key `id` now. Throws `config` where there is no such key; a revoked one stays so. */
  async revoke(id: string): Promise<void> {
    const hashes = [...this.#entries].filter(([, entry]) => entry.record.id === id).map(([hash]) => hash)
    if (hashes.length === 0) throw refuse('revoke the key', 'it must be the id of a key', id)
    for (const hash of hashes) await this.#end(hash, this.#clock.now())
  }

  #live(id: string, nowMs: number): [string, Entry][] {
    return [...this.#entries]
      .filter(([, { record }]) => record.id === id && (record.revokedAt === undefined || nowMs < record.revokedAt))
      .sort((a, b) => a[1].record.createdAt - b[1].record.createdAt)
  }

  async #end(hash: string, atMs: number): Promise<void> {
    for (;;) {
      const there = await this.#kv.get(hash)
      if (there === null) return
      const record = parse(there.value)
      if (record.revokedAt !== undefined && record.revokedAt <= atMs) return
      try {
        return await this.#store(hash, { ...record, revokedAt: atMs }, there.revision)
      } catch (error) {
        if (!isOperating(error, ErrorCode.conflict)) throw error
      }
    }
  }

  async #store(hash: string, record: KeyRecord, revision: number): Promise<void> {
    const stored = await this.#kv.put(hash, new TextEncoder().encode(JSON.stringify(record)), revision)
    this.#apply(hash, record, stored)
  }

  #learn(hash: string, value: Uint8Array | null, revision: number): void {
    if (value === null) {
      this.#entries.delete(hash)
      this.#headers.clear()
      return
    }
    let record: KeyRecord
    try {
      record = parse(value)
    } catch {
      // Someone else's bytes in the bucket are no key, and must not keep the others from being read.
      return
    }
    this.#apply(hash, record, revision)
  }

  #apply(hash: string, record: KeyRecord, revision: number): void {
    const known = this.#entries.get(hash)
    if (known !== undefined && known.revision > revision) return
    this.#entries.set(hash, { record, revision })
    this.#headers.clear()
  }

  #draw(role: Role): string {
    return `weir_${role}_${this.#clock.nonce(24)}`
  }

  #recordOf(id: string, options: { tenant?: string; role: Role; prefixes?: readonly string[]; quota?: number }): KeyRecord {
    const { tenant = DEFAULT_TENANT, role, prefixes = [], quota } = options
    if (!TENANT.test(tenant)) throw refuse('make the key', 'its tenant must be 1 to 64 of A-Z a-z 0-9 _ . -', tenant)
    if (!ROLES.includes(role)) throw refuse('make the key', `its role must be one of ${ROLES.join(', ')}`, role)
    for (const prefix of prefixes) {
      if (!PREFIX.test(prefix)) throw refuse('make the key', 'a device prefix must be 1 to 128 of A-Z a-z 0-9 . _ : / -', prefix)
    }
    if (quota !== undefined && !(quota > 0 && Number.isFinite(quota))) throw refuse('make the key', 'its quota must be a number above 0', String(quota))
    return { id, tenant, role, prefixes: [...prefixes], ...(quota === undefined ? {} : { quota }), createdAt: this.#clock.now() }
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

function parse(value: Uint8Array): KeyRecord {
  const record = JSON.parse(new TextDecoder().decode(value)) as KeyRecord
  if (typeof record?.id !== 'string' || typeof record.tenant !== 'string' || !ROLES.includes(record.role) || !Array.isArray(record.prefixes)) {
    throw refuse('read a key', 'its record must have id, tenant, role and prefixes', 'another shape')
  }
  return record
}

function refuse(what: string, must: string, current: string): OperatingError {
  return new OperatingError(ErrorCode.config, `Cannot ${what} as ${must}: current value is ${current}`)
}
