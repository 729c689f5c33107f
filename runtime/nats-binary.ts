/**
 * Where the nats-server program comes from: found on this machine, or put into the project's cache.
 *
 * Owns finding, downloading by pinned digest, and unpacking Debian's package without root. Leaves running it to nats-server.ts.
 *
 * - G1 Nothing is run that was not found in a place the user controls, or whose bytes do not have the pinned SHA-256, or that
 *   apt has not checked.
 * - G2 The cache holds a whole program or none: it is unpacked beside and renamed into its place.
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from './clock.ts'
import { ErrorCode, OperatingError } from './errors.ts'

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
}

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
const APT_WITHIN_MS = 120_000

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

/** Puts the program into the cache: the official archive, else Debian's package. Throws `unavailable` with what to do by hand. */
export async function obtainNatsServer({ cacheDir, log }: ObtainOptions): Promise<NatsBinary> {
  await mkdir(cacheDir, { recursive: true })
  const failures: string[] = []
  for (const [source, fetchInto] of [
    [`the official archive of ${RELEASE}`, fromArchive],
    ["Debian's package", fromDebian],
  ] as const) {
    const folder = await mkdtemp(join(cacheDir, 'unpack-'))
    try {
      log(`nats-server: fetching ${source}`)
      const unpacked = await fetchInto(folder)
      await chmod(unpacked, 0o755)
      if ((await versionOf(unpacked)) === null) throw new Error('it does not run on this machine')
      const path = join(cacheDir, 'nats-server')
      await rename(unpacked, path)
      const version = await versionOf(path)
      if (version === null) throw new Error('it does not run from the cache')
      log(`nats-server: ${version} is in ${path}`)
      return { path, version }
    } catch (error) {
      failures.push(`${source}: ${reasonOf(error)}`)
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

async function fromDebian(folder: string): Promise<string> {
  const privately = [
    ['Dir::State::lists', join(folder, 'lists')],
    ['Dir::Cache', join(folder, 'apt')],
    ['Debug::NoLocking', '1'],
    ['Acquire::http::Timeout', '10'],
    ['Acquire::https::Timeout', '10'],
    ['Acquire::Retries', '1'],
    // The sandbox user may not write into a folder of ours.
    ['APT::Sandbox::User', ''],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`])
  const apt = (...args: string[]) => run('apt-get', args, { cwd: folder, timeout: APT_WITHIN_MS, env: { ...process.env, LC_ALL: 'C' } })
  try {
    await apt('-o', 'APT::Sandbox::User=', 'download', 'nats-server')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('there is no apt-get on this machine')
    // A bare machine has no package lists. Ours lie in the cache, so that no root is needed and the machine's stay as they are.
    await mkdir(join(folder, 'lists', 'partial'), { recursive: true })
    await mkdir(join(folder, 'apt', 'archives', 'partial'), { recursive: true })
    await apt(...privately, 'update')
    await apt(...privately, 'download', 'nats-server')
  }
  const deb = (await readdir(folder)).find((name) => name.startsWith('nats-server') && name.endsWith('.deb'))
  if (deb === undefined) throw new Error('apt-get download gave no package')
  await run('dpkg', ['-x', join(folder, deb), join(folder, 'package')])
  return join(folder, 'package', 'usr', 'sbin', 'nats-server')
}

function reasonOf(error: unknown): string {
  const { message, cause, stderr } = error as Error & { stderr?: string }
  const said = stderr?.split('\n').find((line) => line.startsWith('E:'))
  return said ?? (cause instanceof Error ? `${message} (${cause.message})` : message)
}
