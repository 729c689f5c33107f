/** The endpoint of what devices have in common: kinds, their groups, and who is unlike the others. */

import { z } from '@hono/zod-openapi'
import type { FleetLearner } from '../../fleet/learner.ts'
import { formatTime } from '../data/times.ts'
import { fleetKinds } from '../query/fleet-kinds.ts'
import { filterOf } from './parameters.ts'
import { ParameterError } from './reply.ts'
import type { AnalyticsSources, Get } from './route.ts'
import * as shapes from './schemas.ts'

const time = z.union([z.string(), z.number()])
const Kind = z
  .object({
    sort: z.string().openapi({ description: 'Names of its devices, each number a #.', example: 'field-#/probe-#' }),
    metric: z.string(),
    devices: z.int().openapi({ description: 'With a profile of the last 14 days.' }),
    days: z.int().openapi({ description: 'Days of series that were learned of.' }),
    level: z.number().openapi({ description: 'Mean of the levels of days.' }),
    amplitude: z.number().openapi({ description: 'Usual distance of an hour from the mean of its day (root mean square).' }),
    groups: z.array(
      z.object({
        cluster: z.int(),
        devices: z.int(),
        profile: z.array(z.number()).openapi({ description: 'Of each hour of a UTC day, its distance from the mean of the day, in the unit of the metric.' }),
        spread: z.number().openapi({ description: 'Usual distance of a day from the profile (root mean square).' }),
      }),
    ),
    outliers: z.array(
      z.object({
        device: z.string(),
        day: time,
        by: z.enum(['profile', 'level']).openapi({ description: 'By what it is unlike the others.' }),
        distance: z.number(),
        usual: z.number(),
      }),
    ),
  })
  .openapi('FleetKind')

export function kindsRoute(get: Get, { tail, learner }: Pick<AnalyticsSources, 'tail'> & { readonly learner: Pick<FleetLearner, 'kinds'> }): void {
  get(
    '/v1/fleet',
    {
      summary: 'What devices have in common: groups by daily profile, and outliers',
      description:
        'Series of one metric, of devices whose names differ in numbers alone, are of one kind. Their days are clustered (streaming k-means); a new series begins with what is usual ' +
        'for its kind. An outlier is a device whose newest day is far from every group, or at a level far from the kind’s.',
      query: { metric: shapes.oneMetric, ...shapes.forms },
      answer: z.object({ kinds: z.array(Kind) }).openapi('Fleet'),
    },
    async ({ c, query, principal, nowMs, timeMs }) => {
      const { metrics } = filterOf(query)
      if (metrics !== null && metrics.size > 1) throw new ParameterError('metric', 'one metric', query.metric ?? '')
      const kinds = await fleetKinds(tail, learner.kinds(), { tenant: principal.tenant, metric: metrics === null ? null : [...metrics][0], nowMs })
      const shown = kinds.map((kind) => ({ ...kind, outliers: kind.outliers.map((o) => ({ ...o, day: timeMs ? o.day : formatTime(o.day) })) }))
      return c.json({ kinds: shown }, 200, { 'cache-control': 'no-store' })
    },
  )
}
