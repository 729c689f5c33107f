import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LakeDatabase } from '../../../actors/store/database.ts'
import { makeLake } from '../../../actors/store/manifest.ts'

let dir: string
const opened: LakeDatabase[] = []
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'weir-database-'))
  await makeLake(dir)
})
afterEach(() => {
  for (const db of opened.splice(0)) db.close()
  rmSync(dir, { recursive: true })
})
async function open(): Promise<LakeDatabase> {
  const db = await LakeDatabase.open(dir, { memoryMiB: 48 })
  opened.push(db)
  return db
}

/** A sort that needs more than the memory that the database has. */
const spilling = (db: LakeDatabase) => db.rows('SELECT sum(i * rn)::VARCHAR FROM (SELECT i, row_number() OVER (ORDER BY hash(i)) AS rn FROM range(2000000) t(i))')

test('two databases of one lake, as a seal and a merge are, can spill at the same time, and leave nothing behind', async () => {
  const alone = await spilling(await open())
  const both = await Promise.all([spilling(await open()), spilling(await open())])
  expect(both).toEqual([alone, alone])
  for (const db of opened.splice(0)) db.close()
  expect(readdirSync(join(dir, 'tmp'))).toEqual([])
})
