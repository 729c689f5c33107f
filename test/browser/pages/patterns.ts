import { expect, test } from 'vitest'
import { ORCHARD, addressHolds, eventually, says, text } from '../site.ts'
import type { Site } from '../site.ts'

const KIND = (metric: string) => `.kind[data-metric="${metric}"]`

export function patternsTests(site: () => Site): void {
  test('show the usual day of a kind, who goes by it, and who is unlike the others, how far and since when', async () => {
    const { page, problems, close } = await site().open('/patterns')
    const air = KIND('air_temperature')
    await says(page, `${air} h2`, 'Air temperature in °C')
    await says(page, `${air} .kind-head p`, /^5 devices named orchard\/mast-# \(# being any number\), learned from 3\d days/)
    await says(page, `${air} .kind-outliers`, /^orchard\/mast-5\s+On average \d+\.\d °C above the others, [\d.]+ times as far as usual, since .+, for 2 days\.$/)
    const day = /^Around \d+\.\d °C: lowest about (23|00|01):30 with \d+\.\d °C, highest about 1[1-3]:30 with \d+\.\d °C; a day is usually within \d\.\d+ °C of this\.$/
    expect(await text(page, `${air} svg + p`)).toMatch(day)
    expect((await page.locator(`${air} svg`).getAttribute('aria-label'))!.replaceAll('\u00a0', ' ')).toMatch(/^Air temperature, the usual day\. Around /)
    expect(await page.locator(`${air} .kind-members li`).allInnerTexts()).toEqual([1, 2, 3, 4, 5].map(ORCHARD))
    await says(page, '#patterns-said', /2 kinds, in one case a device is unlike the others\.$/)
    await page.locator(`${air} .kind-odd a`).click()
    await says(page, '#title', ORCHARD(5))
    await addressHolds(page, 'metrics=air_temperature&range=7d')
    expect(problems).toEqual([])
    await close()
  })

  test('are chosen by metric with the keyboard, and one by itself by its address, which the history leads back from', async () => {
    const { page, problems, close } = await site().open('/patterns')
    await page.locator(KIND('air_temperature')).waitFor()
    await page.locator('#patterns-metric').focus()
    await page.keyboard.press('s')
    await addressHolds(page, 'metric=soil_temperature')
    await eventually('one kind is left', async () => (await page.locator('.kind').count()) === 1, 30_000)
    await page.reload()
    await says(page, `${KIND('soil_temperature')} .kind-head p`, /^3 devices/)
    expect(await page.locator('#patterns-metric').inputValue()).toBe('soil_temperature')
    await page.goBack()
    await page.locator(KIND('air_temperature')).waitFor()
    await page.evaluate(() => history.pushState(null, '', '/patterns?metric=air_temperature&kind=orchard/mast-%23'))
    await page.reload()
    await page.locator('.crumbs a', { hasText: 'Patterns' }).click()
    await eventually('all are back', async () => (await page.locator('.kind').count()) === 2, 30_000)
    await page.evaluate(() => history.pushState(null, '', '/patterns?metric=ph'))
    await page.reload()
    await says(page, '#patterns', /^No pattern is known of Acidity \(pH\)\./)
    expect(problems).toEqual([])
    await close()
  })
}
