import { beforeAll, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { accessibilityFaults, colourFaults, overflows } from '../browser.ts'
import { eventually, inBothSizes, says, text } from '../site.ts'
import type { Site } from '../site.ts'

const HOUR_MS = 3_600_000
const probe = (n: number) => `field-${n}/mast-1`
const ODD = probe(1)
/** Of an hour that is over: its windows are closed, and the neighbours known. */
const FROM = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 3 * HOUR_MS
const SPIKE_AT = FROM + 50 * 60_000
const ADDRESS = `/device?id=${ODD}&from=${new Date(FROM + 1_800_000).toISOString()}&to=${new Date(FROM + HOUR_MS).toISOString()}`

const ROW = '#anomalies tbody tr'
const answered = (page: Page) => page.locator('#why button[aria-pressed="true"]')

/** Opens the why of the spike by its row. */
async function ask(page: Page): Promise<void> {
  await page.locator(ROW, { hasText: '61' }).first().click()
  await page.locator('#why[open]').waitFor()
  await says(page, '#why-neighbours', /neighbour/)
}

export function whyTests(site: () => Site): void {
  beforeAll(async () => {
    const calm = (n: number, i: number) => 20 + n + 0.3 * Math.sin(i / 90) + 0.05 * Math.sin(i * 12.9898 + n)
    for (const n of [1, 2, 3, 4]) {
      await site().post(Array.from({ length: 420 }, (_, i) => ({ device: probe(n), metric: 'humidity', ts: FROM + i * 10_000, value: n === 1 && i === 300 ? 61 : calm(n, i) })))
    }
    await eventually('the hour is closed, and the spike known', async () => {
      const { anomalies } = (await (await site().system.fetch(`/v1/anomalies?device=${ODD}&why=true&from=${SPIKE_AT}&to=${SPIKE_AT + 1}`)).json()) as { anomalies: { neighbours: { devices: number } }[] }
      return anomalies[0]?.neighbours.devices === 3
    }, 60_000)
  })

  test('says at a press what it is, how far out, and what the neighbours did; at one on its mark, and by keys', async () => {
    const { page, problems, close } = await site().open(ADDRESS)
    await ask(page)
    expect(await text(page, '#why-title')).toMatch(/Humidity 61 %$/)
    expect(await text(page, '#why-neighbours')).toMatch(/^All 3 neighbours were as usual, their median 2[2-4] %\.$/)
    const facts = await text(page, '.why-facts')
    expect(facts).toMatch(/Expected\s+2\d %/)
    expect(facts).toMatch(/Usual\s+2\d to 2\d %/)
    expect(facts).toMatch(/How far\s+[\d,.]+ times as far above as is usual/)
    await page.keyboard.press('Escape')
    await page.locator('#why').waitFor({ state: 'hidden' })

    await page.locator('.pane .chart').focus()
    await page.keyboard.press('p')
    await page.keyboard.press('Enter')
    await says(page, '#why-title', /Humidity 61 %$/)
    await page.locator('#why-close').click()
    await page.locator('#why').waitFor({ state: 'hidden' })

    await page.locator('.chart .mark').first().scrollIntoViewIfNeeded()
    const mark = (await page.locator('.chart .mark').first().boundingBox())!
    await page.mouse.click(mark.x + mark.width / 2, mark.y + mark.height / 2)
    await page.locator('#why[open]').waitFor()
    await page.mouse.click(20, 20)
    await page.locator('#why').waitFor({ state: 'hidden' })

    // A step of the history leads to another device: what was said of this one does not stay.
    await page.evaluate((to) => history.pushState(null, '', to), '/device?id=tank-1')
    await ask(page)
    await page.goBack()
    await page.locator('#why').waitFor({ state: 'hidden' })
    expect(problems).toEqual([])
    await close()
  })

  test('takes an answer, shows it as given, also after a reload, and takes another', async () => {
    const { page, problems, close } = await site().open(ADDRESS)
    await ask(page)
    expect(await answered(page).count()).toBe(0)
    await page.locator('#useful-no').click()
    await says(page, '#useful-said', /^Answered no/)
    expect(await answered(page).innerText()).toBe('No')
    const known = async () => {
      const { anomalies } = (await (await site().system.fetch(`/v1/anomalies?device=${ODD}&from=${SPIKE_AT}&to=${SPIKE_AT + 1}`)).json()) as { anomalies: { useful: boolean | null }[] }
      return anomalies[0].useful
    }
    await eventually('the answer is committed', async () => (await known()) === false, 30_000)
    await page.reload()
    await ask(page)
    await says(page, '#useful-said', /^Answered no/)
    expect(await answered(page).innerText()).toBe('No')
    await page.locator('#useful-yes').focus()
    await page.keyboard.press('Enter')
    await says(page, '#useful-said', /^Answered yes/)
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('useful-yes')
    await eventually('the other answer is committed', async () => (await known()) === true, 30_000)
    expect(problems).toEqual([])
    await close()
  })

  test('says that an answer could not be kept, and goes to the moment in the chart', async () => {
    const { page, close } = await site().open(ADDRESS)
    await ask(page)
    await page.route('**/v1/anomalies/feedback', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"detail":"The log does not take it now."}' }))
    await page.locator('#useful-no').click()
    await says(page, '#useful-said', /^Cannot keep the answer: The log does not take it now/)
    await page.locator('#why button', { hasText: 'Zoom to it' }).click()
    await page.locator('#why').waitFor({ state: 'hidden' })
    await eventually('it is zoomed', () => {
      const query = new URL(page.url()).searchParams
      const [from, to] = [Date.parse(query.get('from')!), Date.parse(query.get('to')!)]
      return to - from < 400_000 && from < SPIKE_AT && SPIKE_AT < to
    }, 30_000)
    await close()
  })

  test('has nothing for axe to find, fits a phone, and has targets for a thumb', async () => {
    await inBothSizes(async (size, options) => {
      const { page, problems, close } = await site().open(ADDRESS, options)
      await ask(page)
      expect(await accessibilityFaults(page, '#why'), `${size}, light`).toEqual([])
      await site().shootScreen(page, `why-${size}-light`)
      await page.emulateMedia({ colorScheme: 'dark' })
      expect(await colourFaults(page, '#why'), `${size}, dark`).toEqual([])
      await site().shootScreen(page, `why-${size}-dark`)
      expect(await overflows(page), size).toBe(false)
      const heights = await page.locator('#why button').evaluateAll((buttons) => buttons.map((b) => b.getBoundingClientRect().height))
      if (size === 'phone') expect(heights.every((height) => height >= 43.5)).toBe(true)
      expect(problems).toEqual([])
      await close()
    })
  })
}
