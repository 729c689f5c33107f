/**
 * `weir views list|put|show|delete`: SELECTs that are kept up to date, through the interface of a running system. Exit code 1: it refused.
 */

import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { askApi, columnsOf } from '../runtime/ask-api.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, Flags, FlagSpec } from '../runtime/config.ts'
import { isOperating, OperatingError } from '../runtime/errors.ts'

const SPEC = {
  url: { type: 'string', default: 'http://127.0.0.1:8080', help: 'edge or store to ask' },
  key: { type: 'string', default: null, help: 'key of an admin, to list and show of an analyst; without it, that in <data>/admin.key' },
  data: { type: 'string', default: './data', help: 'data folder of weir up, for its admin key' },
  revision: { type: 'number', default: null, integer: true, min: 1, help: 'put, delete: the revision of all views that must still hold; any by default' },
  json: { type: 'boolean', default: false, help: 'print JSON' },
} as const satisfies FlagSpec

const ARGS = { usage: 'list | put NAME FILE | show NAME | delete NAME', min: 1, max: 3 } as const
/** Arguments behind each action. */
const BEHIND: Readonly<Record<string, number>> = { list: 0, put: 2, show: 1, delete: 1 }

interface Shown {
  readonly name: string
  readonly sql: string
  readonly columns: readonly { name: string; type: string }[]
  readonly parts: { readonly readings: number; readonly made: number; readonly failed: string | null }
}

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('views', 'Lists and edits views that are kept up to date. FILE holds one SELECT; - is the standard input.', SPEC, argv, env, ARGS)
  const [action, ...behind] = flags._
  if (!Object.hasOwn(BEHIND, action) || behind.length !== BEHIND[action]) {
    process.stderr.write(`weir views: Cannot go on as the arguments must be one of ${ARGS.usage}\n`)
    process.exitCode = 2
    return
  }
  try {
    process.stdout.write(`${await act(action, behind, flags)}\n`)
  } catch (error) {
    if (!isOperating(error)) throw error
    process.stderr.write(`weir views: ${error.message}\n`)
    process.exitCode = 1
  }
}

async function act(action: string, [name = '', file = '']: readonly string[], flags: Flags<typeof SPEC>): Promise<string> {
  const path = `/v1/views/${encodeURIComponent(name)}`
  if (action === 'list') {
    const listed = (await askApi(flags, 'GET', '/v1/views')) as { views: Shown[] }
    return flags.json ? JSON.stringify(listed) : columnsOf([['NAME', 'STORED', 'COLUMNS'], ...listed.views.map((view) => [view.name, storedOf(view), view.columns.map((of) => of.name).join(', ')])])
  }
  if (action === 'delete') {
    await askApi(flags, 'DELETE', path)
    return flags.json ? JSON.stringify({ name, deleted: true }) : `View ${name} is gone.`
  }
  const view = (action === 'put' ? await askApi(flags, 'PUT', path, JSON.stringify({ sql: await readSql(file) })) : await askApi(flags, 'GET', path)) as Shown
  if (flags.json) return JSON.stringify(view)
  if (action === 'put') return `View ${name} is kept from now on: SELECT * FROM ${name}`
  return [view.sql.trim(), '', ...view.columns.map((of) => `${of.name}  ${of.type}`), '', `Stored: ${storedOf(view)}`].join('\n')
}

function storedOf({ parts: { readings, made, failed } }: Shown): string {
  const share = readings === 0 ? 'nothing to store yet' : `parts of ${made.toLocaleString('en')} of ${readings.toLocaleString('en')} readings`
  return failed === null ? share : `${share}; ${failed}`
}

async function readSql(file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')
  } catch (cause) {
    throw new OperatingError('config', `Cannot read the view as ${file} must be readable: ${(cause as Error).message}`, { cause })
  }
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
