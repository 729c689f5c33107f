/**
 * The aggregates that can be kept: what of each is stored of a part, how parts are added up, and what is made of the sum.
 *
 * Owns that algebra, and why others have none. Leaves the tree of a statement to compile.ts.
 *
 * - A1 For readings in any two sets, what is added up of the parts of both is the part of their union; sums of DOUBLE up to rounding.
 * - A2 Variances are added up by counts, means and sums of squares about the means (Chan, Golub and LeVeque 1979): never as a difference of two large sums.
 */

/** What is stored of one aggregate, as calls over its arguments. `x`, `y` stand for these. */
export interface Kept {
  /** Arguments that it takes. */
  readonly arity: number
  /** The stored columns: a call, and whether only rows count whose first argument is known. */
  readonly parts: readonly { readonly call: string; readonly args: readonly ('x' | 'y')[]; readonly times?: string; readonly known?: true }[]
  /** SQL of an aggregate over the stored columns `p`, one for each column that is added up. */
  readonly merge: (p: readonly string[]) => readonly string[]
  /** SQL of its value, of what was added up. */
  readonly value: (m: readonly string[]) => string
  /** Whether DISTINCT changes nothing. */
  readonly idempotent?: true
}

const first = ([m]: readonly string[]) => m
const same = (call: string, more: Partial<Kept> = {}): Kept => ({ arity: 1, parts: [{ call, args: ['x'] }], merge: ([p]) => [`${call}(${p})`], value: first, ...more })
const counted = (call: string, arity: number): Kept => ({ arity, parts: [{ call, args: arity === 0 ? [] : ['x'] }], merge: ([p]) => [`sum(${p})`], value: ([m]) => `coalesce(${m}, 0)::BIGINT` })
const extreme = (call: string, of: string): Kept => ({
  arity: 2,
  parts: [{ call, args: ['x', 'y'] }, { call: of, args: ['y'], known: true }],
  merge: ([x, y]) => [`${call}(${x}, ${y})`],
  value: first,
})
const spread = (value: (squares: string, n: string) => string): Kept => ({
  arity: 1,
  parts: [{ call: 'count', args: ['x'] }, { call: 'avg', args: ['x'] }, { call: 'var_pop', args: ['x'], times: 'count' }],
  merge: ([n, mean, squares]) => [`sum(${n})`, `sum(${n} * ${mean}) / nullif(sum(${n}), 0)`, `list({'n': ${n}, 'mean': ${mean}, 'squares': ${squares}}) FILTER (${n} > 0)`],
  value: ([n, mean, parts]) => value(`list_sum([p.squares + p.n * (p.mean - ${mean}) ** 2 for p in ${parts}])`, n),
})
const popVariance = (squares: string, n: string) => `${squares} / nullif(${n}, 0)`
const sampleVariance = (squares: string, n: string) => `${squares} / nullif(greatest(${n} - 1, 0), 0)`
const rooted = (of: typeof popVariance) => (squares: string, n: string) => `sqrt(${of(squares, n)})`

export const KEPT: Readonly<Record<string, Kept>> = {
  count_star: counted('count_star', 0),
  count: counted('count', 1),
  // DuckDB makes a sum of it: of no rows it is null.
  count_if: { arity: 1, parts: [{ call: 'count_if', args: ['x'] }], merge: ([p]) => [`sum(${p})`], value: first },
  sum: same('sum'),
  avg: {
    arity: 1,
    parts: [{ call: 'sum', args: ['x'] }, { call: 'count', args: ['x'] }],
    merge: ([sum, n]) => [`sum(${sum})`, `sum(${n})`],
    value: ([sum, n]) => `${sum} / nullif(${n}, 0)`,
  },
  min: same('min', { idempotent: true }),
  max: same('max', { idempotent: true }),
  arg_min: extreme('arg_min', 'min'),
  arg_max: extreme('arg_max', 'max'),
  var_pop: spread(popVariance),
  var_samp: spread(sampleVariance),
  stddev_pop: spread(rooted(popVariance)),
  stddev_samp: spread(rooted(sampleVariance)),
  bool_and: same('bool_and', { idempotent: true }),
  bool_or: same('bool_or', { idempotent: true }),
  bit_and: same('bit_and', { idempotent: true }),
  bit_or: same('bit_or', { idempotent: true }),
  bit_xor: same('bit_xor'),
}

const SYNONYMS: Readonly<Record<string, string>> = {
  mean: 'avg', countif: 'count_if', argmin: 'arg_min', min_by: 'arg_min', argmax: 'arg_max', max_by: 'arg_max', variance: 'var_samp', stddev: 'stddev_samp',
}

/** The name under which an aggregate is kept, where it is. */
export const keptName = (call: string): string => SYNONYMS[call] ?? call

const EVERY_VALUE = 'of the parts of a group it can not be told, as it needs every value. The view windows has p50, p95 and p99'
const ORDER = 'it depends on the order in which rows come. arg_min(x, ts) gives the first in time, arg_max(x, ts) the last'
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^(approx_)?(quantile|median|mode|mad|reservoir_quantile)|^approx_top_k$|^quantile_/, EVERY_VALUE],
  [/^approx_count_distinct$|^entropy$|^histogram/, 'how often a value comes in one part says nothing of whether it comes in another'],
  [/^(first|last|any_value|arbitrary|list|array_agg|string_agg|group_concat|listagg|json_group_|map)/, ORDER],
]

/** Why an aggregate is none of those that are kept. */
export function whyNotKept(call: string): string {
  const known = REASONS.find(([pattern]) => pattern.test(call))?.[1]
  return known ?? `kept up to date are ${Object.keys(KEPT).map((name) => (name === 'count_star' ? 'count(*)' : name)).join(', ')}`
}
