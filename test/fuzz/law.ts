/**
 * A law that must hold for whatever a generator draws, and how it is tried: so many cases from a seed, the smallest counterexample printed.
 *
 * `WEIR_FUZZ_SEED` and `WEIR_FUZZ_CASES` choose; by default the seed is fixed, so that a test that passed passes again.
 */

import fc from 'fast-check'

export const SEED = Number(process.env.WEIR_FUZZ_SEED ?? 20_261_128)
/** Cases over all laws in the ordinary tests. */
export const CASES = Number(process.env.WEIR_FUZZ_CASES ?? 8_000)

export interface Law {
  readonly name: string
  /** Part of all cases that it gets, relative to the others: cheap ones get more. */
  readonly share: number
  readonly property: fc.IRawProperty<unknown>
}

/** A law over values of `arbitraries`; `check` throws where it is broken, and may be asynchronous. */
export function law<T extends [unknown, ...unknown[]]>(
  name: string,
  share: number,
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  check: (...values: T) => void | Promise<void>,
): Law {
  const isAsync = check.constructor.name === 'AsyncFunction'
  const property = isAsync
    ? fc.asyncProperty(...(arbitraries as unknown as [fc.Arbitrary<unknown>]), check as (...values: unknown[]) => Promise<void>)
    : fc.property(...(arbitraries as unknown as [fc.Arbitrary<unknown>]), check as (...values: unknown[]) => void)
  return { name, share, property: property as fc.IRawProperty<unknown> }
}

export interface Tried {
  readonly cases: number
  /** What was broken and how to see it again, or null. */
  readonly failure: string | null
}

export async function tryLaw({ name, property }: Law, options: { seed: number; cases: number }): Promise<Tried> {
  const { seed, cases } = options
  const details = await fc.check(property, { seed, numRuns: cases })
  if (!details.failed) return { cases: details.numRuns, failure: null }
  const message = `${fc.defaultReportMessage(details as fc.RunDetails<unknown>)}`
  return { cases: details.numRuns, failure: `Broken: ${name}. Again with WEIR_FUZZ_SEED=${seed} npm run fuzz -- --cases ${cases} --only '${name}'\n${message}` }
}

/** How many of `total` cases each law gets. */
export function dealt(laws: readonly Law[], total: number): number[] {
  const shares = laws.reduce((sum, { share }) => sum + share, 0)
  return laws.map(({ share }) => Math.max(1, Math.ceil((total * share) / shares)))
}
