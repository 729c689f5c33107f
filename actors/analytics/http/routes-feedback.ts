/**
 * The endpoint that takes an answer to "was this useful?": an event in the log of the anomaly's own partition, which moves the bar of its series.
 *
 * - H1 It is answered once the log has it, like a reading; what it does is in the commit that follows, and in the view `feedback`.
 * - H2 Only an anomaly that there is can be answered.
 */

import { isOperating } from '../../../runtime/errors.ts'
import { problem } from '../../../runtime/http.ts'
import { ANSWER_BODY_BYTES_MAX } from '../../../runtime/limits.ts'
import { inputSubject, partitionFor } from '../../../runtime/topology.ts'
import { encodeFeedback } from '../../reading/input.ts'
import { formatTime, parseTime } from '../data/times.ts'
import { anomalies } from '../query/anomalies.ts'
import type { Scope } from '../query/scope.ts'
import { ParameterError } from './reply.ts'
import type { AnalyticsSources, Post } from './route.ts'
import * as shapes from './schemas.ts'

export function feedbackRoute(post: Post, { tail, log, topology, logger }: Pick<AnalyticsSources, 'tail' | 'log' | 'topology' | 'logger'>): void {
  post(
    '/v1/anomalies/feedback',
    {
      summary: 'Says whether an anomaly was useful to know',
      description:
        'What was not useful raises the bar of its series, so that less of it is reported; what was useful lowers it again. The answer is an event in the log, and ' +
        'shows in GET /v1/anomalies (useful) and in the view feedback. Of several answers the last one shows; each moves the bar.',
      query: { time: shapes.forms.time },
      body: shapes.AnomalyAnswer,
      bodyBytesMax: ANSWER_BODY_BYTES_MAX,
      answer: shapes.AnomalyAnswered,
      failures: { 404: 'There is no such anomaly.', 503: 'The log is away or full. Try again.' },
    },
    async ({ c, body, principal, nowMs, timeMs }) => {
      const { device, metric, useful } = body
      const ts = parseTime(String(body.ts), nowMs)
      if (ts === null) throw new ParameterError('ts', 'epoch ms or RFC 3339', String(body.ts))
      const scope: Scope = { tenant: principal.tenant, filter: { devices: new Set([device]), metrics: new Set([metric]), prefix: null } }
      const { rows } = await anomalies(tail, scope, { from: ts, to: ts + 1 }, { minScore: 0, after: null, limit: 1_000 })
      const there = rows.filter((row) => body.value === undefined || row[3] === body.value)
      if (there.length === 0) {
        const detail = `There is no anomaly of ${device}/${metric} at ${formatTime(ts)}${body.value === undefined ? '' : ` of value ${body.value}`}. GET /v1/anomalies lists those that there are.`
        return problem(c, { status: 404, title: 'No such anomaly', detail })
      }
      const value = there[0][3]
      if (there.length > 1 && there.some((row) => row[3] !== value)) {
        return problem(c, { status: 400, title: 'Bad body', detail: 'There are several anomalies of that series at that time: name the value.', extra: { parameter: 'value' } })
      }
      try {
        await log.publish(inputSubject(partitionFor(topology, principal.tenant, device)), encodeFeedback({ tenant: principal.tenant, device, metric, ts, value, useful }))
      } catch (error) {
        if (!isOperating(error) || !error.retry) throw error
        logger.warn({ code: error.code }, 'an answer to an anomaly could not be stored')
        return problem(c, { status: 503, title: 'Not available now', detail: 'The log does not take it now. Try again.', headers: { 'retry-after': '1' } })
      }
      return c.json({ device, metric, ts: timeMs ? ts : formatTime(ts), value, useful }, 200, { 'cache-control': 'no-store' })
    },
  )
}
