/**
 * Public SQL over HTTP: `POST /v1/sql`, and the tables that there are.
 *
 * Owns the form of a request and the words of its problems. Leaves all of the work to sql/.
 *
 * - H1 What is known to be wrong before the first byte is a problem. After it the connection is cut, so that no half answer passes for a whole one.
 */

import { problem } from '../../../runtime/http.ts'
import type { ProblemOptions } from '../../../runtime/http.ts'
import { SQL_BODY_BYTES_MAX, SQL_PARAMETERS_MAX, SQL_ROWS, SQL_ROWS_MAX, SQL_TEXT_CHARS_MAX, SQL_TIME_MS } from '../../../runtime/limits.ts'
import { LIST_FORMATS, contentTypeOf } from './reply.ts'
import type { AnalyticsSources, Get, Post } from './route.ts'
import * as shapes from './schemas.ts'
import { SqlError } from '../sql/frames.ts'
import type { Parameters, SqlFailureCode } from '../sql/frames.ts'
import { ownViewColumns } from '../../store/own-views.ts'
import { VIEWS, VIEW_COLUMNS } from '../sql/views.ts'

/** Status and title of a failure. */
const FAILURES: Readonly<Record<SqlFailureCode, Pick<ProblemOptions, 'status' | 'title' | 'headers'>>> = {
  refused: { status: 400, title: 'Query refused' },
  invalid: { status: 400, title: 'Query not understood' },
  failed: { status: 400, title: 'Query failed' },
  rows: { status: 400, title: 'Too many rows' },
  memory: { status: 400, title: 'Query too large' },
  time: { status: 408, title: 'Query too slow' },
  busy: { status: 503, title: 'Too many queries', headers: { 'retry-after': '2' } },
  gone: { status: 503, title: 'Not available now', headers: { 'retry-after': '1' } },
  broken: { status: 500, title: 'Query broken' },
}

export function sqlRoutes({ get, post }: { get: Get; post: Post }, { sql, tail, views, logger }: AnalyticsSources): void {
  post(
    '/v1/sql',
    {
      summary: 'Rows of any read-only query of DuckDB',
      description:
        'One SELECT over the views that /v1/sql/tables names, and readings_hopping(slide, size) and readings_sessions(gap), which are readings with window_start and ' +
        'window_end, session_start and session_end: all sealed and all fresh rows of the tenant of the key, as of one moment. Answers ' +
        'stream. In JSON, numbers beyond 2^53 are texts, INTERVAL is as DuckDB shows it, of two columns of one name the second is called name_1, and ' +
        'truncated says that there were more than maxRows. The other formats can not say so: there a query of more rows fails, before the first ' +
        'byte by 400, and behind it by a connection that is cut. A problem has a code (refused, invalid, failed, rows, memory, time, busy) and, ' +
        'where it is known, the position in the text.',
      query: shapes.forms,
      body: shapes.SqlQuery,
      bodyBytesMax: SQL_BODY_BYTES_MAX,
      answer: shapes.SqlAnswer,
      formats: LIST_FORMATS,
      failures: { 408: 'It took longer than timeoutMs.', 503: 'Too many queries wait, or the store is not ready. Try again after Retry-After.' },
    },
    async ({ c, principal, body, format: asked, timeMs: askedMs }) => {
      const format = body.format ?? asked
      const params: Parameters = body.params ?? []
      const rowsMax = body.maxRows ?? (format === 'json' ? SQL_ROWS : SQL_ROWS_MAX)
      const timeMs = body.time === undefined ? askedMs : body.time === 'ms'
      try {
        checkSize(body.sql, params)
        const answer = await sql.run({
          tenant: principal.tenant,
          ask: { sql: body.sql, params, format, timeMs, rowsMax },
          timeMs: body.timeoutMs ?? SQL_TIME_MS,
          signal: c.req.raw.signal,
        })
        return c.body(answer, 200, { 'content-type': contentTypeOf(format), 'cache-control': 'no-store' })
      } catch (error) {
        if (!(error instanceof SqlError)) throw error
        if (error.code === 'broken') logger.error({ err: error }, 'a public query broke')
        const extra = { code: error.code, ...(error.position === null ? {} : { position: error.position }) }
        return problem(c, { ...FAILURES[error.code], detail: error.message, extra })
      }
    },
  )

  const tables = VIEWS.map((name) => ({ name, columns: VIEW_COLUMNS[name].map(([column, type]) => ({ name: column, type })) }))
  get('/v1/sql/tables', { summary: 'The tables of POST /v1/sql, and their columns', query: {}, answer: shapes.SqlTables }, ({ c, principal }) => {
    const own = Object.entries(tail.ownViews).map(([name, columns]) => ({ name, columns: ownViewColumns(columns).map(([column, type]) => ({ name: column, type })) }))
    const kept = Object.entries(views.of(principal.tenant).views).filter(([name]) => !Object.hasOwn(tail.ownViews, name))
    const ofKept = kept.map(([name, { shows }]) => ({ name, columns: shows.map(([column, type]) => ({ name: column, type })) }))
    return c.json({ tables: [...tables, ...own, ...ofKept] })
  })
}

function checkSize(sql: string, params: Parameters): void {
  const count = Object.keys(params).length
  if (count > SQL_PARAMETERS_MAX) throw new SqlError('refused', `Cannot run the query as it must have at most ${SQL_PARAMETERS_MAX} parameters: current number is ${count}`)
  if (sql.length <= SQL_TEXT_CHARS_MAX) return
  throw new SqlError('refused', `Cannot run the query as its text must be of at most ${SQL_TEXT_CHARS_MAX} characters: current length is ${sql.length}`)
}
