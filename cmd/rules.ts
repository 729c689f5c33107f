/**
 * `weir rules list|put|delete|try`: the rules by which alerts are raised, through the interface of a running system. Exit code 1: it refused.
 */

import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { CONDITIONS_HELP } from '../actors/alert/document-conditions.ts'
import { askApi, columnsOf } from '../runtime/ask-api.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, Flags, FlagSpec } from '../runtime/config.ts'
import { isOperating, OperatingError } from '../runtime/errors.ts'

const SPEC = {
  url: { type: 'string', default: 'http://127.0.0.1:8080', help: 'edge or store to ask' },
  key: { type: 'string', default: null, help: 'key of an admin, to list and try of an analyst; without it, that in <data>/admin.key' },
  data: { type: 'string', default: './data', help: 'data folder of weir up, for its admin key' },
  from: { type: 'string', default: '-7d', help: 'try: earliest time, RFC 3339, epoch ms, or before now as -7d' },
  to: { type: 'string', default: '', help: 'try: latest time, in the same forms; now by default' },
  revision: { type: 'number', default: null, integer: true, min: 0, help: 'put, delete: the revision that must still hold, 0 for no such rule yet; any by default' },
  json: { type: 'boolean', default: false, help: 'print JSON' },
} as const satisfies FlagSpec

const SUMMARY = `Lists, edits and tries the rules by which alerts are raised. FILE holds a rule as JSON; - is the standard input.\n\nIts when is ${CONDITIONS_HELP}.`
const ARGS = { usage: 'list | put ID FILE | delete ID | try ID [FILE]', min: 1, max: 3 } as const
/** Arguments behind each action, at least and at most. */
const BEHIND: Readonly<Record<string, readonly [number, number]>> = { list: [0, 0], put: [2, 2], delete: [1, 1], try: [1, 2] }

interface Listed {
  readonly rules: readonly { id: string; revision: number; in_force: boolean; rule: { name?: string; select: object } }[]
}
interface Tried {
  readonly alerts: number
  readonly series: number
  readonly readings: number
  readonly known: number
  readonly met: number
  readonly events: readonly { at: string; device: string; event: string; severity: string; message: string }[]
}

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('rules', SUMMARY, SPEC, argv, env, ARGS)
  const [action, ...behind] = flags._
  const bounds = Object.hasOwn(BEHIND, action) ? BEHIND[action] : null
  if (bounds === null || behind.length < bounds[0] || behind.length > bounds[1]) {
    process.stderr.write(`weir rules: Cannot go on as the arguments must be one of ${ARGS.usage}\n`)
    process.exitCode = 2
    return
  }
  try {
    process.stdout.write(`${await act(action, behind, flags)}\n`)
  } catch (error) {
    if (!isOperating(error)) throw error
    process.stderr.write(`weir rules: ${error.message}\n`)
    process.exitCode = 1
  }
}

async function act(action: string, [id, file]: readonly string[], flags: Flags<typeof SPEC>): Promise<string> {
  const path = `/v1/rules/${encodeURIComponent(id ?? '')}`
  if (action === 'list') return listed((await askApi(flags, 'GET', '/v1/rules')) as Listed, flags.json)
  if (action === 'delete') {
    await askApi(flags, 'DELETE', path)
    return flags.json ? JSON.stringify({ id, deleted: true }) : `Rule ${id} is gone; what it had open is resolved.`
  }
  const body = file === undefined ? undefined : await readRule(file)
  if (action === 'put') {
    const stored = (await askApi(flags, 'PUT', path, body)) as { revision: number }
    return flags.json ? JSON.stringify(stored) : `Rule ${id} is stored as revision ${stored.revision}.`
  }
  const range = new URLSearchParams({ from: flags.from, ...(flags.to === '' ? {} : { to: flags.to }) })
  const tried = (await askApi(flags, 'POST', `${path}/try?${range}`, body)) as Tried
  if (flags.json) return JSON.stringify(tried)
  const { alerts, series, readings, known, met, events } = tried
  const lines = events.map(({ at, device, event, severity, message }) => `${at}  ${event.padEnd(12)} ${severity.padEnd(9)} ${device}  ${message}`)
  return [...lines, `${alerts} alerts of ${series} series, over ${readings} readings; the rule did raise ${known} in that time, of which ${met} of these met one.`].join('\n')
}

function listed(answer: Listed, asJson: boolean): string {
  if (asJson) return JSON.stringify(answer)
  const rows = [['ID', 'REVISION', 'IN FORCE', 'NAME', 'SELECTS'], ...answer.rules.map((r) => [r.id, String(r.revision), r.in_force ? 'yes' : 'not yet', r.rule.name ?? '-', JSON.stringify(r.rule.select)])]
  return columnsOf(rows)
}

async function readRule(file: string): Promise<string> {
  try {
    if (file !== '-') return await readFile(file, 'utf8')
    const parts: Uint8Array[] = []
    for await (const part of process.stdin) parts.push(part as Uint8Array)
    return Buffer.concat(parts).toString()
  } catch (cause) {
    throw new OperatingError('config', `Cannot read the rule as ${file} must be readable: ${(cause as Error).message}`, { cause })
  }
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
