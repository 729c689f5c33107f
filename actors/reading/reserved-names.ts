/**
 * Names that nothing of one's own may have in the lake: those of Weir's views and tables, and words that SQL keeps for itself, as names stand in statements
 * without quotes.
 */

/** Views of sql/lake.sql, tables beside them, and those that a query has while it runs. */
const OURS = 'readings windows anomalies alerts forecasts feedback profiles drivers own_rows rejects ledger series answer fresh_windows'
/** What DuckDB keeps for itself (`duckdb_keywords()`, reserved, and those of types and functions); a test holds the list against it. */
const WORDS =
  'all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check collate collation column columns concurrently constraint create cross default ' +
  'deferrable desc describe distinct do else end except false fetch for foreign freeze from full generated glob group having ilike in initially inner intersect into is isnull join lambda lateral ' +
  'leading left like limit map natural not notnull null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing positional primary qualify references returning right select ' +
  'semi show similar some struct summarize symmetric table tablesample then to trailing true try_cast union unique unpack unpivot using variadic verbose when where window with'
const RESERVED: ReadonlySet<string> = new Set(`${OURS} ${WORDS}`.split(' '))
/** Names of catalogs, whose views are there in every database. */
const CATALOGS = /^(duckdb|sqlite|pg|pragma|information)_/

/** Whether a name, in small letters, is taken. */
export const isReservedName = (name: string): boolean => RESERVED.has(name) || CATALOGS.test(name)
