/**
 * Versions of nats-server that some tests need beside the one that the project runs: one that is safe with replicas, and the oldest one
 * that Weir takes. Each is the project's own where that fits, else fetched once into a folder of the cache.
 *
 * Where one can't be had, the reason is given, for the test to say aloud that it did not run.
 */

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { atLeast, SERVER_FLOOR_REPLICATED } from '../../runtime/installation.ts'
import { findNatsServer, obtainNatsServer } from '../../runtime/nats-server.ts'
import type { NatsBinary } from '../../runtime/nats-server.ts'
import { natsServerPath } from './nats.ts'

export type Found = { readonly binary: NatsBinary; readonly reason: '' } | { readonly binary: null; readonly reason: string }

/** Says aloud what is not tested on this machine, and ends the test. */
export function notTested({ skip }: { skip: (note: string) => never }, what: string, reason: string): never {
  console.log(`NOT TESTED HERE: ${what}, as it can't be had: ${reason}`)
  return skip(reason)
}

const cache = join(import.meta.dirname, '../../.cache')

/** The project's, where it is safe with replicas; else one that is, from a newer Debian or the official archive. */
export async function replicatedServer(): Promise<Found> {
  return kept((version) => atLeast(version, SERVER_FLOOR_REPLICATED), join(cache, 'nats-server-replicated'), newerServer)
}

/** One that is too old for replicas and not for Weir. */
export async function oldServer(): Promise<Found> {
  const fits = (version: string) => !atLeast(version, SERVER_FLOOR_REPLICATED)
  return kept(fits, join(cache, 'nats-server-old'), (cacheDir) => attempt(() => obtainNatsServer({ cacheDir, log: () => {}, from: ['own'] })))
}

/** Fetches one from a newer Debian than the machine's into `cacheDir`. */
export function newerServer(cacheDir: string): Promise<Found> {
  return attempt(() => obtainNatsServer({ cacheDir, log: () => {}, from: ['newer'] }))
}

async function kept(fits: (version: string) => boolean, cacheDir: string, fetch: (cacheDir: string) => Promise<Found>): Promise<Found> {
  const path = natsServerPath()
  const version = /v(\d\S*)/.exec(execFileSync(path, ['--version']).toString())?.[1] ?? ''
  if (fits(version)) return { binary: { path, version }, reason: '' }
  const cached = await findNatsServer({ cacheDir, env: { NATS_SERVER: undefined, PATH: cacheDir } }).catch(() => null)
  const found: Found = cached !== null && fits(cached.version) ? { binary: cached, reason: '' } : await fetch(cacheDir)
  if (found.binary === null || fits(found.binary.version)) return found
  return { binary: null, reason: `the one that can be had here is ${found.binary.version}` }
}

async function attempt(fetch: () => Promise<NatsBinary>): Promise<Found> {
  return fetch().then(
    (binary) => ({ binary, reason: '' as const }),
    (error: Error) => ({ binary: null, reason: error.message.split('\n').slice(1, 2).join('').trim() || error.message }),
  )
}
