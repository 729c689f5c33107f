/**
 * The files of the farm's actor as one, since an author's file is one file: each without its imports of the others, in the order in which they need each other.
 *
 * Owns the order. Names are unique across the files, as a test holds. Reads files; everything else in this room is pure.
 */

import { readFile } from 'node:fs/promises'

/** Each needs only those before it. */
export const FILES = ['fao56', 'crops', 'soils', 'balance', 'nitrogen', 'plot', 'gather', 'filter', 'advice', 'season', 'words', 'actor'] as const

export async function packOf(): Promise<string> {
  const parts = await Promise.all(FILES.map((name) => readFile(new URL(`./${name}.ts`, import.meta.url), 'utf8')))
  const bodies = parts.map((text) => text.replace(/^import (?:type )?[^;]*? from '\.\.?\/[^']+'\n/gms, '').replace(/^export (?!default)/gm, ''))
  return `import { defineActor } from 'weir/actor'\nimport type { Documents, Out } from 'weir/actor'\n\n${bodies.join('\n')}`
}
