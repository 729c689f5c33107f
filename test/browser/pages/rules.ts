import { expect, test } from 'vitest'
import { addressHolds, eventually, has, says, text } from '../site.ts'
import type { Site } from '../site.ts'

export function rulesTests(site: () => Site): void {
  test('are written as a form or as a document, tried on what was measured, saved against nobody, and deleted after a question', async () => {
    const { page, problems, close } = await site().open('/rules')
    await says(page, '.rule[data-id="tank-low"]', /^Tank runs empty\s+Level of yard\/tank-1\s+below 20: warning\s+below 10: critical\s+Watches; raised something .* · tank-low\s+1 open\s+Switch off$/)
    await page.locator('#rule-new a', { hasText: 'a limit' }).click()
    await page.locator('#rule-metric option[value="level"]').waitFor({ state: 'attached' })
    await has(page, ':focus', 'id', 'rule-name')
    await page.keyboard.type('Tank is low')
    await page.locator('#rule-metric').selectOption('level')
    await page.locator('#rule-which').selectOption('prefix')
    await page.locator('#rule-device').fill('yard/')
    await page.locator('#rule-hold').fill('')
    await page.locator('#rule-limit').fill('dry')
    expect(await page.locator('#rule-id').inputValue()).toBe('tank-is-low')
    const written = async () => JSON.parse(await page.locator('#rule-document').inputValue()) as Record<string, unknown>
    expect(await written()).toEqual({ name: 'Tank is low', select: { prefix: 'yard/', metric: 'level' }, when: { below: 'dry' }, severity: 'warning' })

    // What the server does not take is said at the field; what it takes is tried before it is saved.
    await page.locator('#rule-try').click()
    await says(page, '#rule-limit-error', /\/when\/below must be a number: current value is "dry"/)
    await has(page, ':focus', 'id', 'rule-limit')
    await page.keyboard.press('Control+a')
    await page.keyboard.type('12')
    await page.locator('#rule-try').click()
    await says(page, '#trial-said', /^In 7 days it would have raised 1 alert on 1 device: 1 warning \(\d readings of 1 series\)\.$/)
    await addressHolds(page, 'new=threshold&try=7d')
    expect(await page.locator('.trial-line').getAttribute('aria-label')).toMatch(/^yard\/tank-1: warning from \d\d:\d\d:\d\d to /)
    await page.locator('#rule-save').click()
    await addressHolds(page, 'id=tank-is-low')
    await says(page, '#rules-said', /^It watches, as it is saved/)

    // A document that the form can't hold is edited as it is, and its errors are pointed at.
    await page.locator('#rule-document').fill(JSON.stringify({ ...(await written()), when: { all: [{ below: 12 }, { rises: 'much', within: '1h' }] } }, null, 2))
    await says(page, '#rule-no-form', /more than the form can hold/)
    await page.locator('#rule-save').click()
    await says(page, '#rule-document-error', /^Line 13: .*\/when\/all\/1\/rises must be a number/)
    const chosen = await page.locator('#rule-document:focus').evaluate((field: HTMLTextAreaElement) => field.value.slice(field.selectionStart, field.selectionEnd))
    expect(chosen).toBe('"much"')
    await page.locator('#rule-document').fill('{ "when": ')
    await page.locator('#rule-save').click()
    await says(page, '#rule-document-error', 'Line 1, column 11: from here on this is no JSON.')

    // Somebody else was faster.
    const theirs = { name: 'Theirs', select: { prefix: 'yard/', metric: 'level' }, when: { below: 1 } }
    expect((await site().system.fetch('/v1/rules/tank-is-low', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(theirs) })).status).toBe(200)
    await page.locator('#rule-document').fill(JSON.stringify({ ...theirs, name: 'Mine' }))
    await page.locator('#nav a', { hasText: 'Alerts' }).click()
    await page.locator('#alerts-shows').waitFor()
    await page.goBack()
    await page.locator('#rule-again').waitFor()
    await page.locator('#rule-save').click()
    await says(page, '#rule-conflict', /^Somebody has changed this rule while you wrote\./)
    await page.locator('#rule-mine').click()
    await says(page, '#page h1', 'Mine')
    expect((await site().system.get<{ rule: { name: string } }>('/v1/rules/tank-is-low')).rule.name).toBe('Mine')

    await page.locator('#rule-delete').click()
    await page.locator('#rule-delete-sure').press('Enter')
    await page.locator('.rule').first().waitFor()
    await eventually('one rule is left', async () => (await page.locator('.rule').count()) === 1, 30_000)
    expect(await page.locator('.rule').getAttribute('data-id')).toBe('tank-low')
    // Browsers tell of each answer that is no success, and these were asked for.
    expect(problems.filter((problem) => !/status of 4(00|12)/.test(problem))).toEqual([])
    await close()
  })

  test('are switched off and on by an admin, who says where alerts are sent; an analyst reads and tries them', async () => {
    const { page, problems, close } = await site().open('/rules')
    const row = '.rule[data-id="tank-low"]'
    await page.locator(`${row} button`).click()
    await says(page, row, /Switched off; raised something/)
    await page.locator(`${row} button`).click()
    await says(page, row, /Watches; raised something/)

    await says(page, '#routes-said', /^To nobody yet/)
    await page.locator('.routes [data-kind="webhook"]').click()
    await page.locator('#route-id').fill('phone')
    const route = { name: 'My phone', match: { severity: 'critical', prefix: 'yard/' }, target: { webhook: { url: 'nowhere' } } }
    await page.locator('#route-document').fill(JSON.stringify(route, null, 2))
    await page.locator('#route-save').click()
    await says(page, '#route-trouble', /^Line 9: Cannot use this route as \/target\/webhook\/url must be/)
    expect(await page.locator('#route-document:focus').evaluate((field: HTMLTextAreaElement) => field.value.slice(field.selectionStart, field.selectionEnd))).toBe('"nowhere"')
    await page.locator('#route-document').fill(JSON.stringify({ ...route, target: { webhook: { url: `${site().system.url}/hooks/7` } } }))
    await page.locator('#route-save').click()
    await says(page, '#route .route-secret', /shown this once: whsec_\S+$/)
    await page.keyboard.press('Escape')
    await says(page, '#routes .rule', /^My phone\s+Alerts that are critical, of yard\/… to 127\.0\.0\.1:\d+\s+Nothing was sent yet\s+Edit\s*Test$/)
    await page.locator('#routes button', { hasText: 'Test' }).click()
    await says(page, '#routes-said', /^The test was not taken: the receiver answered 40\d\.$/)
    await page.locator('#routes button', { hasText: 'Edit' }).click()
    await page.locator('#route-delete').click()
    await says(page, '#routes-said', /^To nobody yet/)
    expect(problems.filter((problem) => !/status of 400/.test(problem))).toEqual([])
    await close()
    const analyst = await site().open('/rules?id=tank-low&try=1d', { key: site().analystKey })
    await says(analyst.page, '#trial-said', /^In 1 day it would have raised \d alerts? on 1 device: \d critical/)
    expect(await text(analyst.page, '#page h1')).toBe('Tank runs empty')
    expect(await analyst.page.locator('#rule-save').isVisible()).toBe(false)
    expect(analyst.problems).toEqual([])
    await analyst.close()
  })
}
