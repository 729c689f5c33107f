import { expect, test } from 'vitest'
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { PROBE, addressHolds, eventually, has, says, text } from '../site.ts'
import type { Site } from '../site.ts'

const asked = (sql: string, more = '') => `/explore?sql=${encodeURIComponent(sql)}${more}`
const rowsIn = (page: Page) => page.locator('.result-table tbody tr:not(.space)').count()

export function exploreTests(site: () => Site): void {
  test('asks at Ctrl and Enter, shows the rows, keeps the question in the address, and asks again after a reload', async () => {
    const { page, problems, close } = await site().open('/explore')
    await page.locator('#sql').click()
    await page.keyboard.type(`SELECT metric, count(*) AS n, NULL AS nothing FROM readings WHERE device = '${PROBE}' GROUP BY metric ORDER BY metric`)
    await page.keyboard.press('Control+Enter')
    await says(page, '#sql-said', /^2 rows, in /)
    expect(await page.locator('.result-table thead th').allInnerTexts()).toEqual(['metric', 'n', 'nothing'])
    expect(await page.locator('.result-table tbody tr').allInnerTexts()).toEqual(['soil_moisture\t1421\t–', 'soil_temperature\t140\t–'])
    await addressHolds(page, 'sql=SELECT+metric')
    await page.reload()
    await says(page, '#sql-said', /^2 rows, in /)
    expect(await page.locator('#history button').allInnerTexts()).toHaveLength(1)
    await page.locator('.questions button', { hasText: 'Who measures most' }).click()
    await says(page, '.text-bar-name', /./)
    await page.goBack()
    await says(page, '.result-table thead', /metric/)
    expect(problems).toEqual([])
    await close()
  })

  test('draws over time by itself, a line for each device, or as the reader chooses; the address keeps the choice', async () => {
    const sql = `SELECT start, metric, mean, count FROM windows WHERE device = '${PROBE}' AND size = INTERVAL 1 MINUTE ORDER BY start`
    const { page, problems, close } = await site().open(asked(sql, '&as=plot'))
    await page.locator('.plot canvas').waitFor()
    expect(await page.locator('.legend li').allInnerTexts()).toEqual(['soil_moisture', 'soil_temperature'])
    await has(page, '.plot .chart', 'aria-label', /^soil_moisture, soil_temperature over start: \d+ points/)
    await page.locator('.chip', { hasText: 'count' }).click()
    await addressHolds(page, 'y=mean%09count')
    await page.locator('label', { hasText: 'Drawn as' }).locator('select').selectOption('bars')
    await addressHolds(page, 'kind=bars')
    await page.reload()
    await page.locator('.plot canvas').waitFor()
    expect(await page.locator('.legend li').count()).toBe(4)
    expect(problems).toEqual([])
    await close()
  })

  test('says in DuckDB’s own words why a question is not understood, and refuses what is no question', async () => {
    const { page, close } = await site().open(asked('SELECT nonsense FROM readings'))
    await says(page, '#sql-trouble', /"nonsense" not found/)
    await page.locator('#sql').fill('DROP TABLE readings')
    await page.locator('#run').click()
    await eventually('it is refused', async () => !/nonsense/.test(await text(page, '#sql-trouble')) && (await text(page, '#sql-trouble')).length > 10, 30_000)
    await close()
  })

  test('of many rows holds those in sight alone', async () => {
    const { page, problems, close } = await site().open(asked('SELECT i AS number, i * 2 AS twice FROM range(6000) t(i)'))
    await says(page, '#sql-said', /^6,000 rows/)
    expect(await rowsIn(page)).toBeLessThan(150)
    await page.locator('.result-scroll').evaluate((frame) => (frame.scrollTop = frame.scrollHeight))
    await eventually('the last row is there', async () => (await page.locator('.result-table').innerText()).includes('5999'), 30_000)
    expect(await rowsIn(page)).toBeLessThan(150)
    await has(page, '.result-table', 'aria-rowcount', '6001')
    expect(problems).toEqual([])
    await close()
  })

  test('gives its answer to take away, in four formats', async () => {
    const { page, problems, close } = await site().open(asked("SELECT 'a,b' AS words, 7 AS seven"))
    await says(page, '#sql-said', /^1 row/)
    const take = async (format: string) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.locator(`[data-format="${format}"]`).click()])
      expect(download.suggestedFilename()).toBe(`weir.${format}`)
      return readFileSync(await download.path())
    }
    expect(String(await take('csv'))).toBe('words,seven\r\n"a,b",7\r\n')
    expect(JSON.parse(String(await take('ndjson')))).toEqual({ words: 'a,b', seven: 7 })
    expect((await take('parquet')).subarray(0, 4).toString()).toBe('PAR1')
    expect((await take('arrow')).length).toBeGreaterThan(100)
    expect(problems).toEqual([])
    await close()
  })

  test('puts the names of tables and columns into the question', async () => {
    const { page, problems, close } = await site().open('/explore')
    await page.locator('.tables h3 button', { hasText: 'rejects' }).click()
    expect(await page.locator('#sql').inputValue()).toBe('rejects')
    await page.locator('#sql').fill('SELECT count(*) AS n FROM ')
    await page.locator('.tables h3 button', { hasText: 'rejects' }).click()
    await page.locator('#run').click()
    await says(page, '.result-table tbody', '1')
    expect(problems).toEqual([])
    await close()
  })
}
