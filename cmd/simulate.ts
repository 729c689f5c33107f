/**
 * `weir simulate`: feeds real weather, faster than life, and a simulated farm, as it happens, to an edge.
 *
 * Two senders side by side. The weather's readings keep their own, historical times and are all sent within about a minute. The
 * farm first tells its last hours, so that its charts are full, and then goes on in the present, with its faults.
 */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { NO_FAULTS, TSBS_RATES } from '../actors/simulation/faults.ts'
import { FARM_PREFIX } from '../actors/simulation/farm.ts'
import { feedFarm, feedPlots, feedSeries } from '../actors/simulation/feed.ts'
import { knownUntil, seriesKey } from '../actors/simulation/known.ts'
import { plantedDayAt, plotDocuments, PlotsFarm, PLOTS_PREFIX } from '../actors/simulation/plots.ts'
import { Sender } from '../actors/simulation/sender.ts'
import { DAILY, NORMALS, WEATHER_PREFIX, readingsOf } from '../actors/simulation/weather.ts'
import { readAdminKey } from '../runtime/admin-key.ts'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { OperatingError } from '../runtime/errors.ts'
import { runProcess } from '../runtime/process.ts'
import { createLogger } from '../runtime/telemetry.ts'

const SPEC = {
  url: { type: 'string', default: 'http://127.0.0.1:8080', help: 'edge to send to' },
  key: { type: 'string', default: null, help: 'key of an admin or a device; without it, that in <data>/admin.key' },
  data: { type: 'string', default: './data', help: 'data folder of weir up, for its admin key' },
  seed: { type: 'number', default: 1, integer: true, help: 'draws the farm and its faults: the same seed, the same farm' },
  speed: { type: 'number', default: 1, min: 0.01, max: 1000, help: 'pace of both, 2 being twice as fast' },
  probes: { type: 'number', default: 36, integer: true, min: 0, max: 100_000, help: 'soil probes of the farm; 0 for no farm' },
  interval: { type: 'duration', default: '2s', help: 'how often a probe measures, at speed 1' },
  backfill: { type: 'duration', default: '21d', help: 'how much of its past the farm tells first, where the system does not know it yet' },
  weather: { type: 'duration', default: '45s', help: 'time in which the weather is replayed, at speed 1; 0 for no weather' },
  faults: { type: 'boolean', default: true, help: 'whether the farm has faults; --no-faults for a sound one' },
  plots: { type: 'boolean', default: false, help: 'also writes down three plots with a weather station, and tells what is measured there: for the advice of weir worker --actors' },
  for: { type: 'duration', default: 0, help: 'time after which the farm ends; 0 for never' },
} as const satisfies FlagSpec

/** How often it says how far it is. */
const REPORT_MS = 10_000

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('simulate', 'Feeds real weather and a simulated farm with faults in it.', SPEC, argv, env)
  const clock = systemClock
  const logger = createLogger('simulate')

  await runProcess({
    title: 'weir-simulate',
    logger,
    start: async (signal) => {
      const key = flags.key ?? (await readAdminKey(flags.data))
      const sender = new Sender({ url: flags.url, key, clock, onTrouble: (what) => logger.warn({}, `sending waits: ${what}`) })
      const report = () => logger.info({ ...sender.tally }, summary(sender))
      const reporting = (async () => {
        while (!signal.aborted) {
          await clock.sleep(REPORT_MS, signal)
          if (!signal.aborted) report()
        }
      })()
      const feeding = { sender, clock, signal }
      const asking = { url: flags.url, key, clock, signal }
      const work = [feedWeather(), feedProbes(), ...(flags.plots ? [feedFields()] : [])]
      return {
        done: Promise.all(work).then(() => {}),
        stop: async () => {
          await Promise.allSettled([...work, reporting])
          process.stdout.write(`${summary(sender)}\n`)
        },
      }

      async function feedWeather(): Promise<void> {
        if (flags.weather === 0) return
        const series = await Promise.all([NORMALS, DAILY].map(async (set) => readingsOf(await datasetFile(set.file), set)))
        const known = await knownUntil(WEATHER_PREFIX, asking)
        const unknown = series.map((readings) => readings.filter((reading) => reading.ts > (known.get(seriesKey(reading)) ?? -Infinity)))
        await feedSeries(feeding, unknown, flags.weather / flags.speed)
        logger.info({ readings: unknown.flat().length }, 'the weather is told')
      }

      async function feedFields(): Promise<void> {
        const plantedDay = plantedDayAt(clock.now())
        for (const [id, plot] of Object.entries(plotDocuments(plantedDay))) await putPlot({ url: flags.url, key }, id, plot)
        const known = Math.max(-Infinity, ...(await knownUntil(PLOTS_PREFIX, asking)).values())
        await feedPlots(feeding, new PlotsFarm(flags.seed, plantedDay), { fromMs: known + 1, forMs: flags.for })
      }

      async function feedProbes(): Promise<void> {
        if (flags.probes === 0) return
        const intervalMs = Math.max(1, Math.round(flags.interval / flags.speed))
        const rates = flags.faults ? TSBS_RATES : NO_FAULTS
        const farm = { seed: flags.seed, probes: flags.probes, intervalMs, spreadMs: intervalMs, rates }
        const known = Math.max(...(await knownUntil(FARM_PREFIX, asking)).values())
        const beganMs = clock.monotonic()
        await feedFarm(feeding, farm, {
          pastFromMs: Math.max(clock.now() - flags.backfill, known),
          forMs: flags.for,
          onPast: (readings) => logger.info({ readings, ms: Math.round(clock.monotonic() - beganMs) }, 'the past of the farm is told'),
        })
      }
    },
  })
}

/** Writes a plot down where there is none of that id: what somebody has changed stays. */
async function putPlot({ url, key }: { url: string; key: string }, id: string, plot: object): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'if-none-match': '*' }
  const response = await fetch(new URL(`/v1/plots/${id}`, url), { method: 'PUT', headers, body: JSON.stringify(plot) })
  const text = await response.text()
  if (!response.ok && response.status !== 412) throw new OperatingError('config', `Cannot write the plot ${id} down at ${url}: ${text.slice(0, 200)}`)
}

function summary({ tally }: Sender): string {
  const { readings, requests, retries, accepted, rejected, refused } = tally
  return `simulate sent ${readings} readings in ${requests} requests (${retries} of them again): ${accepted} accepted, ${rejected} rejected, ${refused} batches refused`
}

async function datasetFile(name: string): Promise<string> {
  // Its package.json and its data are not among what the package exports: the way to them is from its entry, in build/.
  const folder = dirname(dirname(createRequire(import.meta.url).resolve('vega-datasets')))
  return readFile(join(folder, 'data', name), 'utf8')
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
