import { beforeAll, describe, expect, test } from 'vitest'
import type { Page } from 'playwright-core'
import { accessibilityFaults, colourFaults, overflows } from '../browser.ts'
import { PROBE, eventually, has, inBothSizes } from '../site.ts'
import type { Site } from '../site.ts'
import { seedPlot } from './plots.ts'

/** Each page with what is there once it is filled. */
const PAGES = [
  { name: 'fleet', path: '/', filled: '.device-row .device-values dd' },
  { name: 'device', path: `/device?id=${PROBE}`, filled: '#windows tbody tr' },
  { name: 'alerts', path: '/alerts?state=all', filled: '.alert .alert-steps li' },
  { name: 'rules', path: '/rules', filled: '.rule h2' },
  { name: 'rule', path: '/rules?id=no-flow&try=1d', filled: '#trial rect' },
  { name: 'plots', path: '/plots', filled: '.plot-card .plot-reasons li' },
  { name: 'patterns', path: '/patterns', filled: '.kind-outliers li' },
  { name: 'explore', path: '/explore', filled: '.tables h3' },
  { name: 'explore-table', path: `/explore?sql=${encodeURIComponent('SELECT ts, device, metric, value FROM readings ORDER BY ts DESC LIMIT 400')}`, filled: '.result-table td' },
  { name: 'explore-plot', path: `/explore?as=plot&sql=${encodeURIComponent("SELECT start, mean FROM windows WHERE metric = 'soil_moisture' ORDER BY start")}`, filled: '.plot canvas' },
  { name: 'system', path: '/system', filled: '.bar .fate-piece' },
  { name: 'units', path: '/units', filled: '.unit-table tbody tr' },
] as const

/** Things to press that are smaller than a finger: none of them may be. A link within a sentence is as high as its line. */
function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, select, input, textarea, #nav a, .segments label, .chip')]
      .filter((e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !e.closest('.chip, table, .tables, .columns') && !e.classList.contains('as-link'))
      .filter((e) => e.getBoundingClientRect().height < 43.5)
      .map((e) => `${e.outerHTML.slice(0, 90)} ${e.getBoundingClientRect().height}`))
}

export function everyPageTests(site: () => Site): void {
  /** A plot with its advice; a rule, and an alert of it. */
  beforeAll(async () => {
    await seedPlot(site)
    const [device, metric] = ['field-0/valve-0', 'flow_rate']
    const rule = { name: 'No water flows', select: { device, metric }, when: { below: 1 }, severity: 'info' }
    await site().system.fetch('/v1/rules/no-flow', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(rule) })
    await eventually('it is in force', async () => (await site().system.get<{ in_force: boolean }>('/v1/rules/no-flow')).in_force)
    await site().post([{ device, metric, value: 0.5 }])
    await eventually('it has raised something', async () => (await site().system.get<{ alerts: unknown[] }>('/v1/alerts?rule=no-flow')).alerts.length > 0)
  })

  describe.each(PAGES)('$name', ({ name, path, filled }) => {
    test('has nothing for axe to find in either theme and at either width, fits a phone, and has targets for a thumb', async () => {
      await inBothSizes(async (size, options) => {
        const { page, problems, close } = await site().open(path, options)
        await page.locator(filled).first().waitFor({ state: 'attached' })
        expect(await accessibilityFaults(page), `${size}, light`).toEqual([])
        await site().shoot(page, `${name}-${size}-light`)
        await page.emulateMedia({ colorScheme: 'dark' })
        expect(await colourFaults(page), `${size}, dark`).toEqual([])
        await site().shoot(page, `${name}-${size}-dark`)
        expect(await overflows(page), size).toBe(false)
        if (size === 'phone') {
          expect(await smallTargets(page)).toEqual([])
          await page.setViewportSize({ width: 320, height: 640 })
          expect(await overflows(page), '320 px').toBe(false)
        }
        expect(problems).toEqual([])
        await close()
      })
    })
  })

  test('light and dark differ, follow the system, and can be chosen for good', async () => {
    const { page, close } = await site().open('/', { colorScheme: 'light' })
    await page.locator('.device-row').first().waitFor()
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const light = await ground()
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await ground()
    expect(dark).not.toBe(light)
    await page.emulateMedia({ colorScheme: 'light' })
    await page.locator('#theme').click()
    await page.locator('#theme').click()
    expect(await ground()).toBe(dark)
    await page.reload()
    expect(await ground()).toBe(dark)
    await close()
  })

  test('the keyboard comes past the navigation by the first link, and sees where it is', async () => {
    const { page, close } = await site().open('/system')
    await page.locator('.bar').first().waitFor()
    await page.keyboard.press('Tab')
    await has(page, ':focus', 'class', 'skip')
    await page.keyboard.press('Enter')
    await has(page, ':focus', 'id', 'page')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => getComputedStyle(document.querySelector(':focus + label') ?? document.activeElement!).outlineStyle)).toBe('solid')
    await close()
  })
}
