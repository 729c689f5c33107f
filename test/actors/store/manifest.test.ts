/** The manifest's files and the lock, in real folders. */

import { fork } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockLake } from '../../../actors/store/lock.ts'
import { makeLake, manifestPath, readNewestManifest, readNewestWhole, segmentsDir, sweep, writeManifest } from '../../../actors/store/manifest.ts'
import type { Manifest } from '../../../actors/store/manifest.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { isOperating } from '../../../runtime/errors.ts'

let lakeDir: string

beforeEach(async () => {
  lakeDir = await mkdtemp(join(tmpdir(), 'weir-manifest-'))
  await makeLake(lakeDir)
})
afterEach(() => rm(lakeDir, { recursive: true, force: true }))

const segment = (file: string) => ({ file, level: 0, sealedFrom: 1, sealedTo: 1, bytes: 1, rows: {}, tsMin: null, tsMax: null, readingsMin: null, readingsMax: null })

function manifest(version: number, files: string[], superseded: { file: string; until: number }[] = []): Manifest {
  const fixed = { format: 1, madeAt: 0, resultsCreated: 'r', resultsBase: 0, resultsFrom: 1, inputFrom: {}, settleUntil: null, covered: {} } as const
  return { ...fixed, version, segments: files.map(segment), superseded }
}

async function put(...files: string[]): Promise<void> {
  for (const file of files) await writeFile(join(segmentsDir(lakeDir), file), 'x')
}

describe('the manifest', () => {
  test('of a lake that has none is null, and nothing is swept', async () => {
    await put('a')
    expect(await readNewestManifest(lakeDir)).toBeNull()
    expect(await sweep(lakeDir)).toEqual([])
  })

  test('is the newest that reads whole', async () => {
    await writeManifest(lakeDir, manifest(1, ['a']))
    await writeManifest(lakeDir, manifest(2, ['b']))
    await writeFile(manifestPath(lakeDir, 3), '{"format":1,"version":3,"segm')
    expect((await readNewestManifest(lakeDir))?.version).toBe(2)
  })

  test('to go on from is the newest whose segments are all there whole, and what is passed over for it is named', async () => {
    expect(await readNewestWhole(lakeDir)).toBeNull()
    await put('a', 'b')
    await writeManifest(lakeDir, manifest(1, ['a']))
    await writeManifest(lakeDir, manifest(2, ['a', 'b']))
    await writeFile(manifestPath(lakeDir, 3), 'torn')
    expect(await readNewestWhole(lakeDir)).toMatchObject({ manifest: { version: 2 }, passed: [{ version: 3, missing: null }] })
    await writeFile(join(segmentsDir(lakeDir), 'b'), '')
    expect(await readNewestWhole(lakeDir)).toMatchObject({ manifest: { version: 1 }, passed: [{ version: 3 }, { version: 2, missing: ['b'] }] })
    await rm(join(segmentsDir(lakeDir), 'a'))
    await expect(readNewestWhole(lakeDir)).rejects.toThrow(/segments of one of its manifests must be there whole: .*, a is missing/)
    expect(await readdir(segmentsDir(lakeDir))).toEqual(['b'])
  })

  test('is kept three times', async () => {
    for (let v = 1; v <= 5; v++) await writeManifest(lakeDir, manifest(v, []))
    expect((await readdir(lakeDir)).filter((f) => f.startsWith('manifest-')).sort()).toEqual(['manifest-3.json', 'manifest-4.json', 'manifest-5.json'])
  })

  test('is refused where none reads, and then nothing is swept', async () => {
    await put('a')
    await writeFile(manifestPath(lakeDir, 8), 'torn')
    await expect(readNewestManifest(lakeDir)).rejects.toSatisfy((error) => isOperating(error, 'config'))
    expect(await sweep(lakeDir)).toEqual([])
    expect(await readdir(segmentsDir(lakeDir))).toEqual(['a'])
  })

  test('is never one before the last three, though it is still there: the logs may lack what it needs', async () => {
    await put('a')
    await writeFile(manifestPath(lakeDir, 1), JSON.stringify(manifest(1, ['a'])))
    for (const version of [2, 3, 4]) await writeFile(manifestPath(lakeDir, version), JSON.stringify(manifest(version, ['a', 'lost'])))
    await expect(readNewestWhole(lakeDir)).rejects.toThrow(/lost is missing/)
    for (const version of [2, 3, 4]) await writeFile(manifestPath(lakeDir, version), 'torn')
    await expect(readNewestManifest(lakeDir)).rejects.toSatisfy((error) => isOperating(error, 'config'))
  })

  test('keeps from sweeping what any of the last three names, as its own or as superseded', async () => {
    await put('a', 'b', 'c', 'd', 'orphan')
    await writeManifest(lakeDir, manifest(1, ['a']))
    await writeManifest(lakeDir, manifest(2, ['b']))
    await writeManifest(lakeDir, manifest(3, ['c'], [{ file: 'd', until: 9 }]))
    expect(await sweep(lakeDir)).toEqual(['orphan'])
    await writeManifest(lakeDir, manifest(4, ['c']))
    expect(await sweep(lakeDir)).toEqual(['a'])
    expect((await readdir(segmentsDir(lakeDir))).sort()).toEqual(['b', 'c', 'd'])
  })

  test('in doubt keeps everything: a torn one among the last three stops the sweeping', async () => {
    await put('a', 'orphan')
    await writeManifest(lakeDir, manifest(1, ['a']))
    await writeFile(manifestPath(lakeDir, 2), 'torn')
    expect(await sweep(lakeDir)).toEqual([])
  })
})

const HOLDER = `
  import { lockLake } from ${JSON.stringify(new URL('../../../actors/store/lock.ts', import.meta.url).href)}
  import { systemClock } from ${JSON.stringify(new URL('../../../runtime/clock.ts', import.meta.url).href)}
  await lockLake(process.argv[2], systemClock)
  process.send('locked')
  setInterval(() => {}, 1000)
`

describe('the lock of a lake', () => {
  test('is refused to a second process with a clear error, and is free again when the holder is killed', async () => {
    const script = join(lakeDir, 'holder.ts')
    await writeFile(script, HOLDER)
    const holder = fork(script, [lakeDir], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    try {
      await new Promise((resolve) => holder.once('message', resolve))
      await expect(lockLake(lakeDir, systemClock, 0)).rejects.toThrow('one store alone must write it')
    } finally {
      const gone = new Promise((resolve) => holder.once('exit', resolve))
      holder.kill('SIGKILL')
      await gone
    }
    const lock = await lockLake(lakeDir, systemClock)
    await expect(lockLake(lakeDir, systemClock, 0)).rejects.toSatisfy((error) => isOperating(error, 'config'))
    lock.release()
    const again = await lockLake(lakeDir, systemClock, 0)
    again.release()
  })
})
