/**
 * Where the nats-server program comes from: found on this machine, or put into the project's cache.
 *
 * Owns finding, and downloading by pinned digest. Leaves Debian's packages to debian.ts, running it to nats-server.ts.
 *
 * - G1 Nothing is run that was not found in a place the user controls, or whose bytes do not have the pinned SHA-256, or that
 *   apt has not checked.
 * - G2 The cache holds a whole program or none: it is unpacked beside and renamed into its place.
 * - G3 A cached program is replaced only where someone asks for it: which server a log runs on is not decided by what can be had today.
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from './clock.ts'
import { debianRelease, unpackDebian } from './debian.ts'
import { ErrorCode, OperatingError } from './errors.ts'
import { atLeast } from './installation.ts'

const run = promisify(execFile)

export interface NatsBinary {
  readonly path: string
  /** `2.9.10`. */
  readonly version: string
}

export interface FindOptions {
  /** Folder of the cached program. */
  readonly cacheDir: string
  /** `process.env` by default. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface ObtainOptions {
  readonly cacheDir: string
  /** Told in one line of each thing that takes time. */
  log(line: string): void
  /** Where from, the first that works; by default what suits the machine. */
  readonly from?: readonly SourceName[]
  /** A version that must be surpassed. */
  readonly newerThan?: string
}

/** The official archive, the package of a newer Debian than the machine's, that of its own. */
export type SourceName = 'archive' | 'newer' | 'own'

const RELEASE = '2.14.5'
/** SHA-256 of the official archives of `RELEASE`, by `<platform>-<arch>` as Node names them. */
const ARCHIVES: Readonly<Record<string, readonly [name: string, sha256: string]>> = {
  'linux-x64': ['linux-amd64', '5e3b603d47c447bda1f77f9ac16dbf91c90aac4ff3681f8fbbc7201e4ed99355'],
  'linux-arm64': ['linux-arm64', '673a98d3faa79dde3f9ebf16d6dfac36a5f694e7ad2015e4954dd7939c85cd4c'],
  'darwin-arm64': ['darwin-arm64', 'ddd907854d9a2de834af133fa396915fe6442fe6d8909ae31390d1ea7a0fea50'],
  'darwin-x64': ['darwin-amd64', 'f95c98d6b6ed2b63c5681b46b092c9585c99767d547cf495730c329234625e96'],
}
/** An unreachable release page must not hold up a start. */
const ANSWER_WITHIN_MS = 4_000
const DOWNLOAD_WITHIN_MS = 120_000
/**
 * The oldest stable release of Debian whose server syncs always (2.10 on) and is safe with replicas (2.10.23 on). It has 2.10.27. Newer
 * ones in Debian's unstable suite change from day to day, so nothing is taken from there.
 */
const NEWER_DEBIAN = { number: 13, codename: 'trixie' }

/**
 * The program named by `NATS_SERVER`, else the first on the PATH, else the cached one; null where there is none. Throws `config`
 * for a `NATS_SERVER` that does not run.
 */
export async function findNatsServer({ cacheDir, env = process.env }: FindOptions): Promise<NatsBinary | null> {
  if (env.NATS_SERVER) {
    const version = await versionOf(env.NATS_SERVER)
    if (version !== null) return { path: env.NATS_SERVER, version }
    throw new OperatingError(
      ErrorCode.config,
      `Cannot use NATS_SERVER as it must be a nats-server program that runs here: current value is ${env.NATS_SERVER}`,
    )
  }
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin'].filter((folder) => folder !== '')
  for (const path of [...new Set(folders)].map((folder) => join(folder, 'nats-server')).concat(join(cacheDir, 'nats-server'))) {
    if (!(await isExecutable(path))) continue
    const version = await versionOf(path)
    if (version !== null) return { path, version }
  }
  return null
}

/**
 * Puts the program into the cache, in place of what is there: the official archive, else Debian's package. Throws `unavailable` with
 * what to do by hand.
 */
export async function obtainNatsServer({ cacheDir, log, from, newerThan }: ObtainOptions): Promise<NatsBinary> {
  await mkdir(cacheDir, { recursive: true })
  const failures: string[] = []
  const { codename } = NEWER_DEBIAN
  const sources = {
    archive: [`the official archive of ${RELEASE}`, fromArchive],
    newer: [`the package of Debian ${NEWER_DEBIAN.number} (${codename})`, (folder: string) => fromDebian(folder, codename)],
    own: ["Debian's package", (folder: string) => fromDebian(folder)],
  } as const
  for (const name of from ?? (await usualSources())) {
    const [source, fetchInto] = sources[name]
    const folder = await mkdtemp(join(cacheDir, 'unpack-'))
    try {
      log(`nats-server: fetching ${source}`)
      const unpacked = await fetchInto(folder)
      await chmod(unpacked, 0o755)
      const got = await versionOf(unpacked)
      if (got === null) throw new Error('it does not run on this machine')
      if (newerThan !== undefined && atLeast(newerThan, got)) throw new Error(`it is ${got}, and ${newerThan} is there already`)
      const path = join(cacheDir, 'nats-server')
      await rename(unpacked, path)
      const version = await versionOf(path)
      if (version === null) throw new Error('it does not run from the cache')
      log(`nats-server: ${version} is in ${path}`)
      return { path, version }
    } catch (error) {
      failures.push(`${source}: ${reasonOf(error)}`)
      log(`nats-server: no luck with ${failures.at(-1)}`)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  throw new OperatingError(
    ErrorCode.unavailable,
    [
      'Cannot get nats-server, which Weir runs as its log:',
      ...failures.map((f) => `  - ${f}`),
      'Do one of these, then start again:',
      '  - install it (Debian: apt-get install nats-server; macOS: brew install nats-server)',
      '  - unpack a release of nats-server anywhere and name the program: NATS_SERVER=/path/to/nats-server',
      '  - use servers that run elsewhere: --nats nats://host:4222',
    ].join('\n'),
  )
}

/** Where a machine looks, in order: a Debian that is older than the one that has a server new enough looks there before at home. */
async function usualSources(): Promise<SourceName[]> {
  const release = debianRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''))
  return release !== null && release.number < NEWER_DEBIAN.number ? ['archive', 'newer', 'own'] : ['archive', 'own']
}

async function versionOf(path: string): Promise<string | null> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 10_000 })
    return /nats-server: v(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1] ?? null
  } catch {
    return null
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

async function fromArchive(folder: string): Promise<string> {
  const archive = ARCHIVES[`${platform()}-${arch()}`]
  if (archive === undefined) throw new Error(`there is none for ${platform()} on ${arch()}`)
  const [name, sha256] = archive
  const url = `https://github.com/nats-io/nats-server/releases/download/v${RELEASE}/nats-server-v${RELEASE}-${name}.tar.gz`
  const ending = new AbortController()
  // The first bound is for the answer alone; the body has the second.
  const unanswered = systemClock.after(ANSWER_WITHIN_MS, () => ending.abort(new Error('no answer in time')))
  const response = await fetch(url, { signal: ending.signal }).finally(unanswered)
  if (!response.ok) throw new Error(`the answer is ${response.status}`)
  const unfinished = systemClock.after(DOWNLOAD_WITHIN_MS, () => ending.abort(new Error('the download takes too long')))
  const body = Buffer.from(await response.arrayBuffer().finally(unfinished))
  const digest = createHash('sha256').update(body).digest('hex')
  if (digest !== sha256) throw new Error(`its SHA-256 must be ${sha256}: current value is ${digest}`)
  const file = join(folder, 'archive.tar.gz')
  await writeFile(file, body)
  await run('tar', ['-xzf', file, '-C', folder])
  return join(folder, `nats-server-v${RELEASE}-${name}`, 'nats-server')
}

async function fromDebian(folder: string, codename?: string): Promise<string> {
  return join(await unpackDebian({ name: 'nats-server', folder, codename }), 'usr', 'sbin', 'nats-server')
}

function reasonOf(error: unknown): string {
  const { message, cause, stderr } = error as Error & { stderr?: string }
  const said = stderr?.split('\n').find((line) => line.startsWith('E:'))
  return said ?? (cause instanceof Error ? `${message} (${cause.message})` : message)
}
