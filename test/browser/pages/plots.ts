import { beforeAll, expect, test } from 'vitest'
import { accessibilityFaults, colourFaults, overflows } from '../browser.ts'
import { eventually, has, PHONE, says, text } from '../site.ts'
import type { Site } from '../site.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const DAYS = 9
const STATION = 'plots/mast'
const of = (metric: string) => ({ device: STATION, metric })
const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)

/** Maize in the middle of a dry summer, watered five days ago. */
const plot = {
  name: 'North', crop: 'maize', planted: dateOf(Date.now() - 75 * DAY_MS), soil: 'loam', areaHa: 0.2, latitude: 38, longitude: 0, elevationM: 100, irrigation: { efficiency: 0.9, rateMmHour: 6 },
  measures: { temperature: of('temperature'), humidity: of('humidity'), wind: of('wind'), radiation: of('radiation'), rain: of('rain'), irrigation: of('watering'), moisture: [of('moisture')] },
}

/** The plot with its advice, unless it is there. All of one device, in the order of time: so each day is told whole. */
export async function seedPlot(site: () => Site): Promise<void> {
  if ((await site().system.get<{ plots: unknown[] }>('/v1/plots')).plots.length > 0) return
  const put = await site().system.fetch('/v1/plots/north', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(plot) })
  expect(put.status, await put.text()).toBe(200)
  const now = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
  await site().post(Array.from({ length: 24 * DAYS }, (_, i) => {
    const ts = now - (24 * DAYS - i) * HOUR_MS
    const hour = (ts / HOUR_MS) % 24
    const warmth = Math.cos((2 * Math.PI * (hour - 3)) / 24)
    const watered = i >= 24 * (DAYS - 5)
    const said = {
      temperature: 26 - 8 * warmth, humidity: 50 + 20 * warmth, wind: 2, radiation: Math.max(0, 850 * Math.sin((Math.PI * (hour - 5)) / 15)), rain: 0,
      watering: i === 24 * (DAYS - 5) ? 40 : 0, moisture: (watered ? 26.6 : 25) - (0.5 * i) / 24,
    }
    return Object.entries(said).map(([metric, value]) => ({ device: STATION, metric, ts, value }))
  }).flat())
  await eventually('the plot is advised by what its probe says', async () => {
    const { plots } = await site().system.get<{ plots: { id: string; advice: { day: string; seen_mm: number | null } | null }[] }>('/v1/plots')
    const advice = plots.find(({ id }) => id === 'north')?.advice
    return advice != null && advice.seen_mm !== null && advice.day >= dateOf(Date.now() - 2 * DAY_MS)
  }, 60_000)
}

export function plotsTests(site: () => Site): void {
  beforeAll(() => seedPlot(site))

  test('say on a phone what to do, when, how much and why, and unfold their days; nothing for axe to find', async () => {
    const { page, problems, close } = await site().open('/plots', { ...PHONE, colorScheme: 'light', reducedMotion: 'reduce' })
    const card = '.plot-card[aria-label="North"]'
    await says(page, '#plots-said', 'One wants water.')
    await has(page, card, 'data-mood', /^(soon|thirsty)$/)
    await says(page, `${card} .plot-when`, /^(This|Tomorrow) evening$/)
    await says(page, `${card} .plot-much`, /^\d+ mm · [\d,]+ litres$/)
    // The tank is drawn for eyes and said for ears, and both say the same.
    const full = Number(/^The roots have (\d+) %/.exec((await page.locator(`${card} .plot-tank`).getAttribute('aria-label'))!)![1])
    expect(Number(await page.locator(`${card} .tank-water`).getAttribute('width')) / 296).toBeCloseTo(full / 100, 1)
    expect(await page.locator(`${card} .plot-reasons li`).allInnerTexts()).toEqual([expect.stringMatching(/^(The roots lack|The crop is thirsty)/), expect.stringMatching(/will fill them, 95 times in 100/), expect.stringMatching(/^Maize in /)])

    const toggle = page.locator(`${card} button`, { hasText: 'Its days' })
    expect((await toggle.boundingBox())!.height).toBeGreaterThanOrEqual(43.5)
    await toggle.tap()
    await page.locator(`${card} .plot-course`).waitFor()
    await has(page, `${card} button`, 'aria-expanded', 'true')
    expect(await text(page, `${card} .plot-more`)).toMatch(/The probes say [\d.]+ %, which is \d+ mm short of the [\d.]+ % that this field holds/)
    // A dot a day for the probe, a bar for the watering, and a band for what may come.
    expect(await page.locator(`${card} .course-seen`).count()).toBeGreaterThanOrEqual(DAYS - 2)
    expect([await page.locator(`${card} .course-given`).count(), await page.locator(`${card} .course-band`).count()]).toEqual([1, 1])
    await site().shoot(page, 'plots-phone-unfolded')
    expect(await accessibilityFaults(page, '#plots')).toEqual([])
    expect(await overflows(page)).toBe(false)
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await colourFaults(page, '#plots')).toEqual([])
    await page.setViewportSize({ width: 320, height: 640 })
    expect(await overflows(page), '320 px').toBe(false)

    await toggle.press('Enter')
    await has(page, `${card} button`, 'aria-expanded', 'false')
    expect(await page.locator(`${card} .plot-course`).isVisible()).toBe(false)
    expect(problems).toEqual([])
    await close()
  })
}
