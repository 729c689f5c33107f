/**
 * An author's file and the files that it imports, read and put in order, each before those that import it.
 *
 * Owns which files those may be: `weir/actor`, and files beside the author's or in folders beneath, by relative paths. So whoever wrote the file chooses
 * nothing else on the machine that Weir would read for them.
 *
 * - X1 Imports of types alone are left as they are: they go with the types.
 */

import { createHash } from 'node:crypto'
import { readFile, realpath } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OperatingError } from '../../runtime/errors.ts'

/** A module; `imports` names, by specifier, the index of another one before it. */
export interface AuthorModule {
  readonly text: string
  readonly imports: Readonly<Record<string, number>>
}

export interface AuthorModules {
  /** The last one is the author's own. */
  readonly modules: readonly AuthorModule[]
  /** Tells one state of all of these texts from another; 12 hexadecimal digits. */
  readonly code: string
}

const CONTRACT = fileURLToPath(new URL('./contract.ts', import.meta.url))
const BYTES_MAX = 1024 * 1024
const FILES_MAX = 100
/** `import … from 'x'`, `import 'x'`, `export … from 'x'`, with what says that it is of types alone. */
export const IMPORT = /(^|[\n;])(\s*(?:import|export)\s+)(type\s+(?!from\b))?((?:[^'";]*?\bfrom\s*)?)(['"])([^'"\n]+)\5/g

/** Throws `OperatingError` `config` where a file can't be read, or imports what it may not. */
export async function readModules(file: string): Promise<AuthorModules> {
  const refuse = (must: string, current: string, cause?: unknown): never => {
    throw new OperatingError('config', `Cannot run ${file} as ${must}: ${current}`, { cause })
  }
  const real = (path: string) => realpath(path).catch((cause: unknown) => refuse('each of its files must be there and be readable', path, cause))
  const [top, contract] = [await real(file), await real(CONTRACT)]
  const folder = dirname(top)
  const modules: AuthorModule[] = [{ text: await readFile(CONTRACT, 'utf8'), imports: {} }]
  const known = new Map<string, number>()
  let bytes = 0

  const visit = async (path: string, open: readonly string[]): Promise<number> => {
    const at = known.get(path)
    if (at !== undefined) return at
    if (open.includes(path)) return refuse('its files must not import each other in a circle', [...open.slice(open.indexOf(path)), path].map((one) => relative(folder, one)).join(' → '))
    const text = await readFile(path, 'utf8').catch((cause: unknown) => refuse('it must be a file that can be read', path, cause))
    bytes += text.length
    if (bytes > BYTES_MAX || known.size >= FILES_MAX) return refuse(`its files must be at most ${FILES_MAX}, of ${BYTES_MAX} bytes together`, `${known.size + 1} of ${bytes}`)
    const imports: Record<string, number> = {}
    for (const [, , , type, , , specifier] of text.matchAll(IMPORT)) {
      if (type !== undefined) continue
      if (specifier === 'weir/actor') imports[specifier] = 0
      else if (/^\.\.?\//.test(specifier) && /\.[jt]s$/.test(specifier)) {
        const found = await real(join(dirname(path), specifier))
        // Actors of this house name it by its path.
        if (found === contract) {
          imports[specifier] = 0
          continue
        }
        if (!found.startsWith(folder + sep)) return refuse('its files must lie beside it or beneath', specifier)
        imports[specifier] = await visit(found, [...open, path])
      } else return refuse('an actor may import weir/actor and files beside its own alone', specifier)
    }
    known.set(path, modules.push({ text, imports }) - 1)
    return modules.length - 1
  }
  await visit(top, [])
  return { modules, code: createHash('sha256').update(modules.slice(1).map(({ text }) => text).join('\0')).digest('hex').slice(0, 12) }
}

/** A module's text with the specifiers that it imports by replaced. */
export function withUrls({ text, imports }: AuthorModule, urlOf: (index: number) => string): string {
  return text.replace(IMPORT, (whole: string, before: string, head: string, type: string | undefined, names: string, quote: string, specifier: string) => {
    if (type !== undefined || !Object.hasOwn(imports, specifier)) return whole
    return `${before}${head}${names}${quote}${urlOf(imports[specifier])}${quote}`
  })
}
