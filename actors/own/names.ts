/**
 * Which own partition each own actor has: given at its first start, in order, and kept for ever, since its log and its rows are numbered by it.
 */

import { ErrorCode, isOperating, OperatingError } from '../../runtime/errors.ts'
import type { KeyValue } from '../../runtime/log.ts'
import { OWN_FIRST, OWN_MAX } from '../../runtime/topology.ts'

/** Names in the order of their partitions, as JSON. */
const KEY = 'own.names'

export async function ownNames(kv: KeyValue): Promise<readonly string[]> {
  const found = await kv.get(KEY)
  return found === null ? [] : namesIn(found.value)
}

/** The partition of an actor, which is given one where it has none. */
export async function ownPartition(kv: KeyValue, name: string): Promise<number> {
  for (;;) {
    const found = await kv.get(KEY)
    const names = found === null ? [] : namesIn(found.value)
    const at = names.indexOf(name)
    if (at >= 0) return OWN_FIRST + at
    if (names.length >= OWN_MAX) throw new OperatingError('config', `Cannot add actor ${name} as an installation may have at most ${OWN_MAX} ever: current ones are ${names.join(', ')}`)
    try {
      await kv.put(KEY, new TextEncoder().encode(JSON.stringify([...names, name])), found?.revision ?? 0)
    } catch (error) {
      // Another one was added at the same time.
      if (!isOperating(error, ErrorCode.conflict)) throw error
    }
  }
}

function namesIn(bytes: Uint8Array): readonly string[] {
  const names = JSON.parse(new TextDecoder().decode(bytes)) as unknown
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) throw new OperatingError('config', 'Cannot read the names of own actors as they must be a list of texts')
  return names
}

/** The names as they are now, kept by a watch. */
export class OwnNames {
  #names: readonly string[] = []
  #unwatch: () => void = () => {}

  static async open(kv: KeyValue): Promise<OwnNames> {
    const own = new OwnNames()
    own.#unwatch = await kv.watch((key, value) => {
      if (key !== KEY || value === null) return
      try {
        own.#names = namesIn(value)
      } catch {
        // What is no list of names changes none that are known.
      }
    })
    return own
  }

  close(): void {
    this.#unwatch()
  }

  /** Null of one that nobody has run. */
  partitionOf(name: string): number | null {
    const at = this.#names.indexOf(name)
    return at < 0 ? null : OWN_FIRST + at
  }
}
