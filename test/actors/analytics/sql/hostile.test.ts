import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { segmentsDir } from '../../../../actors/store/manifest.ts'
import { askerWithRows, SECRET, SECRET_VALUE } from './asker.ts'
import type { Asker } from './asker.ts'
import { hostile } from './hostile.ts'

const MARKER = 'a-file-that-nobody-may-read'
let asker: Asker
let close: () => Promise<void>
let aims: Record<string, string[]>
let names: string[]
beforeAll(async () => {
  ;({ asker, close } = await askerWithRows({ memoryMiB: 256, rssMaxMiB: 700 }))
  const { dir } = asker.house
  const file = join(dir, 'marker.txt')
  await writeFile(file, `${MARKER}\n`)
  const folder = segmentsDir(join(dir, 'lake'))
  names = await readdir(folder)
  aims = hostile({ file, segment: join(folder, names[0]), dir })
})
afterAll(() => close())

const AIMS = Object.keys(hostile({ file: '', segment: '', dir: '' }))

describe('a hostile statement', () => {
  it('is one of many', () => expect(Object.values(aims).flat().length).toBeGreaterThanOrEqual(150))

  it.each(AIMS)('that %s gets nothing, and the next query is answered', async (aim) => {
    for (const sql of aims[aim]) {
      // An answer that has begun at its deadline is cut.
      const { status, text } = await asker.ask(sql, { timeoutMs: 1_000, maxRows: 1_000 }).catch((error: Error) => ({ status: 408, text: error.message }))
      const told = `${sql.slice(0, 200)} => ${status} ${text.slice(0, 500)}`
      expect([200, 400, 408], told).toContain(status)
      if (aim !== 'hangs, eats or breaks the process' && status === 400) expect(JSON.parse(text).code, told).not.toBe('broken')
      // What the statement itself says may come back to it in an error.
      const answered = status === 200 ? text : text.replaceAll(JSON.stringify(sql).slice(1, -1), '')
      expect(answered, told).not.toContain(MARKER)
      if (!sql.includes(SECRET)) expect(answered, told).not.toContain(SECRET)
      if (!sql.includes('77777')) expect(answered, told).not.toContain(String(SECRET_VALUE).slice(0, 5))
      if (status === 200) for (const name of [...names, asker.house.dir]) expect(answered, told).not.toContain(name)
      expect(await asker.rows('SELECT count(*), min(tenant), max(tenant), max(value) < 700000, count(DISTINCT device) FROM readings'), told).toEqual([[960, 'default', 'default', true, 4]])
    }
    expect(existsSync(join(asker.house.dir, 'out.csv')) || existsSync(join(asker.house.dir, 'out.parquet')) || existsSync(join(asker.house.dir, 'log'))).toBe(false)
  })

  it('is refused by the gate where it would read anything but the views', async () => {
    for (const aim of ['reads a file', 'writes or leaves something behind', 'sets, loads or attaches']) {
      for (const sql of aims[aim]) expect([sql, (await asker.ask(sql)).status]).toEqual([sql, 400])
    }
  })
})
