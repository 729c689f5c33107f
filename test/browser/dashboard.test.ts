/** The dashboard in a real browser, on the whole system with real processes. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_KEY, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'
import { accessibilityFaults, openPage, overflows, startBrowser } from './browser.ts'

let system: System
let browser: Browser
/** Where screenshots are left to be looked at; without WEIR_SCREENSHOTS they go with the test. */
const shots = process.env.WEIR_SCREENSHOTS ?? mkdtempSync(join(tmpdir(), 'weir-dashboard-'))

beforeAll(async () => {
  browser = await startBrowser()
  system = await startSystem()
})
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(system.output())
})
afterAll(async () => {
  await browser?.close()
  await system?.remove()
  if (!process.env.WEIR_SCREENSHOTS) rmSync(shots, { recursive: true, force: true })
})

interface Sent {
  device: string
  metric: string
  ts?: number
  value: number
}

async function post(readings: readonly (Sent | object)[]): Promise<void> {
  const response = await system.fetch('/v1/readings', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings),
  })
  expect(response.status, await response.text()).toBe(202)
}

const home = (query = '', key = ADMIN_KEY) => `${system.url}/${query}#key=${key}`

/** What a `weir` command prints, of the system's own data folder. */
function weir(...words: string[]): string {
  return execFileSync(process.execPath, [join(import.meta.dirname, '../../cmd/weir.ts'), ...words, '--data', system.dataDir, '--json'], { encoding: 'utf8' })
}

function makeKey(role: string): { id: string; secret: string } {
  return JSON.parse(weir('keys', 'create', '--role', role)) as { id: string; secret: string }
}

const text = (page: Page, selector: string) => page.locator(selector).innerText()

/** Waits until the element says what is expected. */
const says = (page: Page, selector: string, expected: RegExp | string) =>
  eventually(`${selector} says ${expected}`, async () => {
    const now = await text(page, selector)
    return typeof expected === 'string' ? now === expected : expected.test(now)
  }, 30_000)

/** Waits until the address of the page holds `part`. */
const addressHolds = (page: Page, part: string) => page.waitForURL((url) => url.href.includes(part), { waitUntil: 'commit' })

/** Waits until `attribute` of the element is `expected`. */
const has = (page: Page, selector: string, attribute: string, expected: string) =>
  eventually(`${attribute} of ${selector} is ${expected}`, async () => (await page.locator(selector).getAttribute(attribute)) === expected, 30_000)

describe('a fresh system', () => {
  test('asks for a key, says clearly that one is wrong, and with the right one shows how to send the first reading', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(system.url)
    await page.locator('#key').waitFor()
    expect(await accessibilityFaults(page)).toEqual([])
    await page.keyboard.type('not-a-key')
    await page.keyboard.press('Enter')
    await says(page, '#key-error', /not known here/)
    await page.keyboard.type(ADMIN_KEY)
    await page.keyboard.press('Enter')
    await page.locator('#empty').waitFor()
    expect(await text(page, '#curl')).toContain(`curl ${system.url}/v1/readings`)
    expect(await accessibilityFaults(page)).toEqual([])

    await post([{ device: 'field-1/probe-1', metric: 'soil_moisture', value: 23.4 }])
    await page.locator('#board').waitFor()
    await says(page, '#now-value', '23.4')
    await close()
  })

  test('tells a key that may only send from one that is unknown, and from one that was revoked while it was used', async () => {
    const device = makeKey('device')
    const { page, close } = await openPage(browser)
    await page.goto(home('', device.secret))
    await says(page, '#key-error', /may send readings, but not read them/)

    const analyst = makeKey('analyst')
    await page.locator('#key').fill(analyst.secret)
    await page.keyboard.press('Enter')
    await page.locator('#app').waitFor()
    weir('keys', 'revoke', analyst.id)
    await says(page, '#key-error', /not known here/)
    await page.locator('#app').waitFor({ state: 'hidden' })
    await close()
  })
})

describe('with readings in it', () => {
  const probe = { device: 'field-7/probe-2', metric: 'soil_moisture' }
  let first = 0
  /** Twenty minutes of a calm soil, a reading a second, and one value that does not belong. */
  beforeAll(async () => {
    first = Math.floor(Date.now() / 1_000) * 1_000 - 1_500_000
    const calm = (i: number) => 20 + Math.sin(i / 200) + 0.1 * Math.sin(i * 12.9898)
    const rows = Array.from({ length: 1_400 }, (_, i) => ({ ...probe, ts: first + i * 1_000, value: calm(i) }))
    const other = rows.filter((_, i) => i % 10 === 0).map((r) => ({ ...r, metric: 'soil_temperature', value: r.value / 2 }))
    await post([...rows, ...other])
    await post([{ ...probe, ts: first + 1_400_000, value: 95 }])
    await post(Array.from({ length: 20 }, (_, i) => ({ ...probe, ts: first + 1_401_000 + i * 1_000, value: calm(1_401 + i) })))
    // Sent again they are duplicates; without a value they are no readings.
    await post(rows.slice(0, 50))
    await post([{ device: 'tank-1', metric: 'level', value: 3 }, { device: 'tank-1', metric: 'level' }])
    await post(Array.from({ length: 30 }, (_, i) => ({ device: `field-${i % 3}/valve-${i}`, metric: 'flow_rate', value: i })))
  })

  test('a key in the address is kept and taken out of sight', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(home())
    await page.locator('#board').waitFor()
    await page.waitForURL((url) => !url.href.includes(ADMIN_KEY), { waitUntil: 'commit' })
    await page.reload()
    await page.locator('#board').waitFor()
    await close()
  })

  test('a series is found by typing, with the keyboard alone', async () => {
    const { page, problems, close } = await openPage(browser)
    await page.goto(home())
    await page.locator('#board').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('moist field-7')
    await page.locator('#found li').first().waitFor()
    await has(page, '#find', 'aria-expanded', 'true')
    await has(page, '#find', 'aria-activedescendant', 'found-0')
    await page.keyboard.press('Escape')
    await has(page, '#find', 'aria-expanded', 'false')
    await page.keyboard.press('ArrowDown')
    await page.locator('#found li').first().waitFor()
    await page.keyboard.press('Enter')
    await says(page, '#title', /soil_moisture.*field-7\/probe-2/)
    await addressHolds(page, '?device=field-7/probe-2&metric=soil_moisture')
    expect(problems).toEqual([])
    await close()
  })

  test('a reading that is posted appears at once in chart and list', async () => {
    const { page, problems, close } = await openPage(browser)
    await page.goto(home('?device=tank-1&metric=level'))
    await says(page, '#stream', 'live')
    await says(page, '#now-value', '3')
    await post([{ device: 'tank-1', metric: 'level', value: 41.5 }])
    await says(page, '#now-value', '41.5')
    await says(page, '.series-row[aria-current] .row-value', '41.5')
    await eventually('the chart reaches to the new value', async () => /to 41\.5\b/.test((await page.locator('#chart').getAttribute('aria-label')) ?? ''), 30_000)
    expect(problems).toEqual([])
    await close()
  })

  test('an anomaly is marked in the chart and listed with its reason, and pointing at either shows why', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(home('?device=field-7/probe-2&metric=soil_moisture'))
    await page.locator('#chart .mark').first().waitFor()
    await page.locator('#anomalies tbody tr').first().waitFor()
    const row = page.locator('#anomalies tbody tr', { hasText: '95' }).first()
    expect(await row.innerText()).toMatch(/\d\d:\d\d:\d\d/)
    const reason = (await row.locator('.reason').innerText()).trim()
    expect(reason.length).toBeGreaterThan(3)
    await row.locator('button').focus()
    await says(page, '#chart .tip', /95/)
    expect(await text(page, '#chart .tip')).toContain(reason)
    await close()
  })

  test('a new anomaly is told to who listens to the page', async () => {
    const { page, close } = await openPage(browser)
    const device = 'field-9/probe-1'
    const start = Math.floor(Date.now() / 1_000) * 1_000 - 700_000
    await post(Array.from({ length: 600 }, (_, i) => ({ device, metric: 'ec', ts: start + i * 1_000, value: 1 + 0.01 * Math.sin(i * 12.9898) })))
    await page.goto(home(`?device=${device}&metric=ec`))
    await says(page, '#stream', 'live')
    expect(await page.locator('#announce').getAttribute('aria-live')).toBe('polite')
    await post([{ device, metric: 'ec', ts: start + 600_000, value: 30 }])
    await post(Array.from({ length: 10 }, (_, i) => ({ device, metric: 'ec', ts: start + 601_000 + i * 1_000, value: 1 })))
    await eventually('the anomaly is announced', async () => /Anomaly in ec .*30/.test((await page.locator('#announce').textContent()) ?? ''), 30_000)
    await close()
  })

  test('the other metrics of the device have charts beside, which become the main one by a click', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(home('?device=field-7/probe-2&metric=soil_moisture'))
    await page.locator('.linked-chart canvas').first().waitFor()
    await page.locator('.linked-head button', { hasText: 'soil_temperature' }).click()
    await says(page, '#title', /^soil_temperature/)
    await page.goBack()
    await says(page, '#title', /^soil_moisture/)
    await close()
  })

  test('fates, counts and owners are those of the ledger and the status', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(home())
    const ledger = await eventually('duplicates are known', async () => {
      const now = await system.get<{ duplicate: number; rejected: number; late: number }>('/v1/ledger')
      return now.duplicate >= 50 && now.rejected >= 1 ? now : null
    })
    expect(ledger.rejected).toBe(1)
    await says(page, '#fate-rejected', '1')
    await eventually('the page has as many duplicates', async () => {
      const now = await system.get<{ duplicate: number }>('/v1/ledger')
      return (await page.locator('#fate-duplicate').getAttribute('title')) === new Intl.NumberFormat('en-GB').format(now.duplicate)
    }, 30_000)
    await says(page, '#health-text', /All well · \d+ workers, 1 store/)
    await page.locator('#operator summary').click()
    const status = await system.get<{ partitions: unknown[] }>('/v1/status')
    await eventually('a row for each partition', async () => (await page.locator('#operator-body table').first().locator('tbody tr').count()) === status.partitions.length, 30_000)
    await close()
  })

  test('dragging zooms, the address keeps the range, and the windows of the range are listed', async () => {
    const { page, problems, close } = await openPage(browser)
    await page.goto(home('?device=field-7/probe-2&metric=soil_moisture'))
    const drawn = () => eventually('the chart is drawn', async () => /from 18|from 19/.test((await page.locator('#chart').getAttribute('aria-label')) ?? ''), 30_000)
    await drawn()
    await page.locator('label[for="range-6h"]').click()
    await addressHolds(page, 'range=6h')
    await page.reload()
    await page.locator('#range-6h:checked').waitFor({ state: 'attached' })
    await page.locator('#windows tbody tr').first().waitFor()
    await page.locator('label[for="size-15m"]').click()
    await eventually('windows of a quarter', async () => {
      const rows = await page.locator('#windows tbody tr td:first-child').allInnerTexts()
      return rows.length > 0 && rows.every((t) => /:(00|15|30|45):00$/.test(t))
    }, 30_000)

    const plot = (await page.locator('#chart .u-over').boundingBox())!
    await page.mouse.move(plot.x + plot.width * 0.93, plot.y + 60)
    await page.mouse.down()
    await page.mouse.move(plot.x + plot.width * 0.99, plot.y + 70, { steps: 4 })
    await page.mouse.up()
    await page.locator('#reset-zoom').waitFor()
    await page.locator('#chart').focus()
    await page.keyboard.press('0')
    await page.locator('#reset-zoom').waitFor({ state: 'hidden' })
    await drawn()
    await page.keyboard.press('End')
    await page.keyboard.press('ArrowLeft')
    await says(page, '#chart-read', /\d/)
    expect(problems).toEqual([])
    await close()
  })

  test('light and dark differ, follow the system, and can be chosen; axe finds nothing in either', async () => {
    const grounds: Record<string, string> = {}
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, problems, close } = await openPage(browser, { colorScheme })
      await page.goto(home('?device=field-7/probe-2&metric=soil_moisture'))
      await page.locator('#chart .mark').first().waitFor()
      await page.locator('#operator summary').click()
      await page.locator('#operator-body tbody tr').first().waitFor()
      await page.locator('#windows tbody tr').first().waitFor()
      await page.locator('#find').click()
      await page.locator('#found li').first().waitFor()
      grounds[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      expect(await accessibilityFaults(page)).toEqual([])
      await page.screenshot({ path: join(shots, `${colorScheme}.png`) })
      expect(problems).toEqual([])
      await close()
    }
    expect(grounds.light).not.toBe(grounds.dark)

    const { page, close } = await openPage(browser, { colorScheme: 'light' })
    await page.goto(home())
    await page.locator('#board').waitFor()
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    await page.locator('#theme').click()
    await page.locator('#theme').click()
    expect(await ground()).toBe(grounds.dark)
    await page.reload()
    expect(await ground()).toBe(grounds.dark)
    await close()
  })

  test('a phone shows all of it without scrolling sideways', async () => {
    const { page, problems, close } = await openPage(browser, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 })
    await page.goto(home('?device=field-7/probe-2&metric=soil_moisture'))
    await page.locator('#chart .mark').first().waitFor()
    await page.locator('#operator summary').click()
    await page.locator('#operator-body tbody tr').first().waitFor()
    expect(await overflows(page)).toBe(false)
    expect(await accessibilityFaults(page)).toEqual([])
    await page.screenshot({ path: join(shots, 'phone.png'), fullPage: true })
    expect(problems).toEqual([])
    await close()
  })

  test('a store that dies is noticed, and what came meanwhile is shown once it is back', async () => {
    const { page, close } = await openPage(browser)
    await page.goto(home('?device=tank-1&metric=level'))
    await says(page, '#stream', 'live')
    for (const pid of system.pids('weir-store')) process.kill(pid, 'SIGKILL')
    await says(page, '#stream', 'reconnecting')
    await post([{ device: 'tank-1', metric: 'level', value: 77.25 }])
    await says(page, '#stream', 'live')
    await says(page, '#now-value', '77.25')
    await page.locator('#offline').waitFor({ state: 'hidden' })
    await close()
  })
})
