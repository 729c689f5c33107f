/**
 * The segments of the lake as a process for queries has them: attached read-only, and known by the tenants whose rows are in them.
 *
 * Owns the aliases. Leaves to the parent which segments there are.
 *
 * - T1 The rows of a tenant leave a segment that others have rows in through a filter on its tenant that DuckDB evaluates in the scan, before
 *   anything of the query: what can fail is never moved into a scan that has another filter. `tenant` itself is a constant to the query.
 * - T2 A segment of this tenant alone is read as it is. One of others alone is not read at all.
 * - T3 Of a segment of several tenants more is needed. DuckDB evaluates functions over a column's dictionary, which is that of all tenants, and
 *   moves expressions over one column into the scan, where their order is a matter of their pace: a query could tell by its memory, if by nothing
 *   else, what others have. So each column is made of two (texts by `left`, which copies them out of the dictionary; the rest by a CASE), and such
 *   a one is never taken apart. Times prune best as they are; they stay so for a query that calls nothing that could tell (`SAFE_OVER_TIMES`).
 */

import type { DuckDBConnection } from '@duckdb/node-api'
import { join } from 'node:path'
import type { Segment } from '../../store/manifest.ts'
import { partsFilesOf } from '../../store/parts.ts'
import { TABLES, TABLE_NAMES, WINDOW_SIZES_SQL, WINDOW_TABLES, literal, ofSizeSql, tablesOf, unionSql } from '../../store/tables.ts'
import type { TableName } from '../../store/tables.ts'
import { partsTable } from '../../view/kept.ts'

/** What is told of a segment; all of it is in the manifest. */
export type SegmentFacts = Pick<Segment, 'file' | 'rows' | 'tsMin' | 'tsMax' | 'tenant' | 'parts'>

interface Attached {
  readonly alias: string
  facts: SegmentFacts
  /** By table, the least and the greatest tenant; asked for once, where the manifest does not say that there is but one. */
  readonly tenants: Map<TableName, readonly [least: string, greatest: string]>
}

/** Segments whose tenants are asked for in one statement. */
const ASKED_AT_ONCE = 100
/** More characters than any text of the lake has. */
const TEXT_CHARS_MAX = 100_000_000

export class AttachedSegments {
  readonly #connection: DuckDBConnection
  readonly #folder: string
  #known = new Map<string, SegmentFacts>()
  #attached = new Map<string, Attached>()
  /** Aliases by file of parts. */
  #parts = new Map<string, string>()
  #names = 0

  /** @param folder where the segments lie; the connection must be used by nobody else meanwhile. */
  constructor(connection: DuckDBConnection, folder: string) {
    this.#connection = connection
    this.#folder = folder
  }

  /** Takes over which segments there are from now on, and attaches the new ones. Throws where a file is gone. */
  async change({ add, drop }: { readonly add: readonly SegmentFacts[]; readonly drop: readonly string[] }): Promise<void> {
    for (const file of drop) this.#known.delete(file)
    for (const facts of add) this.#known.set(facts.file, facts)
    for (const [file, { alias }] of this.#attached) {
      if (this.#known.has(file)) continue
      await this.#connection.run(`DETACH ${alias}`)
      this.#attached.delete(file)
    }
    const parts = new Set([...this.#known.values()].flatMap((facts) => (facts.parts ?? []).map((of) => of.file)))
    for (const [file, alias] of this.#parts) {
      if (parts.has(file)) continue
      await this.#connection.run(`DETACH ${alias}`)
      this.#parts.delete(file)
    }
    for (const facts of this.#known.values()) await this.#attach(facts)
  }

  /**
   * The parts of a view that are stored, as SELECTs, and the segments that have none of it yet. Files of parts are attached when a view is first asked
   * for; they hold rows of its tenant alone.
   */
  async parts(id: string, tenant: string): Promise<{ readonly stored: string[]; readonly open: ReadonlySet<string> }> {
    const stored: string[] = []
    const open = new Set<string>()
    for (const facts of this.#known.values()) {
      const files = partsFilesOf(facts, id)
      if (files === null && (facts.tenant ?? tenant) === tenant) open.add(facts.file)
      for (const file of files ?? []) stored.push(`SELECT * FROM ${await this.#attachParts(file)}.main.${partsTable(id)}`)
    }
    return { stored, open }
  }

  async #attachParts(file: string): Promise<string> {
    const known = this.#parts.get(file)
    if (known !== undefined) return known
    const alias = `s${++this.#names}`
    await this.#connection.run(`ATTACH ${literal(join(this.#folder, file))} AS ${alias} (READ_ONLY)`)
    this.#parts.set(file, alias)
    return alias
  }

  async #attach(facts: SegmentFacts): Promise<void> {
    const known = this.#attached.get(facts.file)
    if (known !== undefined) return void (known.facts = facts)
    const alias = `s${++this.#names}`
    await this.#connection.run(`ATTACH ${literal(join(this.#folder, facts.file))} AS ${alias} (READ_ONLY)`)
    const { tenant } = facts
    this.#attached.set(facts.file, { alias, facts, tenants: new Map(tenant === undefined ? [] : TABLE_NAMES.map((table) => [table, [tenant, tenant]])) })
  }

  /**
   * One tenant's rows of a table, as SELECTs to be united; the columns are those of the table, `tenant` a constant. `within` (epoch ms) leaves
   * out segments whose times lie wholly outside; `only`: of these segments; `size`, an index, is of windows; `plainTimes`: times are shown as they are.
   */
  async relation(table: TableName, tenant: string, options: { within?: { from: number; to: number }; only?: ReadonlySet<string>; size?: number; plainTimes: boolean }): Promise<string[]> {
    const { within, only, size, plainTimes } = options
    const reached = [...this.#attached.values()].filter(
      ({ facts }) => (only === undefined || only.has(facts.file)) && (within === undefined || facts.tsMin === null || facts.tsMax === null || (facts.tsMax >= within.from && facts.tsMin <= within.to)),
    )
    const having = reached.flatMap((segment) => tablesOf(table, segment.facts.rows, size).map((name) => ({ segment, name })))
    await this.#learnTenants(having)
    const parts: string[] = []
    for (const { segment, name } of having) {
      const [least, greatest] = segment.tenants.get(name)!
      if (tenant < least || tenant > greatest) continue
      const columns = (least === greatest ? PLAIN : plainTimes ? GUARDED_BUT_TIMES : GUARDED)[name]
      const part = `SELECT ${literal(tenant)}::VARCHAR AS tenant, ${columns} FROM ${unionSql(name, [`${segment.alias}.main.${name}`])}${least === greatest ? '' : ` WHERE tenant = ${literal(tenant)}`}`
      parts.push(name === 'windows' && size !== undefined ? `SELECT * FROM ${ofSizeSql(name, `(${part})`, size)}` : part)
    }
    return parts
  }

  async #learnTenants(having: readonly { segment: Attached; name: TableName }[]): Promise<void> {
    const unknown = having.filter(({ segment, name }) => !segment.tenants.has(name))
    for (let at = 0; at < unknown.length; at += ASKED_AT_ONCE) {
      const asked = unknown.slice(at, at + ASKED_AT_ONCE)
      const parts = asked.map(({ segment, name }, i) => `SELECT ${i}::DOUBLE, min(tenant), max(tenant) FROM ${segment.alias}.main.${name}`)
      const reader = await this.#connection.runAndReadAll(parts.join(' UNION ALL '))
      for (const [i, least, greatest] of reader.getRowsJS()) asked[i as number].segment.tenants.set(asked[i as number].name, [String(least), String(greatest)])
    }
  }
}

type Column = readonly [name: string, type: string]
/** The columns of each table but the tenant's name; those of `windows`, in their order, of a table of one size. */
const columnsBy = (write: (column: Column) => string) =>
  Object.fromEntries(
    TABLE_NAMES.map((table) => {
      const size = (WINDOW_TABLES as readonly string[]).indexOf(table)
      const columns: readonly Column[] = TABLES[size < 0 ? table : 'windows']
      const written = columns.filter(([name]) => name !== 'tenant').map((column) => (size >= 0 && column[0] === 'size' ? `${WINDOW_SIZES_SQL[size]} AS size` : write(column)))
      return [table, written.join(', ')]
    }),
  ) as Record<TableName, string>

const PLAIN = columnsBy(([name]) => `"${name}"`)
const guarded = ([name, type]: Column) =>
  type === 'VARCHAR' ? `left("${name}", ${TEXT_CHARS_MAX} + length(tenant)) AS "${name}"` : `CASE WHEN length(tenant) > 0 THEN "${name}" END AS "${name}"`
const GUARDED = columnsBy(guarded)
const GUARDED_BUT_TIMES = columnsBy((column) => (column[1] === 'TIMESTAMP' ? `"${column[0]}"` : guarded(column)))
