/** Starts the load generator (load.ts) as a process of its own, and gives what it says at its end. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ADMIN_KEY } from '../support/system.ts'
import type { Loaded, LoadOrder } from './load.ts'

export type { Loaded } from './load.ts'

/** `signal`: ends it before its time. */
export function load(url: string, { signal, ...order }: Omit<LoadOrder, 'url' | 'key'> & { readonly key?: string; readonly signal?: AbortSignal }): Promise<Loaded> {
  return new Promise((resolve, reject) => {
    const full: LoadOrder = { url, key: ADMIN_KEY, ...order }
    const child = spawn(process.execPath, [join(import.meta.dirname, 'load.ts'), JSON.stringify(full)], { stdio: ['ignore', 'pipe', 'inherit'] })
    signal?.addEventListener('abort', () => child.kill('SIGTERM'))
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('exit', (code) => (code === 0 ? resolve(JSON.parse(output) as Loaded) : reject(new Error(`load.ts ended with ${code}`))))
  })
}
