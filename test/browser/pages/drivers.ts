import { expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { accessibilityFaults, colourFaults, overflows } from '../browser.ts'
import { ORCHARD, eventually, says } from '../site.ts'
import type { Site } from '../site.ts'

const address = `/device?id=${ORCHARD(2)}&metrics=soil_temperature&range=24h`
const PANE = '.pane[data-metric="soil_temperature"]'
const field = (page: Page) => page.evaluate(() => document.activeElement?.id)

export function driversTests(site: () => Site): void {
  test('is named by an admin with the keyboard, errors at their place, is shown after a reload, and taken away again', async () => {
    const { page, problems, close } = await site().open(address)
    await says(page, `${PANE} .drivers button`, 'Name what drives it')
    await page.locator(`${PANE} .drivers button`).focus()
    await page.keyboard.press('Enter')
    await says(page, '#drivers-title', 'What drives Soil temperature')
    const name = async (device: string) => {
      await page.locator('.drivers-entry input').last().fill(device)
      await page.keyboard.press('Enter')
    }
    await name('orchard/mast-99')
    await says(page, '.drivers-entry .error', /^Nothing was measured by a device of this name: orchard\/mast-99/)
    expect(await field(page)).toMatch(/^driver-\d+-device$/)

    // Itself, which the server refuses: its words stand at the field.
    await page.locator('.drivers-entry input').fill(ORCHARD(2))
    await page.keyboard.press('Tab')
    const metric = page.locator('.drivers-entry select')
    await eventually('its metrics are offered', async () => (await metric.locator('option').count()) === 2, 30_000)
    await metric.selectOption('soil_temperature')
    await page.locator('#drivers button[type="submit"]').click()
    await says(page, '.drivers-entry .error', /no series may drive itself/)
    expect(await field(page)).toMatch(/^driver-\d+-device$/)

    expect(await accessibilityFaults(page, '#drivers')).toEqual([])
    await site().shootScreen(page, 'drivers-wide-light')
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await colourFaults(page, '#drivers')).toEqual([])
    await page.setViewportSize({ width: 360, height: 740 })
    await site().shootScreen(page, 'drivers-phone-dark')
    expect(await overflows(page)).toBe(false)

    await metric.selectOption('air_temperature')
    await page.locator('#drivers-add').click()
    await name('orchard/mast-1')
    await page.locator('#drivers').waitFor({ state: 'hidden' })
    await says(page, `${PANE} .drivers-list`, /^Driven by Air temperature of orchard\/mast-2: not known yet what it does\.\s+Driven by Air temperature of orchard\/mast-1: not known/)
    await says(page, `${PANE} .drivers-use`, /^What they do is learned by the hour, and first told at the end of the UTC day, at \d\d:\d\d/)
    await page.reload()
    await says(page, `${PANE} .drivers-list`, /orchard\/mast-1/)
    await page.locator(`${PANE} .drivers button`).click()
    for (const left of [1, 0]) {
      await page.locator('.drivers-entry button').last().click()
      expect(await page.locator('.drivers-entry').count()).toBe(left)
    }
    await page.locator('#drivers button[type="submit"]').click()
    await says(page, `${PANE} .drivers button`, 'Name what drives it')
    expect(await page.locator(`${PANE} .drivers-list`).isVisible()).toBe(false)
    expect(problems.filter((problem) => !/status of 400/.test(problem))).toEqual([])
    await close()
  })

  test('is read by an analyst, who is shown no way to name it', async () => {
    const drivers = [{ device: ORCHARD(3), metric: 'soil_temperature' }]
    const name = (list: object[]) => site().system.fetch('/v1/drivers', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ device: ORCHARD(2), metric: 'soil_temperature', drivers: list }) })
    expect((await name(drivers)).status).toBe(200)
    const { page, close } = await site().open(address, { key: site().analystKey })
    await says(page, `${PANE} .drivers-list`, /^Driven by Soil temperature of orchard\/mast-3/)
    expect(await page.locator('.drivers button').isVisible()).toBe(false)
    await name([])
    await close()
  })
}
