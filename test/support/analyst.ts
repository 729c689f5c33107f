/**
 * An analyst's own program: opens the lake read-only by its path, asks, closes, again and again, until its standard input ends. Then it
 * prints how often it asked and every error that it met.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { withLake } from './law.ts'

const dataDir = process.argv[2]
let stopped = false
process.stdin.on('end', () => (stopped = true)).resume()

let queries = 0
const errors: string[] = []
while (!stopped) {
  if (existsSync(join(dataDir, 'lake', 'weir.duckdb'))) {
    try {
      await withLake(dataDir, async (query) => {
        const [row] = await query('SELECT (SELECT count(*) FROM readings) AS readings, (SELECT sum(count) FROM windows WHERE size = INTERVAL 1 MINUTE) AS counted')
        if (Number(row.readings) < 0) errors.push('negative')
      })
      queries++
    } catch (error) {
      errors.push(String(error))
      if (errors.length > 10) break
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
}
process.stdout.write(JSON.stringify({ queries, errors }))
process.exit(0)
