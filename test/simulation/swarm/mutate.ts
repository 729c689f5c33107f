/**
 * Mutations: faults put into the product on purpose, as edits of its source at the moment when it is loaded. The simulator must catch each.
 *
 * Nothing of the product knows of this. An edit whose text is no longer in its file is an error, so that a mutation never tests nothing.
 */

import { registerHooks } from 'node:module'
import { MUTATIONS } from './mutations.ts'

/** Puts a mutation into everything that is imported from now on. */
export function mutate(name: string): void {
  const mutation = MUTATIONS[name]
  if (mutation === undefined) throw new RangeError(`Cannot mutate as the mutation must be one of ${Object.keys(MUTATIONS).join(', ')}: current value is ${name}`)
  const files = new Map(mutation.edits.map(([file]) => [new URL(`../../../${file}`, import.meta.url).href, file]))
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const file = files.get(url)
      if (file === undefined) return loaded
      let source = Buffer.from(loaded.source as Uint8Array).toString('utf8')
      for (const [of, find, replace] of mutation.edits) {
        if (of !== file) continue
        if (source.split(find).length !== 2) throw new Error(`Cannot mutate ${file} as it must hold the text of ${name} once: ${find}`)
        source = source.replace(find, () => replace)
      }
      return { ...loaded, source }
    },
  })
}
