/**
 * `weir up`: the whole system on this machine, from one command (actors/machine/system.ts), and what the person who started it reads.
 */

import { join, relative, resolve } from 'node:path'
import process from 'node:process'
import { System } from '../actors/machine/system.ts'
import { adminKeyPath } from '../runtime/admin-key.ts'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { DRAIN_MAX_MS } from '../runtime/limits.ts'
import { LogFile } from '../runtime/log-file.ts'
import { runProcess } from '../runtime/process.ts'
import { terminalLogger } from '../runtime/terminal.ts'

const SPEC = {
  data: { type: 'string', default: './data', help: 'folder of everything that is kept' },
  host: { type: 'string', default: '127.0.0.1', help: 'address that the edge listens on' },
  port: { type: 'number', default: 8080, integer: true, min: 1, max: 65_535, help: 'port that the edge listens on' },
  nats: { type: 'string', default: null, help: 'outer servers, nats://user:password@host:port, in place of the embedded one' },
  workers: { type: 'number', default: 2, integer: true, min: 1, max: 64, help: 'worker processes' },
  threads: { type: 'number', default: 1, integer: true, min: 1, max: 64, help: 'threads of each worker' },
  partitions: { type: 'number', default: null, integer: true, min: 1, max: 1024, help: 'partitions, fixed at the first start: 16, or 64 with outer servers' },
  replicas: { type: 'number', default: 1, integer: true, min: 1, max: 5, help: 'copies that outer servers keep of the log, fixed at the first start' },
  logBytes: { type: 'bytes', default: null, help: 'what the log may take on disk, fixed at the first start; without it, what its server allows' },
  sync: { type: 'string', default: 'interval', choices: ['interval', 'always'], help: 'when the embedded log syncs to disk: always survives a power cut' },
  syncInterval: { type: 'duration', default: null, help: 'how often it syncs where not always: what a power cut may cost; 2m unless said otherwise' },
  lateness: { type: 'duration', default: '5s', help: 'how long a window waits for disorder' },
  idle: { type: 'duration', default: '60s', help: 'quiet time after which the windows of a series close' },
  retention: { type: 'duration', default: 0, help: 'age at which readings leave the lake; 0 for never' },
  retentionBytes: { type: 'bytes', default: 0, help: 'size that the lake may have: beyond it its oldest days leave; 0 for no bound' },
  actors: { type: 'string', default: null, help: 'own actors that the first worker runs: files, separated by commas, and farm for the advice on plots' },
  notifyAllow: { type: 'string', default: null, help: 'hosts that alerts may be sent to, as weir notifier takes them; without it, all but link-local and metadata addresses' },
  demo: { type: 'boolean', default: false, help: 'feeds it real weather and a simulated farm' },
} as const satisfies FlagSpec

export async function main(argv: string[], env: Env): Promise<void> {
  const { data, lateness, idle, retention, ...flags } = readFlags('up', 'Runs the whole system on this machine, and keeps it running.', SPEC, argv, env)
  const dataDir = resolve(data)
  const file = new LogFile(join(dataDir, 'logs', 'up.log'))
  const logger = terminalLogger('up', systemClock, (line) => file.write(line))
  await runProcess({
    title: 'weir-up',
    logger,
    // Its groups of processes drain one after the other, each within its own bound.
    drainMs: 6 * DRAIN_MAX_MS,
    start: async (signal) => {
      const settings = { latenessMs: lateness, idleMs: idle, retentionMs: retention }
      const root = resolve(import.meta.dirname, '..')
      const say = (line: string) => void process.stderr.write(`${line}\n`)
      const system = new System({ ...flags, dataDir, settings, root, env, clock: systemClock, logger, say })
      try {
        const key = await system.start(signal)
        const keyFrom = env.WEIR_ADMIN_KEY ? 'WEIR_ADMIN_KEY' : adminKeyPath(dataDir)
        void system.ready(signal).then((ready) => ready && process.stdout.write(welcome({ url: system.url, key, dataDir, keyFrom })))
      } catch (error) {
        await system.stop()
        throw error
      }
      return {
        stop: async () => {
          process.stdout.write('\nWeir drains and stops.\n')
          await system.stop()
        },
      }
    },
  })
}

/** Paths below the working folder as a person would write them. */
function near(path: string): string {
  const way = relative(process.cwd(), path)
  return way.startsWith('..') ? path : way
}

function welcome({ url, key, dataDir, keyFrom }: { url: string; key: string; dataDir: string; keyFrom: string }): string {
  return `
Weir is up.

  dashboard   ${url}/#key=${key}
  API         ${url}/docs
  admin key   ${key}  (${near(keyFrom)})
  SQL         duckdb -readonly ${near(join(dataDir, 'lake', 'weir.duckdb'))}
  logs        ${near(join(dataDir, 'logs'))}

Send it a reading:

  curl -i ${url}/v1/readings -H 'Authorization: Bearer ${key}' \\
    -H 'Content-Type: application/json' -d '{"device": "field-7/probe-2", "metric": "soil_moisture", "value": 23.4}'

Ctrl-C stops it; nothing that was accepted is lost.

`
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
