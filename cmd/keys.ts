/**
 * `weir keys create|list|rotate|revoke`: makes and ends API keys. A secret is printed once, by what makes it, and kept nowhere.
 */

import process from 'node:process'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, Flags, FlagSpec } from '../runtime/config.ts'
import { isOperating } from '../runtime/errors.ts'
import { DEFAULT_TENANT, Keyring, ROLES } from '../runtime/keys.ts'
import type { KeyRecord } from '../runtime/keys.ts'
import { embeddedNatsUrl } from '../runtime/nats-address.ts'
import { connectNats } from '../runtime/nats-log.ts'
import { BUCKET_KEYS } from '../runtime/topology.ts'

const SPEC = {
  data: { type: 'string', default: './data', help: 'data folder of a running weir up' },
  nats: { type: 'string', default: null, help: 'outer servers, nats://user:password@host:port, in place of those of the data folder' },
  tenant: { type: 'string', default: DEFAULT_TENANT, help: 'create, list: whose keys' },
  role: { type: 'string', default: 'device', choices: ROLES, help: 'create: device writes, analyst reads, admin does both' },
  prefix: { type: 'string', default: null, help: 'create: device ids must start with this, or one of these, separated by commas' },
  quota: { type: 'number', default: null, min: 1, help: 'create: readings a second of this key, through all edges together' },
  grace: { type: 'duration', default: 0, help: 'rotate: how long the old secret holds beside the new one; at once it ends by default' },
  json: { type: 'boolean', default: false, help: 'print JSON' },
} as const satisfies FlagSpec

const ARGS = { usage: 'create | list | rotate ID | revoke ID', min: 1, max: 2 } as const

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('keys', 'Creates, lists, rotates and revokes API keys.', SPEC, argv, env, ARGS)
  const [action, id] = flags._
  if (!['create', 'list', 'rotate', 'revoke'].includes(action)) return usage(`Cannot ${action} as it must be one of create, list, rotate, revoke`)
  const needsId = action === 'rotate' || action === 'revoke'
  if (needsId !== (id !== undefined)) return usage(`Cannot ${action} as it must ${needsId ? 'be followed by the id of a key (see weir keys list)' : 'stand alone'}`)
  try {
    const servers = flags.nats ?? (await embeddedNatsUrl(flags.data, 'admin'))
    const connection = await connectNats({ servers, name: 'weir-keys', clock: systemClock })
    const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
    try {
      process.stdout.write(`${await act(keyring, action, id, flags)}\n`)
    } finally {
      keyring.close()
      await connection.close()
    }
  } catch (error) {
    if (!isOperating(error)) throw error
    process.stderr.write(`weir keys: ${error.message}\n`)
    process.exitCode = 1
  }
}

async function act(keyring: Keyring, action: string, id: string | undefined, flags: Flags<typeof SPEC>): Promise<string> {
  const { tenant, role, prefix, quota, grace, json } = flags
  if (action === 'list') {
    const keys = keyring.list(tenant)
    return json ? JSON.stringify(keys) : table(keys)
  }
  if (action === 'revoke') {
    await keyring.revoke(id!)
    return json ? JSON.stringify({ id, revoked: true }) : `Key ${id} is revoked.`
  }
  const { secret, record } =
    action === 'rotate'
      ? await keyring.rotate(id!, { graceMs: grace })
      : await keyring.create({ tenant, role, prefixes: prefix === null ? [] : prefix.split(',').map((p) => p.trim()), quota: quota ?? undefined })
  if (json) return JSON.stringify({ ...record, secret })
  const old = action === 'rotate' ? `\nThe old secret ${grace > 0 ? `ends in ${grace / 1000} s` : 'has ended'}.` : ''
  return `${secret}\nKey ${record.id}, ${record.role} of tenant ${record.tenant}. Keep the line above: it is shown this once.${old}`
}

function table(keys: readonly KeyRecord[]): string {
  const at = (ms: number) => new Date(ms).toISOString().slice(0, 19) + 'Z'
  const state = (k: KeyRecord) => (k.revokedAt === undefined ? 'valid' : k.revokedAt > systemClock.now() ? `until ${at(k.revokedAt)}` : `revoked ${at(k.revokedAt)}`)
  const rows = [['ID', 'ROLE', 'CREATED', 'STATE', 'PREFIXES', 'QUOTA']]
  for (const k of keys) rows.push([k.id, k.role, at(k.createdAt), state(k), k.prefixes.join(',') || '-', k.quota === undefined ? '-' : `${k.quota}/s`])
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd()).join('\n')
}

function usage(message: string): void {
  process.stderr.write(`weir keys: ${message}\n`)
  process.exitCode = 2
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
