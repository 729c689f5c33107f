/**
 * The one gate: types, then every test. `npm test` and CI run it alike; words after `npm test --` go to vitest (a file, `-t name`).
 * Its last line is `N passed, N failed`, where the type check counts as one.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const bin = (name: string) => join(root, 'node_modules', '.bin', name)
const run = (command: string, args: string[]) => spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1

const typesFailed = run(bin('tsc'), ['--noEmit']) === 0 ? 0 : 1
if (typesFailed) console.log('The type check failed.')

const folder = mkdtempSync(join(tmpdir(), 'weir-test-'))
const report = join(folder, 'report.json')
const status = run(bin('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)])

let passed = 0
let failed = 0
try {
  const result = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number
    numFailedTests: number
    testResults: { status: string; assertionResults: unknown[] }[]
  }
  passed = result.numPassedTests
  // A file that could not even be loaded has no tests to fail, and is a failure all the same.
  failed = result.numFailedTests + result.testResults.filter((f) => f.status === 'failed' && f.assertionResults.length === 0).length
} catch {
  console.log('vitest left no report.')
}
rmSync(folder, { recursive: true, force: true })
if (status !== 0 && failed === 0) failed = 1
console.log(`${passed + (1 - typesFailed)} passed, ${failed + typesFailed} failed`)
process.exit(failed + typesFailed === 0 ? 0 : 1)
