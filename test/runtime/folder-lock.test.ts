import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lockFolder } from '../../runtime/folder-lock.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-lock-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('a folder is locked once, by whatever path, until it is released', async () => {
  const lock = await lockFolder(folder, 'weir-up')
  symlinkSync(folder, join(folder, 'alias'))
  await expect(lockFolder(join(folder, 'alias'), 'weir-up')).rejects.toMatchObject({ code: 'config', message: expect.stringContaining(`process id ${process.pid}`) })
  const other = await lockFolder(folder, 'weir-other')
  await other.release()
  await lock.release()
  await (await lockFolder(folder, 'weir-up')).release()
})

test('a lock dies with the process that holds it, though it is killed', async () => {
  const module = pathToFileURL(join(import.meta.dirname, '../../runtime/folder-lock.ts')).href
  const script = `const { lockFolder } = await import('${module}'); await lockFolder('${folder}', 'weir-up'); console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  await expect(lockFolder(folder, 'weir-up')).rejects.toThrow(`process id ${child.pid}`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await lockFolder(folder, 'weir-up')).release()
})
