/** The house guards itself: who may import whom, one file with clocks, no dead files, no words that do not belong. */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((f) => f !== '')
const sources = tracked.filter((f) => f.endsWith('.ts')).flatMap((file) => {
  try {
    return [{ file, text: readFileSync(join(root, file), 'utf8') }]
  } catch {
    return []
  }
})
const product = sources.filter((s) => /^(cmd|actors|runtime)\//.test(s.file))
const isClient = (file: string) => file.includes('/dashboard/client/')

/** Files of this project that a file imports, statically or not, from the root. */
function imports(source: { file: string; text: string }): string[] {
  return [...source.text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g), ...source.text.matchAll(/new URL\('(\.[^']+\.ts)'/g)].map((m) =>
    normalize(join(dirname(source.file), m[1])),
  )
}

/** Rooms of actors/, in the order of the flow: a room may import those before it. `simulation` feeds from outside, as a device does. */
const FLOW = ['reading', 'alert', 'partition', 'edge', 'view', 'store', 'own', 'farm', 'fleet', 'notify', 'analytics']

describe('the house', () => {
  test('is entered one way: cmd imports actors imports runtime', () => {
    const rank = (file: string) => ['runtime', 'actors', 'cmd'].indexOf(file.split('/')[0])
    const wrong = product.flatMap((s) => imports(s).filter((i) => rank(i) > rank(s.file) || rank(i) === -1).map((i) => `${s.file} imports ${i}`))
    expect(wrong).toEqual([])
  })

  test('lets each room of actors/ import only the rooms before it in the flow', () => {
    const room = (file: string) => FLOW.indexOf(file.split('/')[1])
    const wrong = product
      .filter((s) => s.file.startsWith('actors/') && room(s.file) !== -1)
      .flatMap((s) => imports(s).filter((i) => i.startsWith('actors/') && (room(i) > room(s.file) || room(i) === -1)).map((i) => `${s.file} imports ${i}`))
    expect(wrong).toEqual([])
    const crossing = product.flatMap((s) =>
      imports(s).filter((i) => (s.file.startsWith('actors/edge/') && i.startsWith('actors/partition/'))).map((i) => `${s.file} imports ${i}`),
    )
    expect(crossing).toEqual([])
  })

  test('reads clocks, timers and randomness in runtime/clock.ts alone (use a Clock)', () => {
    const banned = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|(?<![.\w])set(?:Timeout|Interval|Immediate)\(|\bperformance\.now\(|\brandomBytes\(|\brandomUUID\(/
    const wrong = product.filter((s) => s.file !== 'runtime/clock.ts' && !isClient(s.file)).flatMap((s) =>
      s.text.split('\n').flatMap((line, i) => (banned.test(line) && !/^\s*(\*|\/\/)/.test(line) ? [`${s.file}:${i + 1} ${line.trim()}`] : [])),
    )
    expect(wrong).toEqual([])
  })

  test('goes to the lake through its ports: in the store, files are read by a Disk and DuckDB is asked by duckdb-shelf.ts alone', () => {
    const own = ['sql.ts', 'database.ts', 'lock.ts'].map((name) => `actors/store/${name}`)
    const wrong = product.filter((s) => s.file.startsWith('actors/store/') && !own.includes(s.file)).flatMap((s) =>
      [...s.text.matchAll(/from '(node:fs[^']*|@duckdb\/[^']*|\.\/database\.ts)'/g)].map((m) => `${s.file} imports ${m[1]}`),
    )
    expect(wrong.filter((w) => !/duckdb-(shelf|segment|merge|parts)\.ts imports \.\/database\.ts/.test(w))).toEqual([])
  })

  test('has no file of the product that nothing imports and no command runs', () => {
    const { exports: offered } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: Record<string, string> }
    const used = new Set([...sources.flatMap(imports), ...Object.values(offered).map(normalize)])
    const dead = product.map((s) => s.file).filter((f) => !f.startsWith('cmd/') && !isClient(f) && !used.has(f))
    expect(dead).toEqual([])
  })

  test('has files that begin by saying what they are', () => {
    const silent = product.filter((s) => !/^(#!.*\n)?\/\*\*/.test(s.text)).map((s) => s.file)
    expect(silent).toEqual([])
  })

  test('has no unfinished marks, and no test that is skipped or runs alone', () => {
    const marks = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].map((m) => `\\b${m}\\b`).join('|') + '|\\.(?:only|skip)\\(')
    const wrong = sources.filter((s) => marks.test(s.text)).map((s) => s.file)
    expect(wrong).toEqual([])
  })

  test('names no registry host in the lockfile', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "http/)
  })
})
