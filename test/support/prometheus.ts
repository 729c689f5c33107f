/** A real Prometheus with the configuration of deploy/prometheus, against a running Weir; its waits are cut short. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findPrometheus } from '../../deploy/prometheus.ts'
import { eventually, freePort } from './system.ts'

export interface Scraper {
  /** `data` of an answer of Prometheus' API. */
  ask<T>(path: string, parameters?: Record<string, string>): Promise<T>
  stop(): Promise<void>
}

export async function startPrometheus({ port, key }: { port: number; key: string }): Promise<Scraper> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-prometheus-'))
  cpSync(join(import.meta.dirname, '../../deploy/prometheus'), folder, { recursive: true })
  writeFileSync(join(folder, 'weir.key'), `${key}\n`)
  const config = join(folder, 'prometheus.yml')
  writeFileSync(config, readFileSync(config, 'utf8').replace(':8080/', `:${port}/`).replaceAll(/_interval: \d+s/g, '_interval: 1s'))
  const listens = await freePort()
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${listens}`]
  const child = spawn(findPrometheus()!.prometheus, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let output = ''
  child.stderr.on('data', (chunk) => (output += chunk))
  const exited = once(child, 'exit')
  const scraper: Scraper = {
    ask: async (path, parameters = {}) => {
      const answer = await fetch(`http://127.0.0.1:${listens}/api/v1/${path}?${new URLSearchParams(parameters)}`)
      const { status, data, error } = (await answer.json()) as { status: string; data: never; error?: string }
      if (status !== 'success') throw new Error(`${path} ${JSON.stringify(parameters)}: ${error}`)
      return data
    },
    stop: async () => {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await eventually('Prometheus answers', () => scraper.ask('status/runtimeinfo'))
  } catch (error) {
    await scraper.stop()
    throw new Error(output, { cause: error })
  }
  return scraper
}
