/**
 * Which expressions may stand in a view that is kept, and why others may not.
 *
 * - C1 What is not listed here is refused, with the reason: a view is never nearly right.
 * - C2 A row follows from readings alone, so nothing is called that knows the time, or chance.
 * - C3 Nothing is called that makes much of a small value, or that runs long: views run where the lake is merged, unasked.
 */

import { KEPT, keptName, whyNotKept } from './aggregates.ts'
import type { SqlDatabase } from './database.ts'
import { folded } from './tree.ts'
import type { Node } from './tree.ts'

/** A view that can't be kept. */
export class ViewError extends Error {
  /** In the text, where it is known. */
  readonly position: number | null

  constructor(message: string, position: number | null = null) {
    super(message)
    this.name = 'ViewError'
    this.position = position
  }
}

export const refuse = (why: string, node: Node | null = null): ViewError => {
  const at = node?.query_location
  return new ViewError(`Cannot keep this view as ${why}`, typeof at === 'number' && at < 2 ** 32 ? at : null)
}
const words = (text: string) => new Set(text.trim().split(/\s+/))
/** Functions of values that a view may call. */
const CALLS = words(`
  % & * ** + - / // << >> ^ | ~ ~~ !~~ ~~* !~~* || abs bar cbrt ceil ceiling chr concat contains date_add date_diff date_part date_sub date_trunc datediff datepart
  datesub datetrunc day dayname dayofmonth dayofweek dayofyear degrees divide ends_with epoch epoch_ms epoch_us era even exp fdiv floor fmod greatest hour
  isfinite isinf isnan isodow isoyear last_day lcase least left length ln log log10 log2 lower ltrim make_date make_timestamp make_timestamp_ms microsecond
  millisecond minute mod month monthname multiply nullif pi pow power prefix quarter radians regexp_matches right round row rtrim second sign split_part sqrt
  starts_with strlen strpos subtract substr substring suffix time_bucket to_days to_hours to_microseconds to_milliseconds to_minutes to_months to_seconds
  to_weeks to_years trim trunc ucase upper week weekday weekofyear year yearweek add not_like_escape like_escape
`)
const TIMELY = words('now today current_date current_localtime current_localtimestamp current_time current_timestamp get_current_time get_current_timestamp transaction_timestamp age random uuid gen_random_uuid uuidv4 uuidv7')
const CLASSES: Readonly<Record<string, string | null>> = {
  BETWEEN: null, CASE: null, CAST: null, COLUMN_REF: null, COMPARISON: null, CONJUNCTION: null, CONSTANT: null, FUNCTION: null, OPERATOR: null,
  WINDOW: 'a window function looks at rows of other groups. Call it where the view is read',
  SUBQUERY: 'what a query within it gives may change without a reading. Join it where the view is read',
  STAR: 'a column of which no group has but one value can not be shown. Name the columns',
  PARAMETER: 'nobody gives it parameters. Write the value',
  POSITIONAL_REFERENCE: 'columns are named here. Write the name',
  COLLATE: 'texts are compared as they are',
  LAMBDA: 'no function over lists is called in it',
}

/** Whether an expression is one that can be kept, itself: what is within it is looked at by itself. */
export function check(node: Node, db: SqlDatabase): void {
  const kind = String(node.class)
  const why = Object.hasOwn(CLASSES, kind) ? CLASSES[kind] : 'such an expression is not known here'
  if (why !== null) throw refuse(why, node)
  if (kind !== 'FUNCTION') return
  const name = folded(node.function_name)
  if (TIMELY.has(name)) throw refuse(`a row has to follow from its readings alone, and ${name} does not. Compare with it where the view is read`, node)
  if (!db.aggregates.has(name)) {
    if (!CALLS.has(name)) throw refuse(`${name} is none of the functions that a view may call: ${[...CALLS].filter((of) => /^[a-z]/.test(of)).sort().join(', ')}`, node)
    return
  }
  const kept = Object.hasOwn(KEPT, keptName(name)) ? KEPT[keptName(name)] : null
  if (kept === null) throw refuse(`${name} is none of the aggregates that can be kept up to date: ${whyNotKept(name)}`, node)
  if (node.distinct === true && kept.idempotent !== true) throw refuse(`${name} of DISTINCT values can not be added up of parts: whether a value comes in one says nothing of another`, node)
  if ((node.order_bys as { orders: unknown[] }).orders.length > 0) throw refuse(`${name} has to be the same in whatever order rows come. arg_min(x, ts) gives the first in time, arg_max(x, ts) the last`, node)
  const arity = (node.children as unknown[]).length
  if (arity !== kept.arity) throw refuse(`${name} must have ${kept.arity} arguments to be kept: it has ${arity}`, node)
}

export const isAggregate = (node: Node, db: SqlDatabase): boolean => node.class === 'FUNCTION' && db.aggregates.has(folded(node.function_name))
