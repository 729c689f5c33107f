import { beforeAll, expect, test } from 'vitest'
import { ADMIN_KEY, addressHolds, says } from '../site.ts'
import type { Site } from '../site.ts'

export function accessTests(site: () => Site): void {
  beforeAll(() => site().post([{ device: 'field-1/probe-1', metric: 'soil_moisture', value: 23.5 }]))

  test('is told whether a key may only send, is unknown, or was revoked while it was used', async () => {
    const device = site().makeKey('device')
    const { page, close } = await site().open('/', { key: device.secret })
    await says(page, '#key-error', /may send readings, but not read them/)

    const analyst = site().makeKey('analyst')
    await page.locator('#key').fill(analyst.secret)
    await page.keyboard.press('Enter')
    await page.locator('.device-row').first().waitFor()
    site().weir('keys', 'revoke', analyst.id)
    await says(page, '#key-error', /not known here/)
    await page.locator('#page').waitFor({ state: 'hidden' })
    await close()
  })

  test('gives the key in the address, where it does not stay, and is known again after a reload', async () => {
    const { page, problems, close } = await site().open('/system')
    await page.locator('#accepted').waitFor()
    await page.waitForURL((url) => !url.href.includes(ADMIN_KEY), { waitUntil: 'commit' })
    await page.reload()
    await page.locator('#accepted').waitFor()
    await page.locator('#sign-out').click()
    await page.locator('#sign-in').waitFor()
    expect(problems).toEqual([])
    await close()
  })

  test('comes from page to page by links, and back by the history, without the page being loaded anew', async () => {
    const { page, problems, close } = await site().open('/')
    await page.locator('.device-row').first().waitFor()
    await page.evaluate(() => ((globalThis as { same?: boolean }).same = true))
    for (const [name, path] of [['Alerts', '/alerts'], ['Rules', '/rules'], ['Patterns', '/patterns'], ['Explore', '/explore'], ['System', '/system'], ['Units', '/units'], ['Fleet', '/']] as const) {
      await page.locator('#nav a', { hasText: name }).click()
      await addressHolds(page, path)
      await says(page, '#nav [aria-current]', name)
    }
    await page.locator('.device-link').first().click()
    await says(page, '#title', 'field-1/probe-1')
    await page.goBack()
    await page.locator('.device-row').first().waitFor()
    expect(await page.evaluate(() => (globalThis as { same?: boolean }).same)).toBe(true)
    expect(problems).toEqual([])
    await close()
  })

  test('gets the page that was asked for last, however late the module of another one comes', async () => {
    const { page, problems, close } = await site().open('/')
    await page.locator('.device-row').first().waitFor()
    let release: () => void = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    await page.route('**/client/units/page.ts', async (route) => {
      await released
      await route.continue()
    })
    await page.locator('#nav a', { hasText: 'Units' }).click()
    await says(page, '#nav [aria-current]', 'Units')
    await page.locator('#nav a', { hasText: 'Fleet' }).click()
    await says(page, '#nav [aria-current]', 'Fleet')
    const came = page.waitForResponse('**/client/units/page.ts')
    release()
    await (await came).finished()
    await page.locator('.device-link').first().click()
    await says(page, '#title', 'field-1/probe-1')
    expect(await page.locator('#unit-add').count()).toBe(0)
    expect(problems).toEqual([])
    await close()
  })

  test('finds what an old link to a series led to', async () => {
    const { page, close } = await site().open('/?device=field-1/probe-1&metric=soil_moisture&range=6h')
    await says(page, '#title', 'field-1/probe-1')
    await addressHolds(page, '/device?id=field-1/probe-1&metrics=soil_moisture&range=6h')
    await close()
  })
}
