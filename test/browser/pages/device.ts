import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { PHONE, PROBE, addressHolds, eventually, has, says, text } from '../site.ts'
import type { Site } from '../site.ts'

const address = (device: string, more = '') => `/device?id=${device}${more}`
const MOISTURE = '.pane[data-metric="soil_moisture"]'
const drawn = (page: Page) => has(page, `${MOISTURE} .chart`, 'aria-label', /^Soil moisture: between 18\.\d to 95\.0\s%.*1 time unusual$/)

/** The field of a chart, without its axes. */
async function field(page: Page) {
  const over = page.locator(`${MOISTURE} .u-over`)
  await over.scrollIntoViewIfNeeded()
  return (await over.boundingBox())!
}

export function deviceTests(site: () => Site): void {
  test('has all its metrics in charts of one time, each with its last value in its unit', async () => {
    const { page, problems, close } = await site().open(address(PROBE))
    await drawn(page)
    await says(page, '#title', PROBE)
    await says(page, `${MOISTURE} .pane-value`, /^\d\d\.\d %$/)
    await says(page, '.pane[data-metric="soil_temperature"] .pane-value', /^\d+\.\d °C$/)
    await page.locator('.chip', { hasText: 'Soil moisture' }).click()
    await addressHolds(page, 'metrics=soil_temperature')
    await eventually('one chart is left', async () => (await page.locator('.pane').count()) === 1, 30_000)
    await page.goBack()
    await eventually('both are back', async () => (await page.locator('.pane').count()) === 2, 30_000)
    expect(problems).toEqual([])
    await close()
  })

  test('shows a reading at once, and a metric that it did not have before', async () => {
    const { page, problems, close } = await site().open(address('tank-1'))
    await says(page, '#stream', 'live')
    await says(page, '.pane-value', '3')
    await site().post([{ device: 'tank-1', metric: 'level', value: 41.5 }])
    await says(page, '.pane-value', '41.5')
    await has(page, '.chart', 'aria-label', /to 41\.5 at the end/)
    await site().post([{ device: 'tank-1', metric: 'ph', value: 6.8 }])
    await says(page, '.pane[data-metric="ph"] .pane-value', '6.80 pH')
    expect(problems).toEqual([])
    await close()
  })

  test('marks an anomaly, lists it with its reason, and explains it where it is pressed or come to by a key', async () => {
    const { page, close } = await site().open(address(PROBE))
    await page.locator(`${MOISTURE} .mark`).first().waitFor()
    const row = page.locator('#anomalies tbody tr', { hasText: '95.0' }).first()
    const reason = (await row.locator('.reason').innerText()).replace(/^.*?\. /, '')
    expect(reason.length).toBeGreaterThan(10)
    await row.locator('button').focus()
    await says(page, `${MOISTURE} .tip`, /^95.0 %/)
    expect(await text(page, `${MOISTURE} .tip`)).toContain(reason)
    await page.locator(`${MOISTURE} .chart`).focus()
    await page.locator(`${MOISTURE} .tip`).waitFor({ state: 'hidden' })
    await page.keyboard.press('p')
    await says(page, `${MOISTURE} .tip`, /^95.0 %/)
    await says(page, '#chart-read', /Soil moisture, 95.0 %.*Unusual: /)
    await page.keyboard.press('Escape')
    await page.locator(`${MOISTURE} .tip`).waitFor({ state: 'hidden' })
    const mark = (await page.locator(`${MOISTURE} .mark`).first().boundingBox())!
    await page.mouse.click(mark.x + mark.width / 2, mark.y + mark.height / 2)
    await says(page, `${MOISTURE} .tip`, /^95.0 %/)
    await close()
  })

  test('tells a new anomaly to who listens to the page', async () => {
    const device = 'field-9/probe-1'
    const start = Math.floor(Date.now() / 1_000) * 1_000 - 700_000
    await site().post(Array.from({ length: 600 }, (_, i) => ({ device, metric: 'ec', ts: start + i * 1_000, value: 1 + 0.01 * Math.sin(i * 12.9898) })))
    const { page, close } = await site().open(address(device))
    await says(page, '#stream', 'live')
    await site().post([{ device, metric: 'ec', ts: start + 600_000, value: 30 }, ...Array.from({ length: 10 }, (_, i) => ({ device, metric: 'ec', ts: start + 601_000 + i * 1_000, value: 1 }))])
    await eventually('the anomaly is announced', async () => /Unusual: Salinity .*30.*mS\/cm/.test((await page.locator('#announce').textContent()) ?? ''), 30_000)
    expect(await page.locator('#announce').getAttribute('aria-live')).toBe('polite')
    await close()
  })

  test('is moved by dragging, zoomed by wheel, buttons and keys; the address keeps the span, and the history leads back', async () => {
    const { page, problems, close } = await site().open(address(PROBE))
    await drawn(page)
    await page.locator('label[for="range-6h"]').click()
    await addressHolds(page, 'range=6h')
    await page.reload()
    await page.locator('#range-6h:checked').waitFor({ state: 'attached' })
    await drawn(page)
    const span = async () => {
      const query = new URL(page.url()).searchParams
      return [Date.parse(query.get('from')!), Date.parse(query.get('to')!)]
    }

    const plot = await field(page)
    await page.mouse.move(plot.x + plot.width * 0.4, plot.y + 40)
    await page.mouse.down()
    await page.mouse.move(plot.x + plot.width * 0.6, plot.y + 50, { steps: 5 })
    await page.mouse.up()
    await page.locator('#reset-zoom').waitFor()
    await addressHolds(page, 'from=')
    const [from, to] = await span()
    expect(to - from).toBe(6 * 3_600_000)
    expect(Math.abs(Date.now() - to - 0.2 * (to - from))).toBeLessThan(0.02 * (to - from))

    await page.keyboard.down('Control')
    await page.mouse.wheel(0, -400)
    await page.keyboard.up('Control')
    await eventually('it is zoomed', async () => (await span())[1] - (await span())[0] < 0.7 * (to - from), 30_000)
    await page.locator('#zoom-out').click()
    await page.reload()
    await page.locator('#reset-zoom').waitFor()
    await page.goBack()
    await page.locator('#reset-zoom').waitFor({ state: 'hidden' })

    const chart = page.locator(`${MOISTURE} .chart`)
    await chart.focus()
    await page.keyboard.press('+')
    await page.locator('#reset-zoom').waitFor()
    await page.keyboard.press('0')
    await page.locator('#reset-zoom').waitFor({ state: 'hidden' })
    await drawn(page)
    await page.keyboard.press('End')
    await says(page, '#chart-read', /^Soil moisture, \d\d\.\d %/)
    const last = await text(page, '#chart-read')
    await page.keyboard.press('PageUp')
    await eventually('another point is read', async () => (await text(page, '#chart-read')) !== last, 30_000)
    expect(problems).toEqual([])
    await close()
  })

  test('is drawn as it fits, reading by reading, or by windows; the windows stand in numbers as well', async () => {
    const { page, problems, close } = await site().open(address(PROBE, '&metrics=soil_moisture'))
    await drawn(page)
    await says(page, `${MOISTURE} .pane-note`, /reading|mean/)
    await page.locator('#view').selectOption('1m')
    await addressHolds(page, 'view=1m')
    await says(page, `${MOISTURE} .pane-note`, /^The line is the mean/)
    await page.locator('#view').selectOption('readings')
    await says(page, `${MOISTURE} .pane-note`, 'Each point is a reading.')
    await page.locator('label[for="size-15m"]').click()
    await eventually('windows of a quarter', async () => {
      const rows = await page.locator('#windows tbody tr td:first-child').allInnerTexts()
      return rows.length > 0 && rows.every((t) => /:(00|15|30|45):00$/.test(t))
    }, 30_000)
    expect(problems).toEqual([])
    await close()
  })

  test('is moved and pinched by fingers, and a tap reads it', async () => {
    const { page, problems, close } = await site().open(address(PROBE, '&metrics=soil_moisture'), PHONE)
    await drawn(page)
    const plot = await field(page)
    const cdp = await page.context().newCDPSession(page)
    const touch = (type: string, ...points: [number, number][]) => cdp.send('Input.dispatchTouchEvent', { type: type as 'touchStart', touchPoints: points.map(([x, y], id) => ({ x, y, id })) })
    const [x, y] = [plot.x + plot.width * 0.72, plot.y + plot.height / 2]
    await page.touchscreen.tap(x, y)
    await eventually('the moment is read', async () => /\d\d:\d\d:\d\d/.test(await text(page, `${MOISTURE} .pane-about`)), 30_000)
    await touch('touchStart', [x, y])
    for (const dx of [10, 25, 40, 50]) await touch('touchMove', [x + dx, y])
    await touch('touchEnd')
    await addressHolds(page, 'from=')
    const length = () => {
      const query = new URL(page.url()).searchParams
      return Date.parse(query.get('to')!) - Date.parse(query.get('from')!)
    }
    expect(length()).toBe(3_600_000)
    await touch('touchStart', [x - 20, y], [x + 20, y])
    for (const by of [30, 40, 50, 60]) await touch('touchMove', [x - by, y], [x + by, y])
    await touch('touchEnd')
    await eventually('a third of the hour is left', () => length() < 1_500_000, 30_000)
    expect(problems).toEqual([])
    await close()
  })

  test('waits for an answer that takes its time, and does not ask for the same again and again', async () => {
    const { page, problems, close } = await site().open('/explore')
    await page.locator('#run').waitFor()
    let asked = 0
    let statuses = 0
    let release: () => void = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    page.on('request', (request) => {
      // The status is asked for every other second: by the third time, ticks have passed.
      if (request.url().includes('/v1/status') && ++statuses === 3) release()
    })
    await page.route('**/v1/graph?**metric=soil_moisture**', async (route) => {
      asked++
      await released
      await route.continue()
    })
    await page.goto(`${site().system.url}${address(PROBE, '&metrics=soil_moisture')}`)
    await drawn(page)
    expect(asked).toBe(1)
    expect(problems).toEqual([])
    await close()
  })

  test('says that it is not known here, where it is not', async () => {
    const { page, close } = await site().open(address('nobody'))
    await says(page, '#device-about', /Nothing of this device is known here/)
    await close()
  })

  test('notices a store that dies, and shows what came meanwhile once it is back', async () => {
    const { page, close } = await site().open(address('tank-1', '&metrics=level'))
    await says(page, '#stream', 'live')
    for (const pid of site().system.pids('weir-store')) process.kill(pid, 'SIGKILL')
    await says(page, '#stream', 'reconnecting')
    await site().post([{ device: 'tank-1', metric: 'level', value: 77.25 }])
    await says(page, '#stream', 'live')
    await says(page, '.pane-value', '77.25')
    await page.locator('#offline').waitFor({ state: 'hidden' })
    await close()
  })
}
