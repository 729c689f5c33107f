import { expect, test } from 'vitest'
import { overflows } from '../browser.ts'
import { PHONE, addressHolds, eventually, has, says, text } from '../site.ts'
import type { Site } from '../site.ts'

const TANK = 'yard/tank-1'
const ROW = '.alert[data-id^="tank-low."]'

export function alertsTests(site: () => Site): void {
  const send = async (level: number) => site().post([{ device: TANK, metric: 'level', value: level }])

  test('say what to do while nothing is watched; then one appears by itself, is answered by key and by button, and all pages know', async () => {
    const { page, problems, close } = await site().open('/alerts')
    await says(page, '#alerts-none', /^Nothing is watched yet[^]*Write the first rule$/)
    const rule = { name: 'Tank runs empty', select: { device: TANK, metric: 'level' }, when: { below: 20 }, steps: [{ severity: 'critical', when: { below: 10 } }] }
    const stored = await site().system.fetch('/v1/rules/tank-low', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(rule) })
    expect(stored.status, await stored.text()).toBe(200)
    await send(15)
    // The reading may come before its partition knows of the rule: another one meets it.
    await eventually('the rule is in force', async () => (await site().system.get<{ rules: { in_force: boolean }[] }>('/v1/rules')).rules[0].in_force)
    await send(14)
    await says(page, `${ROW} .alert-what`, /^Level of yard\/tank-1 is 1[45], below 20\.$/)
    await says(page, `${ROW} .alert-rule`, 'Rule Tank runs empty: Level of yard/tank-1 below 20: warning; below 10: critical')
    expect(await text(page, `${ROW} .alert-where`)).toMatch(/^yard\/tank-1 · Level · Since \d\d:\d\d:\d\d, (now|\d+ s ago)$/)
    expect(await page.locator('#nav-alerts').isVisible()).toBe(false)
    await send(5)
    await has(page, ROW, 'data-tone', 'bad')
    await says(page, '#nav-alerts', /^1\s+critical open$/)
    await says(page, '#alerts-said', '1 critical alert is open.')

    await page.locator(`${ROW} summary`).focus()
    await page.keyboard.press('a')
    await page.locator('#answer-note').waitFor()
    await page.keyboard.type('On my way')
    await page.keyboard.press('Enter')
    await says(page, `${ROW} .alert-answered`, /^Somebody looks after it: On my way, (now|\d+ s ago)$/)
    await says(page, '#alerts-said', 'Nothing new; 1 is looked after.')
    await page.locator('#nav-alerts').waitFor({ state: 'hidden' })
    await page.locator(`${ROW} summary`).press('Enter')
    await says(page, `${ROW} .alert-steps`, /Raised \(warning\): [^]*Grew worse \(critical\): Level of yard\/tank-1 is 5, below 10\.[^]*looks after it: On my way\./)
    await addressHolds(page, 'id=tank-low.')

    await page.locator(`${ROW} a`, { hasText: TANK }).click()
    await says(page, '#device-alerts li', /^Critical: Level of yard\/tank-1 is 5, below 10\.\s+Since/)
    await page.goBack()
    await page.locator(`${ROW} summary`).focus()
    await page.keyboard.press('s')
    await has(page, ':focus', 'id', 'answer-time')
    await page.locator('#answer-time').selectOption('1d')
    await page.locator('#answer button[type="submit"]').click()
    await says(page, `${ROW} .alert-answered`, /^Somebody has put it aside for .+, (now|\d+ s ago)$/)
    await says(page, '#alerts-said', 'Nothing new; 1 is put aside.')
    await page.locator(`${ROW} [data-verb="unshelve"]`).click()
    await page.locator('#answer button[type="submit"]').click()
    await has(page, ROW, 'data-state', 'open')
    await page.locator(`${ROW} [data-verb="resolve"]`).click()
    await page.locator('#answer button[type="submit"]').click()
    await page.locator(ROW).waitFor({ state: 'detached' })
    await says(page, '#alerts-none', /^Nothing is amiss\s+1 rule watches\./)
    await page.locator('#alerts-none a').click()
    await addressHolds(page, 'state=resolved')
    await says(page, `${ROW} .alert-answered`, 'Somebody has resolved it.')
    expect(problems).toEqual([])
    await close()
  })

  test('are narrowed by what the address says, are read by an analyst who can answer none, and lead the fleet on a phone', async () => {
    // All was well once, so that it may come back.
    await send(50)
    await send(4)
    const { page, problems, close } = await site().open('/alerts?state=all&severity=critical&prefix=yard/&rule=tank-low', { ...PHONE, key: site().analystKey })
    await has(page, ROW, 'data-state', 'open')
    expect(await Promise.all(['severity', 'prefix', 'rule'].map((name) => page.locator(`#alerts-${name}`).inputValue()))).toEqual(['critical', 'yard/', 'tank-low'])
    expect(await page.locator('.alert button').count()).toBe(0)
    expect(await page.locator('#alerts-reads').isVisible()).toBe(true)
    expect(await overflows(page)).toBe(false)
    await page.locator('#alerts-severity').selectOption('info')
    await says(page, '#alerts-none', /^No alert fits/)
    await addressHolds(page, 'severity=info')
    await page.goBack()
    await has(page, ROW, 'data-state', 'open')
    await page.locator('#nav a', { hasText: 'Fleet' }).click()
    await says(page, '#fleet-alerts', /^1 critical alert is open\s*Level of yard\/tank-1 is 4, below 10\.$/)
    expect(problems).toEqual([])
    await close()
  })
}
