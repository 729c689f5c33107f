import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findChromium } from '../../deploy/chromium.ts'

const root = join(import.meta.dirname, '../..')
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-set-up-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function program(path: string, text: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
}

describe('set-up', () => {
  /** A project of which only set-up is real: npm is a script that writes down what it is asked, and installs a link to this Node. */
  async function project(npm: string): Promise<(...args: string[]) => Promise<{ code: number; out: string; npmCalls: string }>> {
    await mkdir(join(folder, 'deploy'))
    await mkdir(join(folder, 'bin'))
    await copyFile(join(root, 'deploy/set-up'), join(folder, 'deploy/set-up'))
    await writeFile(join(folder, 'package-lock.json'), '{}')
    await writeFile(join(folder, 'deploy/set-up.ts'), 'console.log("second half", ...process.argv.slice(2))')
    await program(join(folder, 'bin/npm'), `echo "$@" >>"${folder}/npm-calls"\n${npm}`)
    await program(join(folder, 'bin/node'), `exec "${process.execPath}" "$@"`)
    return (...args) =>
      new Promise((resolve) => {
        const env = { PATH: [join(folder, 'bin'), '/usr/bin', '/bin'].join(delimiter), HOME: folder }
        execFile('/bin/sh', [join(folder, 'deploy/set-up'), ...args], { env }, (error, stdout, stderr) => {
          const done = async () => resolve({ code: Number(error?.code ?? 0), out: stdout + stderr, npmCalls: await readFile(join(folder, 'npm-calls'), 'utf8').catch(() => '') })
          void done()
        })
      })
  }
  const installs = `mkdir -p node_modules/.bin node_modules/node; ln -sf "${process.execPath}" node_modules/.bin/node`

  it('installs by the lockfile once, and again when the lockfile changes', async () => {
    const setUp = await project(installs)
    const first = await setUp('--with-tests')
    expect(first).toMatchObject({ code: 0, npmCalls: 'ci --no-audit --no-fund --loglevel=error\n' })
    expect(first.out).toContain('second half --with-tests')
    const second = await setUp()
    expect(second.out).toBe('second half\n')
    expect(second.npmCalls).toBe(first.npmCalls)
    await writeFile(join(folder, 'package-lock.json'), '{"changed": true}')
    expect((await setUp()).npmCalls).toBe(first.npmCalls + first.npmCalls)
  })

  it('shows what npm said where it fails, and tries again the next time', async () => {
    const setUp = await project(`echo "no such registry"; [ -e "${folder}/mended" ] || exit 1; ${installs}`)
    const failed = await setUp()
    expect(failed.code).toBe(1)
    expect(failed.out).toContain('no such registry')
    expect(failed.out).not.toContain('second half')
    await writeFile(join(folder, 'mended'), '')
    const mended = await setUp()
    expect(mended.code).toBe(0)
    expect(mended.out).not.toContain('no such registry')
  })

  it('fetches Node itself where npm runs no scripts of packages', async () => {
    const fetches = `mkdir -p node_modules/node; echo '{"version": "24.0.0"}' >node_modules/node/package.json
      echo 'const fs = require("fs"); fs.mkdirSync("bin"); fs.symlinkSync(${JSON.stringify(process.execPath)}, "bin/node")' >node_modules/node/installArchSpecificPackage.js`
    const setUp = await project(fetches)
    const first = await setUp()
    expect(first.out).toContain('fetching Node 24.0.0')
    expect(first.out).toContain('second half')
    expect((await setUp()).out).toBe('second half\n')
  })

  it('installs nothing through a link, since npm would empty the folder of another project that it points to', async () => {
    const setUp = await project(`rm -rf node_modules/*; ${installs}`)
    await mkdir(join(folder, 'elsewhere'))
    await writeFile(join(folder, 'elsewhere/of-another'), '')
    await symlink(join(folder, 'elsewhere'), join(folder, 'node_modules'))
    const refused = await setUp()
    expect(refused.code).toBe(1)
    expect(refused.out).toContain(`Cannot install the packages as node_modules must be a folder of this project: current value is a link to ${join(folder, 'elsewhere')}`)
    expect(refused.npmCalls).toBe('')
    expect(await readdir(join(folder, 'elsewhere'))).toEqual(['of-another'])
    await rm(join(folder, 'node_modules'))
    expect((await setUp()).code).toBe(0)
  })

  it('takes a node_modules that npm wrote after the lockfile as it is', async () => {
    const setUp = await project(installs)
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true })
    await program(join(folder, 'node_modules/.bin/node'), `exec "${process.execPath}" "$@"`)
    await writeFile(join(folder, 'node_modules/.package-lock.json'), '{}')
    expect(await setUp()).toEqual({ code: 0, out: 'second half\n', npmCalls: '' })
  })
})

describe('the lockfile', () => {
  it('names the optional packages of every platform, so that `npm ci` takes it wherever it was written', async () => {
    const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>
    }
    const named = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)))
    const missing = Object.values(packages).flatMap((p) => Object.keys(p.optionalDependencies ?? {}).filter((name) => !named.has(name)))
    expect(missing).toEqual([])
  })
})

describe('finding a Chromium', () => {
  it('takes the one named, else the first on the PATH', async () => {
    await program(join(folder, 'google-chrome'), 'true')
    await program(join(folder, 'mine'), 'true')
    expect(findChromium({ PATH: folder })).toBe(join(folder, 'google-chrome'))
    expect(findChromium({ PATH: folder, CHROMIUM: join(folder, 'mine') })).toBe(join(folder, 'mine'))
    expect(findChromium({ PATH: folder, CHROMIUM: join(folder, 'absent') })).toBe(join(folder, 'google-chrome'))
  })
})
