/**
 * Endpoints of drivers: which series drive which, named by an admin, and what they were found to do.
 *
 * Owns the form. Leaves the registry to fleet/drivers.ts, what is learned to partition/drivers/.
 */

import { z } from '@hono/zod-openapi'
import { problem } from '../../../runtime/http.ts'
import { DRIVERS_BODY_BYTES_MAX } from '../../../runtime/limits.ts'
import { DriverError } from '../../fleet/drivers.ts'
import { isDevice, isMetric } from '../../reading/validate-names.ts'
import { formatTime } from '../data/times.ts'
import { knownEffects } from '../query/drivers.ts'
import type { KnownEffect } from '../query/drivers.ts'
import { seriesOf } from './parameters.ts'
import type { AnalyticsSources, Get, Post } from './route.ts'
import * as shapes from './schemas.ts'

const ref = { device: z.string().openapi({ example: 'mast-1' }), metric: z.string().openapi({ example: 'rain' }) }
const NamedDrivers = z.strictObject({ device: z.string(), metric: z.string(), drivers: z.array(z.strictObject(ref)) }).openapi('NamedDrivers')
const effect = (what: string) => z.object({ effect: z.number(), error: z.number() }).openapi({ description: `Change of the series in an hour by one unit of the driver ${what}, and its standard error.` })
const Drivers = z
  .object({
    device: z.string(),
    metric: z.string(),
    gain: z.number().nullable().openapi({ description: 'Error of forecasts 1, 6 and 24 hours ahead with the drivers over that without, the mean of the three: below 1 they help, 1 they are not used; null while too little was graded.' }),
    used: z.boolean().openapi({ description: 'Whether the forecast uses them, as of learned_at.' }),
    hours: z.int().openapi({ description: 'Hours learned.' }),
    learned_at: z.union([z.string(), z.number()]).nullable().openapi({ description: 'Effects are told at the end of each UTC day; null before the first.' }),
    drivers: z.array(z.object({ ...ref, last_hour: effect('in the hour before'), last_6h: effect('of its average of about 6 hours'), last_24h: effect('of its average of about 24 hours') }).partial({ last_hour: true, last_6h: true, last_24h: true })),
    mayEdit: z.boolean().openapi({ description: 'Whether the key of this request may name drivers.' }),
  })
  .openapi('Drivers')

export function driversRoutes({ get, post }: { get: Get; post: Post }, { tail, drivers }: Pick<AnalyticsSources, 'tail' | 'drivers'>): void {
  get(
    '/v1/drivers',
    { summary: 'What drives a series, and what it was found to do', query: { ...shapes.series, ...shapes.forms }, answer: Drivers },
    async ({ c, query, principal, timeMs }) => {
      const { device, metric } = seriesOf(query)
      const named = drivers.of(principal.tenant).value.find((d) => d.device === device && d.metric === metric)?.drivers ?? []
      const known = named.length === 0 ? new Map<string, KnownEffect>() : await knownEffects(tail, { tenant: principal.tenant, device, metric })
      const told = named.map((driver) => ({ driver, effect: known.get(`${driver.device}\n${driver.metric}`) }))
      const newest = told.reduce<KnownEffect | null>((best, { effect: e }) => (e !== undefined && (best === null || e.learnedAt > best.learnedAt) ? e : best), null)
      const learned_at = newest === null ? null : timeMs ? newest.learnedAt : formatTime(newest.learnedAt)
      const shown = told.map(({ driver, effect: e }) => ({ ...driver, ...(e === undefined ? {} : { last_hour: pair(e, 0), last_6h: pair(e, 1), last_24h: pair(e, 2) }) }))
      const gain = newest?.gain ?? null
      // A correction that does not help is not made, and told as a gain of 1 (partition/drivers/driven.ts, D3).
      const answer = { device, metric, gain, used: gain !== null && gain < 1, hours: newest?.hours ?? 0, learned_at, drivers: shown, mayEdit: principal.role === 'admin' }
      return c.json(answer, 200, { 'cache-control': 'no-store' })
    },
  )
  post(
    '/v1/drivers',
    {
      summary: 'Names the series that drive one: rain and temperature of a soil’s moisture',
      description: 'Up to 4; an empty list takes them away. From then on the partition of the series learns what they do, hour by hour, and uses it in forecasts where it helps. For admins.',
      query: { time: shapes.forms.time },
      body: NamedDrivers,
      bodyBytesMax: DRIVERS_BODY_BYTES_MAX,
      answer: NamedDrivers,
    },
    async ({ c, body, principal }) => {
      if (principal.role !== 'admin') return problem(c, { status: 403, title: 'Not allowed', detail: 'Drivers are named by admins: use a key of that role.' })
      for (const [i, { device, metric }] of [body, ...body.drivers].entries()) {
        if (isDevice(device) && isMetric(metric)) continue
        const pointer = `${i === 0 ? '' : `/drivers/${i - 1}`}/${isDevice(device) ? 'metric' : 'device'}`
        return badDrivers('Bad body', `Cannot use ${JSON.stringify(`${device}/${metric}`.slice(0, 80))}: it must be the names of a series.`, pointer)
      }
      try {
        await drivers.set(principal.tenant, body)
      } catch (error) {
        if (!(error instanceof DriverError)) throw error
        return badDrivers('Bad drivers', error.message, error.pointer)
      }
      return c.json(body, 200, { 'cache-control': 'no-store' })
    },
  )
}

/** `pointer` leads to the place in the body that can't be used. */
const badDrivers = (title: string, detail: string, pointer: string) => problem(null, { status: 400, title, detail, extra: { parameter: 'drivers', pointer } })
const pair = ({ effects, errors }: KnownEffect, i: number) => ({ effect: effects[i], error: errors[i] })
