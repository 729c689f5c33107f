/**
 * The files of the dashboard as a browser takes them: types stripped, compressed, named by what they hold.
 *
 * Owns what is served and how it is cached. Leaves the page to page.ts and the URLs to routes.ts.
 *
 * Invariants
 * - I1 Every asset lives under one folder named by the hash of all of them, so that modules can import each other by
 *   relative path and still be cached for ever: a changed file is another folder.
 * - I2 Nothing outside the lists below is ever read or served, whatever a URL says.
 * - I3 There is no build step: a file is read, stripped and compressed once, in memory, when the first reader asks.
 */

import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

/** A file as it is served. `etag` is a quoted hash of its content. */
export interface Asset {
  readonly type: string
  readonly etag: string
  /** Its bytes, compressed once and kept. */
  encoded(encoding: Encoding): Promise<Buffer<ArrayBuffer>>
}

/** Encodings that an asset is served in. */
export type Encoding = 'identity' | 'gzip' | 'br'

export interface Assets {
  /** Hash of all assets together: the folder they are served under. */
  readonly version: string
  /** Names below the folder, such as `client/main.ts`, `style.css`. */
  readonly names: readonly string[]
  get(name: string): Asset | null
  /** The modules that these import, themselves included, each once: what a browser will ask for. */
  needed(modules: readonly string[]): string[]
}

const HERE = dirname(fileURLToPath(import.meta.url))
const TYPES = { ts: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' } as const

const compressGzip = promisify(gzip)
const compressBrotli = promisify(brotliCompress)

/**
 * Reads every file of the dashboard.
 *
 * @throws where a client module can't be stripped of its types: a bug, since the type checker passes it
 */
export function loadAssets(): Assets {
  const files = new Map<string, Asset>()
  const imports = new Map<string, string[]>()
  const add = (name: string, type: string, text: string) => files.set(name, makeAsset(type, text))
  const addModule = (name: string, text: string) => {
    add(name, TYPES.ts, text)
    imports.set(name, [...text.matchAll(/\bfrom '(\.[^']+)'/g)].map(([, path]) => join(dirname(name), path)))
  }

  const modules = readdirSync(join(HERE, 'client'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  for (const file of modules.sort()) addModule(`client/${file}`, strip(readFileSync(join(HERE, 'client', file), 'utf8')))
  add('mark.svg', TYPES.svg, readFileSync(join(HERE, 'mark.svg'), 'utf8'))

  // The plotting library comes from its package. Its minified file is a classic script that makes a global: one line makes it a module.
  const uplot = dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
  addModule('client/uplot.js', `${readFileSync(join(uplot, 'dist/uPlot.iife.min.js'), 'utf8')}\nexport default uPlot\n`)
  // One file, so that a page waits for one: the library's looks, then ours in order of their names.
  const sheets = readdirSync(join(HERE, 'style')).filter((file) => file.endsWith('.css')).sort().map((file) => join(HERE, 'style', file))
  add('style.css', TYPES.css, [join(uplot, 'dist/uPlot.min.css'), ...sheets].map((file) => readFileSync(file, 'utf8')).join('\n'))

  const all = createHash('sha256')
  for (const [name, asset] of files) all.update(`${name}\n`).update(asset.etag)

  return {
    version: all.digest('hex').slice(0, 12),
    names: [...files.keys()],
    get: (name) => files.get(name) ?? null,
    needed(modules) {
      const all = new Set<string>()
      const follow = (name: string) => {
        if (all.has(name)) return
        all.add(name)
        imports.get(name)?.forEach(follow)
      }
      modules.forEach(follow)
      return [...all]
    },
  }
}

/** `text` as it is served under a content type. */
export function makeAsset(type: string, text: string): Asset {
  const identity = Buffer.from(text)
  const packed = new Map<Encoding, Promise<Buffer<ArrayBuffer>>>()
  return {
    type,
    etag: `"${createHash('sha256').update(identity).digest('base64url').slice(0, 22)}"`,
    encoded: (encoding) => {
      let done = packed.get(encoding)
      if (!done) packed.set(encoding, (done = encode(identity, encoding)))
      return done
    },
  }
}

/** The best of what `acceptEncoding` allows; a quality of zero forbids. */
export function chooseEncoding(acceptEncoding: string | undefined): Encoding {
  const allowed = new Set<string>()
  for (const part of (acceptEncoding ?? '').split(',')) {
    const [name, ...parameters] = part.trim().toLowerCase().split(';')
    if (!parameters.some((p) => /^\s*q=0(\.0*)?\s*$/.test(p))) allowed.add(name)
  }
  if (allowed.has('br')) return 'br'
  return allowed.has('gzip') ? 'gzip' : 'identity'
}

async function encode(bytes: Buffer<ArrayBuffer>, encoding: Encoding): Promise<Buffer<ArrayBuffer>> {
  if (encoding === 'br') return compressBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } })
  if (encoding === 'gzip') return compressGzip(bytes, { level: 9 })
  return bytes
}

/** Blanks the types of a module, and leads its import of the plotting library to where that is served. */
function strip(source: string): string {
  const { emitWarning } = process
  // Node says once a process that this function may change; a log line about it helps nobody who runs the store.
  process.emitWarning = () => {}
  try {
    return withoutComments(stripTypeScriptTypes(source, { mode: 'strip' })).replaceAll(`from 'uplot'`, `from '../uplot.js'`)
  } finally {
    process.emitWarning = emitWarning
  }
}

/**
 * Blanks comments that have lines of their own, and what is left of types at the ends of lines: a quarter of what would go over the wire. Lines keep
 * their numbers, for stack traces. Texts that span lines must not have one that begins as a comment does; a test looks at what the modules do have.
 */
export function withoutComments(source: string): string {
  let isWithin = false
  const lines = source.split('\n').map((line) => {
    const text = line.trim()
    if (!isWithin && !text.startsWith('/*')) return text.startsWith('//') ? '' : line.trimEnd()
    const end = text.indexOf('*/', isWithin ? 0 : 2)
    isWithin = end < 0
    return end < 0 ? '' : text.slice(end + 2)
  })
  return lines.join('\n')
}
