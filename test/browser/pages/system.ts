import { expect, test } from 'vitest'
import { addressHolds, eventually, says, text } from '../site.ts'
import type { Site } from '../site.ts'

export function systemTests(site: () => Site): void {
  test('shows fates, counts and owners as the ledger and the status have them', async () => {
    const ledger = () => site().system.get<Record<string, number>>('/v1/ledger')
    await eventually('duplicates are known', async () => (await ledger()).duplicate >= 50)
    const { page, close } = await site().open('/system')
    await says(page, '#fate-rejected', /^1\b/)
    await eventually('the page has as many duplicates', async () => (await text(page, '#fate-duplicate')).startsWith(new Intl.NumberFormat('en-GB').format((await ledger()).duplicate)), 30_000)
    await says(page, '#health', /All well · \d+ workers, 1 store/)
    const status = await site().system.get<{ partitions: unknown[]; members: unknown[] }>('/v1/status')
    const rows = (title: string) => page.locator(`.panel:has(#table-${title}) tbody tr`).count()
    await eventually('a row for each partition', async () => (await rows('partitions')) === status.partitions.length, 30_000)
    await eventually('the device that sent no value is named', async () => (await text(page, '.panel:has(#table-devices-that-lose-most)')).includes('tank-1'), 30_000)
    await says(page, '.panel:has(#table-rejected-of-late) tbody', /level|tank-1/)
    await close()
  })

  test('keeps its range in the address, and has bars and a table of it', async () => {
    const { page, close } = await site().open('/system')
    await page.locator('label[for="system-range-24h"]').click()
    await addressHolds(page, 'range=24h')
    await eventually('a bar a quarter of an hour', async () => [95, 96, 97].includes(await page.locator('.bars').first().locator('.bar').count()), 30_000)
    await page.locator('.as-table summary').click()
    await eventually('the table has a row', async () => (await page.locator('.as-table tbody tr').count()) > 0, 30_000)
    await page.goBack()
    await page.locator('#system-range-1h:checked').waitFor({ state: 'attached' })
    expect(await page.locator('.bars').count()).toBe(2)
    await close()
  })
}
