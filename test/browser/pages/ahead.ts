import { beforeAll, expect, test } from 'vitest'
import { accessibilityFaults, colourFaults, overflows } from '../browser.ts'
import { ORCHARD, addressHolds, eventually, has, inBothSizes, says } from '../site.ts'
import type { Site } from '../site.ts'

const HOUR_MS = 3_600_000
const DEVICE = ORCHARD(1)
const address = (more = '') => `/device?id=${DEVICE}&range=24h${more}`
const PANE = '.pane[data-metric="air_temperature"]'
const EXPECTED = /^Expected: \d+\.\d °C in 6 h, within \d+\.\d to \d+\.\d °C \((model .+, )?(in \d+ of 100 cases right so far|not tried often enough.*)\)$/

export function aheadTests(site: () => Site): void {
  beforeAll(async () => {
    await eventually('it is forecast', async () => {
      const { forecast } = (await (await site().system.fetch(`/v1/forecast?device=${DEVICE}&metric=air_temperature`)).json()) as { forecast: unknown[] }
      return forecast.length > 12
    }, 60_000)
  })

  test('reaches beyond now by what is expected, in words as well, and the cursor reads it', async () => {
    const { page, problems, close } = await site().open(address())
    await says(page, `${PANE} .pane-ahead`, EXPECTED)
    await has(page, `${PANE} .chart`, 'aria-label', /unusual\. Expected: \d+\.\d\s°C in 6 h, within /)
    await says(page, '#span', /now \(24 h\), and [78] h ahead$/)
    const chart = page.locator(`${PANE} .chart`)
    await chart.focus()
    await page.keyboard.press('End')
    await says(page, '#chart-read', /^Air temperature, \d+\.\d °C/)
    for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight')
    await says(page, '#chart-read', /^Air temperature, expected \d+\.\d °C, within \d+\.\d to \d+\.\d °C, .*in \d+ (min|h)$/)
    await says(page, `${PANE} .pane-about`, /^expected, /)
    expect(problems).toEqual([])
    await close()
  })

  test('is said, and not drawn, of a range that is shorter than the hours it is made of', async () => {
    const { page, close } = await site().open(`/device?id=${DEVICE}&range=1h`)
    await says(page, `${PANE} .pane-ahead`, EXPECTED)
    await says(page, '#span', /now \(60 min\)$|now \(1 h\)$/)
    await close()
  })

  test('is left out where the reader switches it off, as the address says', async () => {
    const { page, close } = await site().open(address())
    await says(page, `${PANE} .pane-ahead`, EXPECTED)
    await page.locator('.chip', { hasText: 'Forecast' }).click()
    await addressHolds(page, 'ahead=off')
    await page.locator(`${PANE} .pane-ahead`).waitFor({ state: 'hidden' })
    await says(page, '#span', /now \(24 h\)$/)
    await page.reload()
    // The switch shows once the forecast is known.
    await page.locator('.chip', { hasText: 'Forecast' }).waitFor()
    await says(page, '#span', /now \(24 h\)$/)
    expect(await page.locator('#ahead').isChecked()).toBe(false)
    await page.goBack()
    await says(page, `${PANE} .pane-ahead`, EXPECTED)
    await close()
  })

  test('shows no future of a series that is not forecast, nor a switch for it', async () => {
    const { page, close } = await site().open('/device?id=tank-1&range=24h')
    await has(page, '.chart', 'aria-label', /at the end/)
    await says(page, '#span', /now \(24 h\)$/)
    expect(await page.locator('#ahead').isVisible()).toBe(false)
    await close()
  })

  test('takes a forecast as it comes live', async () => {
    const { page, problems, close } = await site().open('/explore')
    await page.locator('#run').waitFor()
    const made = Math.floor(Date.now() / HOUR_MS) * HOUR_MS + 1
    const forecast = Array.from({ length: 24 }, (_, h) => ({ ts: made - 1 + h * HOUR_MS, mean: 77, lower: 70, upper: 80, lower80: 75, upper80: 79 }))
    const event = { device: DEVICE, metric: 'air_temperature', model: 'told', made_at: made, coverage: 0.94, error: 1, forecast }
    await page.route('**/v1/live?**', (route) => route.fulfill({ contentType: 'text/event-stream', body: `event: forecast\ndata: ${JSON.stringify(event)}\n\n` }))
    await page.goto(`${site().system.url}${address()}`)
    await says(page, `${PANE} .pane-ahead`, 'Expected: 77.0 °C in 6 h, within 70.0 to 80.0 °C (model told, in 94 of 100 cases right so far)')
    expect(problems).toEqual([])
    await close()
  })

  test('has nothing for axe to find in either theme and at either width, also with what drives it, and fits a phone', async () => {
    const [rain, sun] = [{ device: 'orchard/rain-gauge', metric: 'rain' }, { device: 'orchard/mast-1', metric: 'solar_radiation' }]
    const effect = (of: number, error: number) => ({ effect: of, error })
    const told = [
      { ...rain, last_hour: effect(-0.824, 0.11), last_6h: effect(-0.062, 0.014), last_24h: effect(0.01, 0.02) },
      { ...sun, last_hour: effect(0.0021, 0.0004), last_6h: effect(0, 0.01), last_24h: effect(0, 0.01) },
      { device: 'orchard/gate', metric: 'wind', last_hour: effect(0.1, 0.2), last_6h: effect(0, 0.01), last_24h: effect(0, 0.01) },
    ]
    const drivers = { device: DEVICE, metric: 'air_temperature', gain: 0.81, used: true, hours: 312, learned_at: Date.now() - 12 * HOUR_MS, drivers: told, mayEdit: true }
    await inBothSizes(async (size, options) => {
      const { page, problems, close } = await site().open('/units', options)
      await page.route('**/v1/drivers?**', (route) => route.fulfill({ json: drivers }))
      await page.goto(`${site().system.url}${address()}`)
      await says(page, `${PANE} .pane-ahead`, EXPECTED)
      await says(page, `${PANE} .drivers-list`, /^Driven by Rain of orchard\/rain-gauge: an hour with 1 mm more lowers it by 0\.82 ± 0\.11 °C in the next; 6 hours .*\s.*: an hour with 1 W\/m² more raises .*\s.*: no sure effect so far\.$/)
      await says(page, `${PANE} .drivers-use`, /^The forecast uses them: a day ahead or less, it misses 19 % less\. Learned from 312 hours, until /)
      expect(await accessibilityFaults(page, '.charts'), `${size}, light`).toEqual([])
      await site().shootScreen(page, `ahead-${size}-light`)
      await page.emulateMedia({ colorScheme: 'dark' })
      expect(await colourFaults(page, '.charts'), `${size}, dark`).toEqual([])
      await site().shootScreen(page, `ahead-${size}-dark`)
      expect(await overflows(page), size).toBe(false)
      expect(problems).toEqual([])
      await close()
    })
  })
}
