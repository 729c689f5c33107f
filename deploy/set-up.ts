/**
 * The second half of deploy/set-up, on the project's own Node: makes sure of nats-server and, with `--with-tests`, of a Chromium and a Prometheus.
 * A nats-server that it has put into the cache stays as it is until `--upgrade-nats-server` asks for a newer one.
 *
 * One of these two that can't be had is no failure here: the tests that need it say so themselves.
 */

import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ErrorCode, isOperating } from '../runtime/errors.ts'
import { findNatsServer, obtainNatsServer } from '../runtime/nats-binary.ts'
import { findChromium } from './chromium.ts'
import { findPrometheus, obtainPrometheus } from './prometheus.ts'

const run = promisify(execFile)
const say = (line: string): void => console.log(`set-up: ${line}`)

async function ensureNatsServer({ upgrade }: { upgrade: boolean }): Promise<void> {
  const cacheDir = join(import.meta.dirname, '..', '.cache', 'nats-server')
  const found = await findNatsServer({ cacheDir })
  if (found !== null && !upgrade) return
  if (found !== null && dirname(found.path) !== cacheDir) {
    return say(`nats-server ${found.version} at ${found.path} is this machine's own: upgrade it there`)
  }
  if (found === null) return void (await obtainNatsServer({ cacheDir, log: say }))
  try {
    const { version } = await obtainNatsServer({ cacheDir, log: say, newerThan: found.version })
    say(`nats-server was ${found.version}, and is ${version} from its next start on`)
  } catch (error) {
    if (!isOperating(error, ErrorCode.unavailable)) throw error
    say(`nats-server stays ${found.version}: no newer one is to be had`)
  }
}

async function ensureChromium(): Promise<void> {
  if (findChromium() !== null) return
  const byHand = 'install Chromium, or name one in CHROMIUM; the tests of the dashboard can not run without it'
  if (process.getuid?.() !== 0) return say(`there is no Chromium, and only root can install Debian's: ${byHand}`)
  say("installing Debian's chromium for the tests of the dashboard")
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args: string[]) => run('apt-get', args, { env, maxBuffer: 64 * 1024 * 1024 })
  try {
    await apt('update')
    await apt('install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core')
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
    say(`cannot install Chromium (${code === 'ENOENT' ? 'there is no apt-get' : (stderr?.trim().split('\n').at(-1) ?? message)}): ${byHand}`)
  }
}

async function ensurePrometheus(): Promise<void> {
  if (findPrometheus() !== null) return
  say("fetching Debian's prometheus for the tests of its rules")
  await obtainPrometheus().catch((error: Error) => {
    const reason = error.message.trim().split('\n').at(-1)
    say(`cannot fetch Prometheus (${reason}): install it, or name its folder in PROMETHEUS; its tests can not run without it`)
  })
}

try {
  await ensureNatsServer({ upgrade: process.argv.includes('--upgrade-nats-server') })
  if (process.argv.includes('--with-tests')) {
    await ensureChromium()
    await ensurePrometheus()
  }
} catch (error) {
  if (!isOperating(error)) throw error
  console.error(`set-up: ${error.message}`)
  process.exit(1)
}
