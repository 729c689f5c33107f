import { expect, test } from 'vitest'
import { overflows } from '../browser.ts'
import { PHONE, PROBE, addressHolds, eventually, has, says, text } from '../site.ts'
import type { Site } from '../site.ts'

export function fleetTests(site: () => Site): void {
  test('shows first what needs a look, and says why', async () => {
    // The page asks every four seconds: it is opened once there is something to see.
    await eventually('the odd value is known', async () => (await site().system.get<{ summary: { unusual: number } }>('/v1/devices?limit=1')).summary.unusual > 1)
    const { page, problems, close } = await site().open('/')
    const row = (device: string) => `.device-row[data-device="${device}"]`
    await says(page, `${row('field-2/quiet')} .device-reasons`, /^Silent for \d+ min, usually every 10 s$/)
    await says(page, `${row('field-2/odd')} .device-reasons`, /^(Very u|U)nusual: Salinity \(EC\) 30.00 mS\/cm at \d\d:\d\d/)
    const order = await page.locator('.device-row').evaluateAll((rows) => rows.map((r) => (r as HTMLElement).dataset.device!))
    expect(order.indexOf('field-2/quiet')).toBeLessThan(order.indexOf('field-2/odd'))
    expect(order.indexOf('field-2/odd')).toBeLessThan(order.indexOf('field-0/valve-0'))
    await says(page, '#fleet-said', /^\d (is|are) silent; .*unusual/)
    await eventually('a rate is shown', async () => /^[\d.,]+$/.test(await text(page, '#rate')), 30_000)
    expect(problems).toEqual([])
    await close()
  })

  test('is searched and filtered, with the keyboard alone, and the address holds it', async () => {
    const { page, problems, close } = await site().open('/')
    await page.locator('.device-row').first().waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('field-7 moist')
    await addressHolds(page, '?q=field-7+moist')
    await eventually('one device is left', async () => (await page.locator('.device-row').count()) === 1, 30_000)
    await says(page, '#fleet-found', /^1 of \d+$/)
    await page.reload()
    await says(page, '.device-link', PROBE)
    expect(await page.locator('#find').inputValue()).toBe('field-7 moist')
    await page.locator('#find').fill('')
    await page.locator('[data-figure="silent"]').press('Enter')
    await addressHolds(page, 'show=silent')
    await has(page, '[data-figure="silent"]', 'aria-pressed', 'true')
    await eventually('silent ones alone are left', async () => {
      const rows = await page.locator('.device-row').allInnerTexts()
      return rows.length > 0 && rows.every((words) => /Silent for/.test(words))
    }, 30_000)
    await page.goBack()
    await has(page, '[data-figure="silent"]', 'aria-pressed', 'false')
    expect(problems).toEqual([])
    await close()
  })

  test('of ten thousand devices costs a phone one page of rows, and at most 150 kB in all', async () => {
    const stamp = Date.now()
    await site().post(Array.from({ length: 10_000 }, (_, i) => ({ device: `herd/tag-${i}`, metric: 'temperature', ts: stamp, value: 38 + (i % 10) / 10 })))
    await eventually('all are known', async () => (await site().system.get<{ found: number }>('/v1/devices?q=herd&limit=1')).found === 10_000)
    const { page, problems, close } = await site().open('/', PHONE)
    await page.locator('.device-row').first().waitFor()
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('Network.enable')
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true })
    let bytes = 0
    cdp.on('Network.loadingFinished', ({ encodedDataLength }: { encodedDataLength: number }) => (bytes += encodedDataLength))
    await page.reload()
    await page.locator('.device-row').nth(49).waitFor()
    await eventually('the first rate is shown', async () => (await text(page, '#rate')) !== '–', 30_000)
    expect(await page.locator('.device-row').count()).toBe(50)
    expect(bytes).toBeGreaterThan(10_000)
    expect(bytes).toBeLessThan(150_000)
    if (process.env.WEIR_SCREENSHOTS) console.log(`the first page takes ${bytes} bytes`)
    expect(await overflows(page)).toBe(false)
    await page.locator('.pager button', { hasText: 'Next' }).click()
    await addressHolds(page, 'part=2')
    await says(page, '.pager', /51 to 100 of 10,0\d\d/)
    await page.goBack()
    await says(page, '.pager', /1 to 50 of/)
    await cdp.detach()
    expect(problems).toEqual([])
    await close()
  })
}
