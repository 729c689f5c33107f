/**
 * The manifest that a writer goes on from: the newest that is whole, made to fit the streams that are there.
 */

import type { Disk } from '../../runtime/disk.ts'
import type { Log } from '../../runtime/log.ts'
import { RESULTS, inputStream, isOwn } from '../../runtime/topology.ts'
import type { Topology } from '../../runtime/topology.ts'
import type { FollowerLogger } from './follow.ts'
import { readNewestWhole } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { withWholeParts } from './parts.ts'

/** That of a new lake. */
export const EMPTY: Manifest = {
  format: 1,
  version: 0,
  madeAt: 0,
  resultsCreated: '',
  resultsBase: 0,
  resultsFrom: 1,
  inputFrom: {},
  settleUntil: null,
  covered: {},
  segments: [],
  superseded: [],
}

/** The manifest to go on from; null of a new lake. */
export async function newestWhole(lakeDir: string, { logger, disk }: { logger: FollowerLogger; disk: Disk }): Promise<Manifest | null> {
  const found = await readNewestWhole(lakeDir, disk)
  for (const { version, missing } of found?.passed ?? []) {
    logger.error({ version, missing }, 'a manifest or a segment that it names is not whole: going back to the manifest before')
  }
  return found === null ? null : withWholeParts(lakeDir, found.manifest, disk)
}

/** The manifest for the streams that are there: where one was made anew, versions go on above all that are in the lake, and what the lake holds is settled by it. */
export async function renewed(manifest: Manifest, { log, topology }: { log: Log; topology: Topology }): Promise<Manifest> {
  if (manifest.version === 0) return manifest
  const results = await log.info(RESULTS)
  let changed = results.created !== manifest.resultsCreated
  const resultsBase = changed ? manifest.resultsBase + Math.max(manifest.resultsFrom, ...Object.values(manifest.covered).map((c) => c.resultsSeq)) : manifest.resultsBase
  for (const [partition, covered] of Object.entries(manifest.covered)) {
    if (covered.input.seq > 0 && !isOwn(Number(partition)) && (await log.info(inputStream(topology, Number(partition)))).created !== covered.input.created) changed = true
  }
  if (!changed) return manifest
  const times = manifest.segments.flatMap((s) => (s.tsMax === null ? [] : [s.tsMax]))
  return { ...manifest, resultsBase, settleUntil: times.length === 0 ? manifest.settleUntil : Math.max(manifest.settleUntil ?? -Infinity, ...times) }
}
