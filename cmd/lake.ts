/**
 * `weir lake copy DIR`: a whole copy of the lake, while its store runs: segments as further names of the same files where the disk allows it.
 *
 * Plain copies by hand are whole, too, in one order: `open.sql` first, then the segments. What it names stays for as long as superseded
 * segments are kept, whereas an `open.sql` that is copied last may name one that was not there yet.
 */

import { constants } from 'node:fs'
import { copyFile, link, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { copiedLakeSql } from '../actors/store/catalog.ts'
import { filesOf, manifestPath, readNewestWhole, segmentsDir } from '../actors/store/manifest.ts'
import type { Manifest } from '../actors/store/manifest.ts'
import { withWholeParts } from '../actors/store/parts.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { isOperating, OperatingError } from '../runtime/errors.ts'

const SPEC = {
  data: { type: 'string', default: './data', help: 'data folder of the store' },
} as const satisfies FlagSpec

const ARGS = { usage: 'copy DIR', min: 2, max: 2 } as const
/** A segment may leave in the middle of a copy, where retention or a very long copy is: then a newer manifest is copied. */
const TRIES = 5

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('lake', 'Copies the lake, whole, while its store runs.', SPEC, argv, env, ARGS)
  const [action, target] = flags._
  try {
    if (action !== 'copy') throw new OperatingError('config', `Cannot ${action} a lake as it must be: copy`)
    const { version, segments } = await copyLake(join(flags.data, 'lake'), target)
    const readings = segments.reduce((sum, segment) => sum + (segment.rows.readings ?? 0), 0)
    process.stdout.write(`${target} has ${readings.toLocaleString('en')} readings in ${segments.length} segments, as of manifest ${version}.\nOpen it: cd ${target} && duckdb -init open.sql\n`)
  } catch (error) {
    if (!isOperating(error)) throw error
    process.stderr.write(`weir lake: ${error.message}\n`)
    process.exitCode = 1
  }
}

/** Copies the newest manifest and what it names to the folder `target`, which must be new or empty. */
export async function copyLake(lakeDir: string, target: string): Promise<Manifest> {
  await mkdir(segmentsDir(target), { recursive: true })
  const there = [...(await readdir(target)), ...(await readdir(segmentsDir(target)))].filter((name) => name !== 'segments')
  if (there.length > 0) throw new OperatingError('config', `Cannot copy the lake to ${target} as that must be empty: it has ${there[0]}`)
  for (let left = TRIES; ; left--) {
    const found = await readNewestWhole(lakeDir)
    if (found === null) throw new OperatingError('config', `Cannot copy ${lakeDir} as it must hold a lake: it has no manifest`)
    const manifest = await withWholeParts(lakeDir, found.manifest)
    try {
      for (const file of manifest.segments.flatMap(filesOf)) await place(join(segmentsDir(lakeDir), file), join(segmentsDir(target), file))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || left === 0) throw error
      continue
    }
    await writeFile(manifestPath(target, manifest.version), JSON.stringify({ ...manifest, superseded: [] }))
    await writeFile(join(target, 'open.sql'), copiedLakeSql(manifest))
    return manifest
  }
}

/** Segments are never written again, so that a second name is as good as a second file. */
async function place(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code === 'ENOENT') throw error
    await copyFile(from, to, constants.COPYFILE_FICLONE)
  }
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
