/** The dashboard in a real browser, on the whole system with real processes. The tests of each page are in pages/. */

import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import { accessTests } from './pages/access.ts'
import { aheadTests } from './pages/ahead.ts'
import { alertsTests } from './pages/alerts.ts'
import { deviceTests } from './pages/device.ts'
import { everyPageTests } from './pages/every-page.ts'
import { driversTests } from './pages/drivers.ts'
import { exploreTests } from './pages/explore.ts'
import { fleetTests } from './pages/fleet.ts'
import { freshTests } from './pages/fresh.ts'
import { patternsTests } from './pages/patterns.ts'
import { plotsTests } from './pages/plots.ts'
import { rulesTests } from './pages/rules.ts'
import { systemTests } from './pages/system.ts'
import { unitsTests } from './pages/units.ts'
import { whyTests } from './pages/why.ts'
import { ORCHARD, PROBE, Site } from './site.ts'

let site: Site
const of = () => site

beforeAll(async () => {
  site = await Site.start()
})
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(site.system.output())
})
afterAll(() => site?.stop())

describe('a fresh system', () => freshTests(of))

describe('who reads', () => accessTests(of))

describe('with readings in it', () => {
  /** Twenty minutes of a calm soil, a reading a second, and one value that does not belong. */
  beforeAll(async () => {
    const first = Math.floor(Date.now() / 1_000) * 1_000 - 1_500_000
    const calm = (i: number) => 20 + Math.sin(i / 200) + 0.1 * Math.sin(i * 12.9898)
    const rows = Array.from({ length: 1_400 }, (_, i) => ({ device: PROBE, metric: 'soil_moisture', ts: first + i * 1_000, value: calm(i) }))
    const other = rows.filter((_, i) => i % 10 === 0).map((r) => ({ ...r, metric: 'soil_temperature', value: r.value / 2 }))
    await site.post([...rows, ...other])
    await site.post([{ ...rows[0], ts: first + 1_400_000, value: 95 }])
    await site.post(Array.from({ length: 20 }, (_, i) => ({ ...rows[0], ts: first + 1_401_000 + i * 1_000, value: calm(1_401 + i) })))
    // Sent again they are duplicates; without a value they are no readings.
    await site.post(rows.slice(0, 50))
    await site.post([{ device: 'tank-1', metric: 'level', value: 3 }, { device: 'tank-1', metric: 'level' }])
    await site.post(Array.from({ length: 30 }, (_, i) => ({ device: `field-${i % 3}/valve-${i}`, metric: 'flow_rate', value: i })))
    // A device that measured every ten seconds, and stopped a quarter of an hour ago; and one that goes on every minute, and was just unlike itself.
    await site.post(Array.from({ length: 40 }, (_, i) => ({ device: 'field-2/quiet', metric: 'battery', ts: first + i * 10_000, value: 3.9 })))
    await site.post(Array.from({ length: 400 }, (_, i) => ({ device: 'field-2/odd', metric: 'ec', ts: first + 1_500_000 - (399 - i) * 60_000, value: i === 398 ? 30 : 1 + 0.01 * Math.sin(i * 12.9898) })))
  })

  describe('the fleet', () => fleetTests(of))
  describe('a device', () => deviceTests(of))
  describe('why something stood out', () => whyTests(of))
  describe('the alerts', () => alertsTests(of))
  describe('the rules', () => rulesTests(of))

  describe('an orchard that measured for a week', () => {
    /** Days and nights, a reading each half hour: enough for the forecaster, and for what is usual of its masts. The fifth is out in the sun since the day before yesterday. */
    beforeAll(async () => {
      const [dayMs, now] = [86_400_000, Math.floor(Date.now() / 60_000) * 60_000]
      const sunnySince = Math.floor(now / dayMs) * dayMs - 2 * dayMs
      const warmth = (n: number, ts: number) => 15 + n / 10 - 6 * Math.cos((2 * Math.PI * ts) / dayMs) + 0.4 * Math.sin(ts / 1_234_567) + (n === 5 && ts >= sunnySince ? 25 : 0)
      const times = Array.from({ length: 7 * 48 + 1 }, (_, i) => now - 7 * dayMs + i * 1_800_000)
      const rows = (metric: string, masts: number[], share: number) => masts.flatMap((n) => times.map((ts) => ({ device: ORCHARD(n), metric, ts, value: warmth(n, ts) * share })))
      await site.post([...rows('air_temperature', [1, 2, 3, 4, 5], 1), ...rows('soil_temperature', [2, 3, 4], 0.5)])
    })

    describe('a chart with a forecast', () => aheadTests(of))
    describe('what drives a series', () => driversTests(of))
    describe('the patterns', () => patternsTests(of))
  })

  describe('the explorer', () => exploreTests(of))
  describe('the system', () => systemTests(of))
  describe('the units', () => unitsTests(of))
  describe('the plots', () => plotsTests(of))
  describe('every page', () => everyPageTests(of))
})
