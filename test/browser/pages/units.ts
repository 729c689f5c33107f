import { expect, test } from 'vitest'
import { eventually, says } from '../site.ts'
import type { Site } from '../site.ts'

export function unitsTests(site: () => Site): void {
  test('are edited by an admin, with the place of an error pointed at, and hold on all pages', async () => {
    const { page, close } = await site().open('/units')
    const row = 'tr[data-metric="flow_rate"]'
    await says(page, row, /^Flow\s+flow_rate\s+l\/min/)
    await page.locator(`${row} button`).click()
    await page.locator('#unit-label').fill('Water drawn')
    await page.locator('#unit-unit').fill('m³/h')
    await page.locator('#unit-decimals').fill('two')
    await page.keyboard.press('Enter')
    await says(page, '#unit-decimals-error', /Cannot use decimals as it must be a whole number/)
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('unit-decimals')
    await page.locator('#unit-decimals').fill('0')
    await page.keyboard.press('Enter')
    await page.locator('dialog').waitFor({ state: 'hidden' })
    await says(page, row, /^Water drawn\s+flow_rate · edited\s+m³\/h/)
    await page.locator('#nav a', { hasText: 'Fleet' }).click()
    await page.locator('#find').fill('valve-7')
    await says(page, '.device-values', /Water drawn\s+7 m³\/h/)
    await page.goBack()
    await page.locator(`${row} button`, { hasText: 'Take back' }).click()
    await says(page, row, /^Flow\s+flow_rate\s+l\/min/)
    await close()
  })

  test('may be given for all metrics that begin alike', async () => {
    const { page, close } = await site().open('/units')
    await page.locator('#unit-add').click()
    await page.locator('#unit-name').fill('lev*')
    await page.locator('#unit-unit').fill('cm')
    await page.locator('#unit-decimals').fill('1')
    await page.keyboard.press('Enter')
    await says(page, 'tr[data-metric="level"]', /Level\s+level · edited as lev\*\s+cm/)
    await close()
  })

  test('are read by an analyst, who is shown no way to edit', async () => {
    const { page, close } = await site().open('/units', { key: site().analystKey })
    await says(page, '#units-said', /A key of the role admin may change it/)
    await eventually('rows', async () => (await page.locator('.unit-table tbody tr').count()) > 3, 30_000)
    expect(await page.locator('.unit-table button').count()).toBe(0)
    expect(await page.locator('#unit-add').isVisible()).toBe(false)
    await close()
  })
}
