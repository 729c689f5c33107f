/**
 * Opens a log for reading only: on outer servers, of a running system on this machine, or of a data folder whose system is stopped.
 *
 * - OL1 It connects as the role that may only read; on outer servers, as whom the address names.
 * - OL2 The log of a stopped system is opened under the folder's own lock, which dies with this process: `weir up` refuses to start meanwhile, and
 *   this refuses where one runs. Its nats-server goes the way of every start (nats-server.ts), but listens on a port that nobody is told
 *   of, so that a worker left behind elsewhere does not come back to it and go on writing. Processes of another container on the same folder are
 *   not seen by that lock; so whoever calls may hold another one as well.
 */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from './clock.ts'
import type { Env } from './config.ts'
import { isOperating, OperatingError } from './errors.ts'
import { lockFolder } from './folder-lock.ts'
import type { FolderLock } from './folder-lock.ts'
import type { Connection } from './log.ts'
import { embeddedNatsUrl } from './nats-address.ts'
import { connectNats } from './nats-log.ts'
import { findNatsServer, startNatsServer } from './nats-server.ts'
import type { NatsServer } from './nats-server.ts'

export interface OpenLogOptions {
  /** Outer servers; null: the log of the data folder. */
  readonly nats: string | null
  readonly dataDir: string
  /** Where a nats-server may be cached. */
  readonly cacheDir: string
  readonly env: Env
  readonly clock: Clock
  readonly name: string
  /** Takes what shows that the system of a data folder is at rest, before its server is started; throws where it is not. The answer lets go. */
  readonly holdStill?: () => Promise<() => void>
}

export interface OpenLog {
  readonly connection: Connection
  /** In words. */
  readonly where: string
  close(): Promise<void>
}

const CONNECT_WITHIN_MS = 5_000

/** Throws operating errors that say what to do. */
export async function openLog(options: OpenLogOptions): Promise<OpenLog> {
  const { nats, dataDir } = options
  if (nats !== null) return connected(options, nats, 'outer servers')
  await assertLog(dataDir)
  let lock: FolderLock
  try {
    lock = await lockFolder(dataDir, 'weir-up')
  } catch (error) {
    if (!isOperating(error, 'config')) throw error
    return connected(options, await embeddedNatsUrl(dataDir, 'reader'), `the running system of ${dataDir}`)
  }
  try {
    return await served(options, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** A server started here would make an empty log where there is none. */
async function assertLog(dataDir: string): Promise<void> {
  const store = join(dataDir, 'nats', 'store')
  if (await stat(store).then((s) => s.isDirectory(), () => false)) return
  throw new OperatingError(
    'config',
    `Cannot open a log as ${store} must be the embedded one of a data folder: there is none. Name the data folder with --data, or the servers of the log with --nats`,
  )
}

async function served(options: OpenLogOptions, lock: FolderLock): Promise<OpenLog> {
  const { dataDir, cacheDir, env, clock, holdStill } = options
  const binary = await findNatsServer({ cacheDir, env })
  if (binary === null) {
    throw new OperatingError(
      'config',
      'Cannot open the log of a stopped system as there must be a nats-server: none is on the PATH nor in the cache. Name one in NATS_SERVER',
    )
  }
  const letGo = (await holdStill?.()) ?? (() => {})
  try {
    const server = await startNatsServer({ binary, dataDir, port: -1, clock, logger: { info: () => {}, warn: () => {} } })
    return await readOf(options, server, async () => {
      letGo()
      await lock.release()
    })
  } catch (error) {
    letGo()
    throw error
  }
}

/** `release` is called once the server is gone. */
async function readOf(options: OpenLogOptions, server: NatsServer, release: () => Promise<void>): Promise<OpenLog> {
  try {
    const { connection, where, close } = await connected(options, server.url('reader'), `the stopped system of ${options.dataDir}`)
    const closeAll = async () => {
      await close()
      await server.stop()
      await release()
    }
    return { connection, where, close: closeAll }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function connected({ name, clock }: OpenLogOptions, servers: string, where: string): Promise<OpenLog> {
  const connection = await connectNats({ servers, name, clock, connectWithinMs: CONNECT_WITHIN_MS })
  return { connection, where, close: () => connection.close() }
}
