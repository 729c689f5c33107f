/** The configuration and the rules for Prometheus, as its own promtool sees them. */

import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findPrometheus } from '../../deploy/prometheus.ts'

const run = promisify(execFile)
const programs = findPrometheus()
if (programs === null) console.log('There is no Prometheus on this machine, and none could be fetched: what needs its promtool is left out.')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-prometheus-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const promtool = async (...args: string[]) => (await run(programs!.promtool, args, { cwd: join(folder, 'deploy') })).stdout

test.skipIf(programs === null)('promtool finds the configuration and the rules valid, and the rules alert when they should, and only then', async () => {
  await cp(join(import.meta.dirname, '../../deploy/prometheus'), join(folder, 'deploy'), { recursive: true })
  await writeFile(join(folder, 'deploy/weir.key'), 'weir_analyst_of_a_test')
  expect(await promtool('check', 'config', 'prometheus.yml')).toContain('is valid prometheus config file syntax')
  expect(await promtool('check', 'rules', '--lint=all', '--lint-fatal', 'weir.rules.yml')).toContain('SUCCESS')
  expect(await promtool('test', 'rules', 'weir.rules.test.yml')).toContain('SUCCESS')
})

test('Prometheus is found in the folder named, else on the PATH, else in the cache, where both of its programs are', async () => {
  const place = async (name: string, ...programs: string[]) => {
    await mkdir(join(folder, name), { recursive: true })
    for (const program of programs) {
      await writeFile(join(folder, name, program), '#!/bin/sh\n')
      await chmod(join(folder, name, program), 0o755)
    }
    return join(folder, name)
  }
  const half = await place('half', 'prometheus')
  const cache = await place('cache/usr/bin', 'prometheus', 'promtool')
  const path = await place('path', 'prometheus', 'promtool')
  const mine = await place('mine', 'prometheus', 'promtool')
  const found = (env: Record<string, string>) => findPrometheus(env, join(folder, 'cache'))?.prometheus
  expect(found({ PATH: half })).toBe(join(cache, 'prometheus'))
  expect(found({ PATH: `${half}:${path}` })).toBe(join(path, 'prometheus'))
  expect(found({ PATH: path, PROMETHEUS: mine })).toBe(join(mine, 'prometheus'))
  expect(found({ PATH: path, PROMETHEUS: half })).toBe(join(path, 'prometheus'))
  expect(findPrometheus({ PATH: half }, join(folder, 'nowhere'))).toBeNull()
})
