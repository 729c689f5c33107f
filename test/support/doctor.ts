/** `weir doctor` on outer servers and an empty data folder: what it says. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './nats.ts'

export async function doctor(url: string): Promise<string> {
  const data = mkdtempSync(join(tmpdir(), 'weir-doctor-'))
  const program = join(import.meta.dirname, '../../cmd/doctor.ts')
  const child = spawn(process.execPath, [program, '--data', data, '--nats', url, '--port', String(await freePort())])
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  await once(child, 'close')
  rmSync(data, { recursive: true })
  return output
}
