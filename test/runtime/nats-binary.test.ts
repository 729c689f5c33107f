import { access, chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isOperating } from '../../runtime/errors.ts'
import { findNatsServer, obtainNatsServer } from '../../runtime/nats-server.ts'

let folder: string
let bin: string
let cacheDir: string
const pathBefore = process.env.PATH

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-binary-'))
  bin = join(folder, 'bin')
  cacheDir = join(folder, 'cache')
  await mkdir(bin)
  await mkdir(cacheDir)
})
afterEach(async () => {
  vi.unstubAllGlobals()
  process.env.PATH = pathBefore
  await rm(folder, { recursive: true, force: true })
})

async function program(path: string, text: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
  return path
}

const server = (path: string, version: string) => program(path, `echo "nats-server: v${version}"`)

async function failureOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  const error = await promise.then(
    () => null,
    (e: Error) => e,
  )
  expect(isOperating(error)).toBe(true)
  return error!
}

describe('finding nats-server', () => {
  it('prefers the one named, then the PATH, then the cache', async () => {
    const cached = await server(join(cacheDir, 'nats-server'), '2.9.10')
    // A machine may have one of its own in a folder that is always looked at.
    const ofMachine = await Promise.any(['/usr/sbin', '/usr/local/bin'].map((f) => access(join(f, 'nats-server')).then(() => f))).catch(() => null)
    if (ofMachine === null) expect(await findNatsServer({ cacheDir, env: { PATH: bin } })).toEqual({ path: cached, version: '2.9.10' })
    const onPath = await server(join(bin, 'nats-server'), '2.10.27')
    expect(await findNatsServer({ cacheDir, env: { PATH: bin } })).toEqual({ path: onPath, version: '2.10.27' })
    const named = await server(join(folder, 'mine'), '2.15.0-preview.1')
    expect(await findNatsServer({ cacheDir, env: { PATH: bin, NATS_SERVER: named } })).toEqual({ path: named, version: '2.15.0-preview.1' })
  })

  it('passes over a program that does not run, and refuses one that was named', async () => {
    await program(join(bin, 'nats-server'), 'exit 1')
    expect((await findNatsServer({ cacheDir, env: { PATH: bin } }))?.path).not.toBe(join(bin, 'nats-server'))
    const error = await failureOf(findNatsServer({ cacheDir, env: { NATS_SERVER: join(bin, 'nats-server') } }))
    expect(error.code).toBe('config')
    expect(error.message).toContain(join(bin, 'nats-server'))
  })
})

describe('obtaining nats-server', () => {
  /**
   * An apt-get and a dpkg that act on nothing but our folder. `lists`: whether the machine has package lists; `newer`: whether a newer
   * release than the machine's own is to be had.
   */
  async function debian(lists: boolean, newer: boolean): Promise<void> {
    await program(
      join(bin, 'apt-get'),
      `case "$*" in
        *Dir::Etc::sourceparts*update) ${newer ? ':' : 'echo "E: The repository is not signed." >&2; exit 100'};;
        *Dir::Etc::sourceparts*download*) touch nats-server_10.deb;;
        *Dir::State::lists*update) touch "${folder}/updated";;
        *Dir::State::lists*download*) [ -e "${folder}/updated" ] || exit 100; touch nats-server_9.deb;;
        *download*) ${lists ? 'touch nats-server_9.deb' : 'echo "E: Unable to locate package" >&2; exit 100'};;
        *) exit 1;;
      esac`,
    )
    await program(
      join(bin, 'dpkg'),
      `case "$2" in *_10.deb) v=2.10.27;; *) v=2.9.10;; esac
      [ "$1" = -x ] && mkdir -p "$3/usr/sbin" && printf '#!/bin/sh\\necho "nats-server: v%s"\\n' $v >"$3/usr/sbin/nats-server"`,
    )
    process.env.PATH = [bin, pathBefore].join(delimiter)
  }
  const unreachable = () => Promise.reject(new Error('fetch failed'))

  const from = ['archive', 'newer', 'own'] as const

  it("unpacks a newer Debian's package where the release page is out of reach, and leaves nothing else behind", async () => {
    vi.stubGlobal('fetch', unreachable)
    await debian(true, true)
    const path = join(cacheDir, 'nats-server')
    expect(await obtainNatsServer({ cacheDir, log: () => {}, from })).toEqual({ path, version: '2.10.27' })
    expect(await readdir(cacheDir)).toEqual(['nats-server'])
  })

  it("unpacks the package of the machine's own release where no newer one can be trusted, and says why", async () => {
    vi.stubGlobal('fetch', unreachable)
    await debian(true, false)
    const said: string[] = []
    expect((await obtainNatsServer({ cacheDir, log: (line) => said.push(line), from })).version).toBe('2.9.10')
    expect(said.join('\n')).toContain('no luck with the package of Debian 13 (trixie): E: The repository is not signed.')
    expect(await readdir(cacheDir)).toEqual(['nats-server'])
  })

  it('fetches package lists of its own on a machine that has none', async () => {
    vi.stubGlobal('fetch', unreachable)
    await debian(false, false)
    expect((await obtainNatsServer({ cacheDir, log: () => {}, from })).version).toBe('2.9.10')
    expect(await readdir(cacheDir)).toEqual(['nats-server'])
  })

  it('replaces what is cached by nothing that is not newer', async () => {
    vi.stubGlobal('fetch', unreachable)
    await debian(true, true)
    const cached = await server(join(cacheDir, 'nats-server'), '2.9.10')
    expect((await obtainNatsServer({ cacheDir, log: () => {}, from, newerThan: '2.9.10' })).version).toBe('2.10.27')
    await server(cached, '2.14.5')
    const error = await failureOf(obtainNatsServer({ cacheDir, log: () => {}, from, newerThan: '2.14.5' }))
    expect(error.message).toContain('it is 2.10.27, and 2.14.5 is there already')
    expect((await findNatsServer({ cacheDir, env: { NATS_SERVER: cached } }))!.version).toBe('2.14.5')
  })

  it('never takes an archive whose bytes are not the pinned ones', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('something else')))
    await program(join(bin, 'apt-get'), 'exit 1')
    process.env.PATH = [bin, pathBefore].join(delimiter)
    const error = await failureOf(obtainNatsServer({ cacheDir, log: () => {} }))
    expect(error.message).toMatch(/SHA-256 must be [0-9a-f]{64}/)
    expect(await readdir(cacheDir)).toEqual([])
  })

  it('says what to do by hand where nothing works', async () => {
    vi.stubGlobal('fetch', unreachable)
    process.env.PATH = bin
    const error = await failureOf(obtainNatsServer({ cacheDir, log: () => {} }))
    expect(error.code).toBe('unavailable')
    for (const words of ['fetch failed', 'no apt-get', 'NATS_SERVER=', '--nats']) expect(error.message).toContain(words)
  })
})
