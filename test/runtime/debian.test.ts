import { execFile, execFileSync } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { debianRelease, mirrorsOf, sourcesOf, unpackDebian } from '../../runtime/debian.ts'
import { newerServer, notTested } from '../support/servers.ts'

const run = promisify(execFile)
const hasApt = await run('apt-get', ['--version']).then(
  () => true,
  () => false,
)
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-debian-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe("a machine's release", () => {
  it('is its number and name where it is a Debian that has been released', () => {
    expect(debianRelease('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')).toEqual({ number: 12, codename: 'bookworm' })
    expect(debianRelease('PRETTY_NAME="Debian GNU/Linux forky/sid"\nID=debian\nVERSION_CODENAME=forky\n')).toBeNull()
    expect(debianRelease('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n')).toBeNull()
    expect(debianRelease('')).toBeNull()
  })
})

describe('mirrors of a release', () => {
  const of = (name: string, text: string) => mirrorsOf([{ name, text }], 'bookworm')

  it('are read from lines', () => {
    const text = `# deb http://commented/debian bookworm main
deb http://one/debian bookworm main contrib # and more
deb [arch=amd64 signed-by=/keys/two.gpg trusted=yes] https://two/debian bookworm main
deb-src http://three/debian bookworm main
deb http://four/debian bookworm-updates main
deb http://five/debian bookworm contrib
deb [signed-by=/keys/five.gpg] https://five/apt cloud-bookworm main`
    expect(of('sources.list', text)).toEqual([
      { uri: 'http://one/debian', signedBy: null },
      { uri: 'https://two/debian', signedBy: '/keys/two.gpg' },
    ])
  })

  it('are read from stanzas', () => {
    const text = `Types: deb deb-src
# A comment may stand between.
URIs: http://one/debian http://two/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /keys/debian.gpg
Trusted: yes

Types: deb
URIs: http://three/debian
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://four/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://five/debian
Suites: bookworm
Components: contrib main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQENBF
 -----END PGP PUBLIC KEY BLOCK-----`
    const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQENBF\n -----END PGP PUBLIC KEY BLOCK-----'
    expect(of('debian.sources', text)).toEqual([
      { uri: 'http://one/debian', signedBy: '/keys/debian.gpg' },
      { uri: 'http://two/debian', signedBy: '/keys/debian.gpg' },
      { uri: 'http://five/debian', signedBy: key },
    ])
    // What is written for another release reads back as the same mirrors, keys included, and switches no check off.
    const written = sourcesOf(of('debian.sources', text), 'trixie')
    expect(mirrorsOf([{ name: 'x.sources', text: written }], 'trixie')).toEqual(of('debian.sources', text))
    expect(written).not.toMatch(/trusted|bookworm/i)
  })
})

describe('a package of another release', () => {
  /** A machine's /etc whose mirror is the folder `mirror`, with the release there that is asked for. */
  async function machine(options: string): Promise<string> {
    const dist = join(folder, 'mirror/dists/trixie')
    const etc = join(folder, 'etc')
    await mkdir(join(dist, 'main'), { recursive: true })
    await mkdir(join(etc, 'apt'), { recursive: true })
    await writeFile(join(etc, 'os-release'), 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
    await writeFile(join(etc, 'apt/sources.list'), `deb ${options} file:${folder}/mirror bookworm main\n`)
    await writeFile(join(dist, 'Release'), `Suite: trixie\nCodename: trixie\nComponents: main\nDate: ${new Date().toUTCString().replace('GMT', 'UTC')}\n`)
    return etc
  }

  async function reasonOf(etc: string): Promise<string> {
    await mkdir(join(folder, 'into'))
    const error = await unpackDebian({ name: 'nats-server', folder: join(folder, 'into'), codename: 'trixie', etc }).then(
      () => ({ message: 'none' }),
      (e: Error & { stderr?: string }) => ({ message: `${e.message}\n${e.stderr ?? ''}` }),
    )
    return error.message
  }

  it.skipIf(!hasApt)('is refused from a mirror without a signature, even where the machine would trust that mirror blindly', async () => {
    expect(await reasonOf(await machine('[trusted=yes]'))).toMatch(/is not signed/)
  })

  it('is refused where the machine is no Debian, in words', async () => {
    const etc = await machine('')
    await writeFile(join(etc, 'os-release'), 'ID=ubuntu\nVERSION_ID="24.04"\n')
    expect(await reasonOf(etc)).toContain('no mirror of its own release')
  })

  it("is fetched from the machine's own mirror, checked, and unpacked, and apt's own state stays as it is", { timeout: 180_000 }, async (context) => {
    const before = hasApt ? await stateOfApt() : ''
    const { binary, reason } = await newerServer(join(folder, 'fetched'))
    if (binary === null) return notTested(context, 'a nats-server of a newer Debian', reason)
    expect(binary.version).toMatch(/^2\.10\.(2[3-9]|[3-9]\d)/)
    expect(execFileSync(binary.path, ['--version']).toString()).toContain(`v${binary.version}`)
    expect(await readdir(join(folder, 'fetched'))).toEqual(['nats-server'])
    expect(await stateOfApt()).toBe(before)
  })
})

/** Names, sizes and times of what apt keeps. */
async function stateOfApt(): Promise<string> {
  const folders = ['/var/lib/apt/lists', '/var/cache/apt', '/var/cache/apt/archives', '/etc/apt', '/etc/apt/sources.list.d']
  const of = async (path: string) => {
    const names = await access(path).then(() => readdir(path), () => [])
    return Promise.all(names.map(async (name) => `${path}/${name} ${await stat(join(path, name)).then((s) => `${s.size} ${s.mtimeMs}`, () => '')}`))
  }
  return (await Promise.all(folders.map(of))).flat().sort().join('\n')
}
