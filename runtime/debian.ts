/**
 * Debian's packages without root: fetched and checked by apt, unpacked by dpkg into a folder of ours.
 *
 * Owns the private state that apt works on and the sources in it. Leaves which package, and what for, to its callers.
 *
 * - D1 The machine's own state of apt is read and never written: lists, archives and sources of ours lie in the folder that is given.
 * - D2 A newer release comes from the machine's own mirror and is checked against the machine's own keys. What would switch that check
 *   off (`Trusted`, `Allow-Insecure`) is not taken over.
 */

import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A line of the machine's sources that holds a release's main part. */
export interface Mirror {
  readonly uri: string
  /** A file of keys, or a key as it stands in the sources; null: the keys that apt trusts for all sources. */
  readonly signedBy: string | null
}

const UPDATE_WITHIN_MS = 120_000

/** Number and name of Debian's release by the text of /etc/os-release: 12 and `bookworm`; null where it is none that has a number. */
export function debianRelease(osRelease: string): { number: number; codename: string } | null {
  const field = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? ''
  const number = Number(field('VERSION_ID'))
  return field('ID') === 'debian' && number > 0 ? { number, codename: field('VERSION_CODENAME') } : null
}

/** Mirrors of `codename` in the texts of sources, of both forms that apt reads: lines, and stanzas of fields. */
export function mirrorsOf(texts: readonly { name: string; text: string }[], codename: string): Mirror[] {
  const found = texts.flatMap(({ name, text }) => (name.endsWith('.sources') ? ofStanzas(text, codename) : ofLines(text, codename)))
  return found.filter(({ uri }, i) => found.findIndex((other) => other.uri === uri) === i)
}

function ofLines(text: string, codename: string): Mirror[] {
  return text.split('\n').flatMap((line) => {
    const [, options = '', uri, suite, parts] = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line) ?? []
    if (suite !== codename || !parts!.split(/\s+/).includes('main')) return []
    return [{ uri: uri!, signedBy: /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1] ?? null }]
  })
}

function ofStanzas(text: string, codename: string): Mirror[] {
  return text.replace(/^#.*\n?/gm, '').split(/\n\s*\n/).flatMap((stanza) => {
    // A value goes on in the lines that begin with a space.
    const fields = new Map([...stanza.matchAll(/^([\w-]+):((?:.*)(?:\n[ \t].*)*)/gm)].map(([, name, value]) => [name!.toLowerCase(), value!.trim()]))
    const words = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/).filter((word) => word !== '')
    if (/^(no|false|0)$/i.test(fields.get('enabled') ?? 'yes') || !words('types').includes('deb')) return []
    if (!words('suites').includes(codename) || !words('components').includes('main')) return []
    return words('uris').map((uri) => ({ uri, signedBy: fields.get('signed-by') || null }))
  })
}

/** Sources of another release on the same mirrors. */
export function sourcesOf(mirrors: readonly Mirror[], codename: string): string {
  return mirrors
    .map(({ uri, signedBy }) => {
      const key = signedBy === null ? [] : [`Signed-By:${signedBy.includes('\n') ? '\n ' : ' '}${signedBy}`]
      return [`Types: deb`, `URIs: ${uri}`, `Suites: ${codename}`, 'Components: main', ...key, ''].join('\n')
    })
    .join('\n')
}

export interface UnpackOptions {
  readonly name: string
  /** An empty folder of ours, whose user may be anyone. */
  readonly folder: string
  /** Another release of Debian than the machine's own. */
  readonly codename?: string
  /** Of the machine; `/etc` by default. */
  readonly etc?: string
}

/** Fetches a package and unpacks it into `<folder>/package`. Rejects with the reason in words. */
export async function unpackDebian({ name, folder, codename, etc = '/etc' }: UnpackOptions): Promise<string> {
  const apt = (...args: string[]) => run('apt-get', args, { cwd: folder, timeout: UPDATE_WITHIN_MS, env: { ...process.env, LC_ALL: 'C' } })
  // The sandbox user may not write into a folder of ours.
  const download = ['-o', 'APT::Sandbox::User=', 'download', name]
  const own = codename === undefined ? [] : await otherSources(folder, codename, etc)
  const updated = async (): Promise<void> => {
    for (const part of ['lists/partial', 'apt/archives/partial']) await mkdir(join(folder, part), { recursive: true })
    const lists = privately(folder)
    await apt(...own, ...lists, 'update')
    await apt(...own, ...lists, ...download)
  }
  try {
    if (codename === undefined) await apt(...download)
    else await updated()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('there is no apt-get on this machine')
    if (codename !== undefined) throw error
    // A bare machine has no package lists. Ours lie in the folder, so that no root is needed and the machine's stay as they are.
    await updated()
  }
  const deb = (await readdir(folder)).find((file) => file.startsWith(name) && file.endsWith('.deb'))
  if (deb === undefined) throw new Error('apt-get download gave no package')
  const into = join(folder, 'package')
  await run('dpkg', ['-x', join(folder, deb), into])
  return into
}

/** Options of apt that keep its state in the folder, and the lists small. */
function privately(folder: string): string[] {
  return [
    ['Dir::State::lists', join(folder, 'lists')],
    ['Dir::Cache', join(folder, 'apt')],
    ['Debug::NoLocking', '1'],
    ['Acquire::http::Timeout', '10'],
    ['Acquire::https::Timeout', '10'],
    ['Acquire::Retries', '1'],
    ['Acquire::Languages', 'none'],
    ['Acquire::IndexTargets::deb::DEP-11::DefaultEnabled', 'false'],
    ['APT::Sandbox::User', ''],
    // Lists that could not be fetched are told here, and not as a package that nobody knows.
    ['APT::Update::Error-Mode', 'any'],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`])
}

/** Writes the sources of another release into the folder; gives the options by which apt reads them alone. */
async function otherSources(folder: string, codename: string, etc: string): Promise<string[]> {
  const release = debianRelease(await readFile(join(etc, 'os-release'), 'utf8').catch(() => ''))
  const parts = await readdir(join(etc, 'apt/sources.list.d')).catch(() => [])
  const names = ['sources.list', ...parts.filter((name) => /\.(list|sources)$/.test(name)).map((name) => `sources.list.d/${name}`)]
  const texts = await Promise.all(names.map(async (name) => ({ name, text: await readFile(join(etc, 'apt', name), 'utf8').catch(() => '') })))
  const mirrors = release === null ? [] : mirrorsOf(texts, release.codename)
  if (mirrors.length === 0) throw new Error("this machine's sources of apt name no mirror of its own release of Debian")
  const folderOfSources = join(folder, 'sources')
  await mkdir(folderOfSources)
  await writeFile(join(folderOfSources, 'newer.sources'), sourcesOf(mirrors, codename))
  return ['-o', 'Dir::Etc::sourcelist=/dev/null', '-o', `Dir::Etc::sourceparts=${folderOfSources}`]
}
