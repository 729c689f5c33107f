import { expect, test } from 'vitest'
import { accessibilityFaults, openPage } from '../browser.ts'
import { ADMIN_KEY, says, text } from '../site.ts'
import type { Site } from '../site.ts'

export function freshTests(site: () => Site): void {
  test('asks for a key, says clearly that one is wrong, and with the right one shows how to send the first reading', async () => {
    const { page, close } = await openPage(site().browser)
    await page.goto(site().system.url)
    await page.locator('#key').waitFor()
    expect(await accessibilityFaults(page)).toEqual([])
    await page.keyboard.type('not-a-key')
    await page.keyboard.press('Enter')
    await says(page, '#key-error', /not known here/)
    await page.keyboard.type(ADMIN_KEY)
    await page.keyboard.press('Enter')
    await page.locator('#empty').waitFor()
    expect(await text(page, '#curl')).toContain(`curl ${site().system.url}/v1/readings`)
    expect(await accessibilityFaults(page)).toEqual([])
    await page.locator('#nav a', { hasText: 'Patterns' }).click()
    await says(page, '#patterns-said', 'Nothing has been measured yet.')
    await says(page, '#patterns-empty', /when the UTC day is over, next at \d\d:\d\d \(in .+\)/)
    expect(await accessibilityFaults(page)).toEqual([])
    await site().shoot(page, 'patterns-empty')
    await page.locator('#patterns-empty a').click()
    await page.locator('#empty').waitFor()

    await site().post([{ device: 'field-1/probe-1', metric: 'soil_moisture', value: 23.4 }])
    await says(page, '.device-link', 'field-1/probe-1')
    await says(page, '.device-values dd', '23.4 %')
    await says(page, '#page h1', '1 device')
    await close()
  })
}
