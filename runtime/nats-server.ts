/**
 * Runs the embedded nats-server: its folder, its credentials, its life.
 *
 * Owns everything under `<data>/nats`: nats.conf and credentials.json (readable by their owner alone), port, store-bytes, nats.log,
 * nats.pid, starter, store/. Leaves keeping it alive to the supervisor, the program to nats-binary.ts, rights to nats-roles.ts.
 *
 * Invariants
 * - E1 The server lives outside the starter's process group, so that Ctrl-C in a terminal does not reach it before those who
 *   drain; and it ends by itself, cleanly, when the starter does, even by kill -9: a shell beside it waits for the end of a pipe.
 * - E2 One server a data folder: one left over from an earlier run is ended first; one of a starter that lives is an error.
 * - E3 It listens on loopback only, and knows no user without a password.
 */

import { execFile, spawn } from 'node:child_process'
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from './clock.ts'
import { ErrorCode, OperatingError } from './errors.ts'
import { atLeast } from './installation.ts'
import { PAYLOAD_MAX_BYTES } from './limits.ts'
import type { NatsBinary } from './nats-binary.ts'
import { inboxPrefix, natsConfig, NATS_ROLES } from './nats-roles.ts'
import type { NatsCredentials, NatsRole } from './nats-roles.ts'

export { findNatsServer, obtainNatsServer } from './nats-binary.ts'
export type { NatsBinary } from './nats-binary.ts'
export type { NatsRole } from './nats-roles.ts'

export interface NatsServerOptions {
  readonly binary: NatsBinary
  readonly dataDir: string
  /** 0: a free one, the same again at the next start where it is still free; -1: a free one for this life alone, that nobody is told of. */
  readonly port: number
  readonly clock: Clock
  readonly logger: { info(fields: object, message: string): void; warn(fields: object, message: string): void }
  /** Bound of all that the server stores; by default, the lesser of 64 GiB and half of the free disk at the first start. */
  readonly storeBytesMax?: number
  /** `always` syncs each message to disk before it is acknowledged; else the server does so every two minutes, or as `syncIntervalMs` says. */
  readonly sync?: 'interval' | 'always'
  readonly syncIntervalMs?: number
}

export interface NatsServer {
  /** Address with the credentials of `role`, for `connectNats`. */
  url(role: NatsRole): string
  readonly adminUrl: string
  readonly port: number
  readonly pid: number
  readonly storeBytesMax: number
  /** Resolves with its exit code when it is gone (128 and the signal's number where one ended it). */
  readonly exited: Promise<number>
  /** Ends it cleanly and resolves when it is gone. */
  stop(): Promise<void>
}

/** Before it, servers sync every two minutes and take no setting of it. */
const SYNC_FLOOR = '2.10.0'
const STORE_BYTES_DEFAULT = 64 * 1024 ** 3
/** Reading back a large store takes its time. */
const READY_WITHIN_MS = 120_000
const LEFTOVER_WITHIN_MS = 10_000
const STOP_WITHIN_MS = 15_000
const POLL_MS = 10

/**
 * Runs beside the server: ends it when standard input does. `read` is a word of the shell itself, so that ending the watcher leaves
 * no process behind; the server gets no copy of the pipe, else it would wait for itself.
 */
const WRAPPER = `
exec 3<&0 </dev/null
"$1" -c "$2" 3<&- &
server=$!
{ while read -r _ <&3; do :; done; kill -TERM "$server"; } 2>/dev/null &
watcher=$!
exec 3<&-
trap : HUP INT TERM
while :; do
  wait "$server"; code=$?
  kill -0 "$server" 2>/dev/null || break
done
kill "$watcher" 2>/dev/null
exit "$code"
`

/** Starts the server and resolves once it answers. Throws `config` where it can't run as asked. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { binary, clock, logger } = options
  const folder = resolve(options.dataDir, 'nats')
  const files = {
    conf: join(folder, 'nats.conf'),
    log: join(folder, 'nats.log'),
    pid: join(folder, 'nats.pid'),
    ports: join(folder, 'ports'),
    port: join(folder, 'port'),
    starter: join(folder, 'starter'),
  }
  const sync = options.sync === 'always' ? 'always' : (options.syncIntervalMs ?? null)
  if (sync !== null && !atLeast(binary.version, SYNC_FLOOR)) {
    throw new OperatingError(
      ErrorCode.config,
      `Cannot sync ${sync === 'always' ? 'always' : 'at an interval of its own'} as nats-server must be at least ${SYNC_FLOOR}: current value ` +
        `is ${binary.version} (${binary.path}). Where set-up fetched it, sh deploy/set-up --upgrade-nats-server fetches a newer one`,
    )
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await endLeftover(files, clock, logger)
  const credentials = await keptCredentials(join(folder, 'credentials.json'), clock)
  const storeBytesMax = options.storeBytesMax ?? (await keptJson(join(folder, 'store-bytes'), () => defaultStoreBytes(folder)))
  const remembered = Number(await readText(files.port))
  const port = options.port !== 0 ? options.port : remembered > 0 && (await isFree(remembered)) ? remembered : -1
  const config = natsConfig({
    port,
    storeDir: join(folder, 'store'),
    storeBytesMax,
    payloadMaxBytes: PAYLOAD_MAX_BYTES,
    pidFile: files.pid,
    portsDir: files.ports,
    logFile: files.log,
    credentials,
    sync,
  })
  await writePrivately(files.conf, config)
  await rm(files.ports, { recursive: true, force: true })
  await mkdir(files.ports)
  await writeFile(files.starter, JSON.stringify({ pid: process.pid, born: await bornOf(process.pid) }))
  const logFrom = await stat(files.log).then((s) => s.size, () => 0)

  const shell = spawn('/bin/sh', ['-c', WRAPPER, 'weir-nats', binary.path, files.conf], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    // What else is in our environment, keys among it, is not the server's business.
    env: { PATH: process.env.PATH },
  })
  shell.stdin.on('error', () => {})
  let ended = false
  const exited = new Promise<number>((settle) => {
    shell.once('error', () => settle(127))
    shell.once('exit', (code) => settle(code ?? 128))
  })
  void exited.then(() => (ended = true))

  const stop = async (): Promise<void> => {
    shell.stdin.end()
    const cancel = clock.after(STOP_WITHIN_MS, () => {
      logger.warn({}, `nats-server did not end within ${STOP_WITHIN_MS} ms and is killed`)
      void readText(files.pid).then((pid) => signal(Number(pid), 'SIGKILL'))
    })
    await exited
    cancel()
  }

  const deadline = clock.monotonic() + READY_WITHIN_MS
  let listening: number | null = null
  while (listening === null && !ended && clock.monotonic() < deadline) {
    await clock.sleep(POLL_MS)
    listening = await listeningPort(files.ports)
  }
  if (listening === null) {
    await stop()
    const complaints = (await readText(files.log, logFrom)).split('\n').filter((line) => /\[(ERR|FTL)\]/.test(line))
    const said = complaints.at(-1)?.replace(/^.*\[(ERR|FTL)\] /, '')
    const where = port > 0 ? ` on port ${port}` : ''
    throw new OperatingError(ErrorCode.config, `Cannot start nats-server${where}: ${said ?? 'it ended'} (see ${files.log})`)
  }
  if (options.port !== -1) await writeFile(files.port, `${listening}\n`)
  const pid = Number(await readText(files.pid))
  logger.info({ port: listening, pid, version: binary.version }, 'nats-server is up')
  const url = (role: NatsRole): string => `nats://${role}:${credentials[role]}@127.0.0.1:${listening}?inbox=${inboxPrefix(role)}`
  return { url, adminUrl: url('admin'), port: listening, pid, storeBytesMax, exited, stop }
}

/** E2. */
async function endLeftover(
  files: { pid: string; conf: string; starter: string },
  clock: Clock,
  logger: NatsServerOptions['logger'],
): Promise<void> {
  const pid = Number(await readText(files.pid))
  if (!(pid > 0) || !(await isOurs(pid, files.conf))) return
  const starter = JSON.parse((await readText(files.starter)) || 'null') as { pid: number; born: string } | null
  if (starter !== null && starter.pid !== process.pid && (await bornOf(starter.pid)) === starter.born) {
    throw new OperatingError(
      ErrorCode.config,
      `Cannot use this data folder as another Weir runs on it (process ${starter.pid}): stop that one, or name another folder with --data`,
    )
  }
  logger.info({ pid }, 'nats-server of an earlier run is still there: waiting for its end')
  // It has seen its pipe close, and is ending; else it is told to, and then made to.
  for (const [kind, withinMs] of [
    [null, LEFTOVER_WITHIN_MS / 5],
    ['SIGTERM', LEFTOVER_WITHIN_MS],
    ['SIGKILL', LEFTOVER_WITHIN_MS],
  ] as const) {
    if (kind !== null) signal(pid, kind)
    const deadline = clock.monotonic() + withinMs
    while (clock.monotonic() < deadline) {
      if (!(await isOurs(pid, files.conf))) return
      await clock.sleep(POLL_MS)
    }
  }
  throw new OperatingError(ErrorCode.config, `Cannot start nats-server as process ${pid} of an earlier run does not end: end it by hand`)
}

/** Whether process `pid` is a nats-server on our configuration. */
async function isOurs(pid: number, conf: string): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => psOf(pid, 'command'))
  return command.includes('nats-server') && command.includes(conf)
}

/**
 * When process `pid` began, in words of the system, so that a number that was given out again is not taken for the same process.
 * '' where there is none.
 */
async function bornOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  if (stat === '') return psOf(pid, 'lstart')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

async function psOf(pid: number, column: 'command' | 'lstart'): Promise<string> {
  if (process.platform === 'linux') return ''
  return promisify(execFile)('ps', ['-o', `${column}=`, '-p', String(pid)]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
}

function signal(pid: number, kind: NodeJS.Signals): void {
  try {
    if (pid > 0) process.kill(pid, kind)
  } catch {
    // It is gone already.
  }
}

/** The port in the file that the server writes when it listens; null before. */
async function listeningPort(folder: string): Promise<number | null> {
  const [name] = await readdir(folder)
  const text = name === undefined ? '' : await readText(join(folder, name))
  if (!text.trimEnd().endsWith('}')) return null
  return Number(new URL((JSON.parse(text) as { nats: string[] }).nats[0]).port)
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  return new Promise((settle) => {
    probe.once('error', () => settle(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => settle(true)))
  })
}

async function defaultStoreBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.min(STORE_BYTES_DEFAULT, Math.floor((bavail * bsize) / 2))
}

/** The value in the file, made at the first time. */
async function keptJson<T>(path: string, make: () => T | Promise<T>): Promise<T> {
  const text = await readText(path)
  if (text !== '') return JSON.parse(text) as T
  const value = await make()
  await writePrivately(path, JSON.stringify(value))
  return value
}

/** The passwords in the file, with one for each role that was not there when it was made. */
async function keptCredentials(path: string, clock: Clock): Promise<NatsCredentials> {
  const drawn = () => Object.fromEntries(NATS_ROLES.map((role) => [role, clock.nonce(24)])) as NatsCredentials
  const kept = await keptJson(path, drawn)
  if (NATS_ROLES.every((role) => kept[role] !== undefined)) return kept
  const all = { ...drawn(), ...kept }
  await writePrivately(path, JSON.stringify(all))
  return all
}

/** Whole or not at all, and never readable by others. */
async function writePrivately(path: string, text: string): Promise<void> {
  const beside = `${path}.new`
  const file = await open(beside, 'w', 0o600)
  await file.writeFile(text)
  await file.sync()
  await file.close()
  await chmod(beside, 0o600)
  await rename(beside, path)
}

async function readText(path: string, fromByte = 0): Promise<string> {
  return readFile(path).then((bytes) => bytes.subarray(fromByte).toString()).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
}
