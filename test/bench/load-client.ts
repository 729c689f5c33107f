/** Starts the load generator (load.ts) as a process of its own, and gives what it says at its end. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ADMIN_KEY } from '../support/system.ts'

export interface Loaded {
  accepted: number
  refused: number
  lost: number
  seconds: number
}

export interface LoadOptions {
  /** `columns`, `json` or `single`. */
  readonly kind: string
  readonly seconds: number
  readonly connections: number
  /** Readings a second; 0 for as many as are answered. */
  readonly rate?: number
  readonly key?: string
}

export function load(url: string, { kind, seconds, connections, rate = 0, key = ADMIN_KEY }: LoadOptions): Promise<Loaded> {
  return new Promise((resolve, reject) => {
    const args = [join(import.meta.dirname, 'load.ts'), url, key, kind, String(seconds), String(connections), String(rate)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('exit', () => resolve(JSON.parse(output)))
  })
}
