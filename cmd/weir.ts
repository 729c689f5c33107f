#!/usr/bin/env node
/**
 * `weir <command>`: names the commands and hands over to the one asked for. Every command is a file beside this one that exports
 * `main(argv, env)` and also runs by itself, so that a supervisor or Deno can start a role directly.
 */

import { readFile } from 'node:fs/promises'
import process from 'node:process'
import type { Env } from '../runtime/config.ts'

interface Command {
  readonly summary: string
  load(): Promise<{ main(argv: string[], env: Env): Promise<unknown> }>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  up: { summary: 'runs the whole system on this machine: a log, an edge, workers, a store, a notifier', load: () => import('./up.ts') },
  edge: { summary: 'takes readings in over HTTP, and passes everything else on to a store', load: () => import('./edge.ts') },
  worker: { summary: 'processes its share of the partitions', load: () => import('./worker.ts') },
  store: { summary: 'keeps the lake, and serves the analytics API and the dashboard', load: () => import('./store.ts') },
  notifier: { summary: 'tells people of alerts, as their routes say', load: () => import('./notifier.ts') },
  lake: { summary: 'copies the lake, whole, while its store runs', load: () => import('./lake.ts') },
  keys: { summary: 'creates, lists, rotates and revokes API keys', load: () => import('./keys.ts') },
  views: { summary: 'lists and edits SELECTs whose rows are kept up to date', load: () => import('./views.ts') },
  rules: { summary: 'lists, edits and tries the rules by which alerts are raised', load: () => import('./rules.ts') },
  backfill: { summary: 'loads history from CSV, Parquet or JSON files, beside what is live', load: () => import('./backfill.ts') },
  simulate: { summary: 'feeds real weather and a simulated farm with faults in it', load: () => import('./simulate.ts') },
  replay: { summary: 'makes again what was committed and compares it; explains an anomaly or an alert', load: () => import('./replay.ts') },
  doctor: { summary: 'says in plain words what is wrong, and what to do about it', load: () => import('./doctor.ts') },
}

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length)) + 2
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`)
  return ['Usage: weir <command> [flags]', '', 'Commands:', ...lines, '', 'weir <command> --help names the flags of each; every flag has a WEIR_ variable.', ''].join('\n')
}

async function main(argv: string[], env: Env): Promise<void> {
  const [name, ...rest] = argv
  if (name === '--version' || name === '-v') {
    const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
    process.stdout.write(`${version}\n`)
    return
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(help())
    if (name === undefined) process.exitCode = 2
    return
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    process.stderr.write(`weir: Cannot run ${JSON.stringify(name)} as the command must be one of ${Object.keys(COMMANDS).join(', ')}\n`)
    process.exitCode = 2
    return
  }
  await (await command.load()).main(rest, env)
}

await main(process.argv.slice(2), process.env)
