/** The endpoint of what devices have in common: kinds, their groups, and who is unlike the others. */

import { z } from '@hono/zod-openapi'
import type { FleetLearner } from '../../fleet/learner.ts'
import { KINDS_MAX } from '../../partition/fleet/priors.ts'
import { formatTime } from '../data/times.ts'
import { KIND_ORDERS, SINCE_DAYS, fleetKinds } from '../query/fleet-kinds.ts'
import type { FleetKind } from '../query/fleet-kinds.ts'
import { choiceOf, filterOf, numberOf } from './parameters.ts'
import type { Query } from './parameters.ts'
import { ParameterError } from './reply.ts'
import type { AnalyticsSources, Get } from './route.ts'
import * as shapes from './schemas.ts'

/** Devices of a group that are named, at most. */
const MEMBERS_MAX = 1_000
/** What the names of a kind's devices have in common: a device's name, each number in it a #. */
const SORT = /^[A-Za-z._:/#-]{1,128}$/

const time = z.union([z.string(), z.number()])
const Kind = z
  .object({
    sort: z.string().openapi({ description: 'Names of its devices, each number a #.', example: 'field-#/probe-#' }),
    metric: z.string(),
    devices: z.int().openapi({ description: 'With a profile of the last 14 days.' }),
    ungrouped: z.int().openapi({ description: 'Of these, in no group yet: their newest day was told before there was one.' }),
    days: z.int().openapi({ description: 'Days of series that were learned of.' }),
    level: z.number().openapi({ description: 'Mean of the levels of days.' }),
    level_spread: z.number().openapi({ description: 'Usual distance of a day’s level from that mean.' }),
    amplitude: z.number().openapi({ description: 'Usual distance of an hour from the mean of its day (root mean square).' }),
    groups: z.array(
      z.object({
        cluster: z.int(),
        devices: z.int().openapi({ description: 'Whose newest day was nearest to this group.' }),
        level: z.number().nullable().openapi({ description: 'Mean of their newest levels; null where there are none.' }),
        profile: z.array(z.number()).openapi({ description: 'Of each hour of a UTC day, its distance from the mean of the day, in the unit of the metric.' }),
        spread: z.number().openapi({ description: 'Usual distance of a day from the profile (root mean square).' }),
        members: z.array(z.object({ device: z.string(), level: z.number() })).openapi({ description: 'By name, with their newest levels, as many as members says.' }),
      }),
    ),
    outliers: z.array(
      z.object({
        device: z.string(),
        day: time.openapi({ description: 'The newest day known of it.' }),
        since: time.openapi({ description: `First of the days in a row on which it was so by what is usual now; looked for in ${SINCE_DAYS} days.` }),
        by: z.enum(['profile', 'level']).openapi({ description: 'By what it is unlike the others.' }),
        distance: z.number(),
        usual: z.number(),
      }),
    ),
  })
  .openapi('FleetKind')
const Fleet = z
  .object({
    found: z.int().openapi({ description: 'Kinds that match; the answer is a part of them.' }),
    metrics: z.array(z.object({ metric: z.string(), kinds: z.int(), outliers: z.int() })).openapi({ description: 'What all kinds measure.' }),
    kinds: z.array(Kind),
  })
  .openapi('Fleet')

export function kindsRoute(get: Get, { tail, learner }: Pick<AnalyticsSources, 'tail'> & { readonly learner: Pick<FleetLearner, 'kinds'> }): void {
  get(
    '/v1/fleet',
    {
      summary: 'What devices have in common: groups by daily profile, and outliers',
      description:
        'Series of one metric, of devices whose names differ in numbers alone, are of one kind. Their days are clustered (streaming k-means); a new series begins with what is usual ' +
        'for its kind. An outlier is a device whose newest day is far from every group, or at a level far from the kind’s.',
      query: {
        metric: shapes.oneMetric,
        sort: shapes.text('Names of the devices of one kind, each number a #.', 'field-#/probe-#', { pattern: SORT.source }),
        order: shapes.choice('name by default. outliers: those first that have most.', KIND_ORDERS, 'outliers'),
        members: shapes.whole('Devices of each group that are named, none by default.', 12, { minimum: 0, maximum: MEMBERS_MAX }),
        offset: shapes.whole('Kinds to pass over.', 0, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
        limit: shapes.whole('Kinds of the answer, all by default.', 20, { minimum: 1, maximum: KINDS_MAX }),
        ...shapes.forms,
      },
      answer: Fleet,
    },
    async ({ c, query, principal, nowMs, timeMs }) => {
      const { tenant } = principal
      const { found, metrics, kinds } = await fleetKinds(tail, learner.kinds(), { tenant, nowMs, ...askedOf(query) })
      return c.json({ found, metrics, kinds: kinds.map((kind) => rowOf(kind, timeMs)) }, 200, { 'cache-control': 'no-store' })
    },
  )
}

function askedOf(query: Query) {
  const { metrics } = filterOf(query)
  if (metrics !== null && metrics.size > 1) throw new ParameterError('metric', 'one metric', query.metric ?? '')
  const sort = query.sort || null
  if (sort !== null && !SORT.test(sort)) throw new ParameterError('sort', 'names of devices, each number in them a #, such as field-#/probe-#', sort)
  return {
    metric: metrics === null ? null : [...metrics][0],
    sort,
    order: choiceOf('order', query.order, KIND_ORDERS, 'name'),
    members: numberOf('members', query.members, { fallback: 0, min: 0, max: MEMBERS_MAX }),
    offset: numberOf('offset', query.offset, { fallback: 0, min: 0, max: Number.MAX_SAFE_INTEGER }),
    limit: numberOf('limit', query.limit, { fallback: KINDS_MAX, min: 1, max: KINDS_MAX }),
  }
}

function rowOf({ levelSpread, outliers, ...kind }: FleetKind, timeMs: boolean) {
  const shown = (ms: number) => (timeMs ? ms : formatTime(ms))
  return { ...kind, level_spread: levelSpread, outliers: outliers.map((o) => ({ ...o, day: shown(o.day), since: shown(o.since) })) }
}
