/** What is on the disk when a manifest becomes the lake (I6), seen from the calls of the file system. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { LakeWriter } from '../../../actors/store/writer.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { Feed, makeStreams } from './feed.ts'

const calls = vi.hoisted(() => [] as string[])

vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>()
  const name = (path: unknown) => String(path).split('/').at(-1)!
  const open = async (...args: Parameters<typeof fs.open>) => {
    const handle = await fs.open(...args)
    const sync = handle.sync.bind(handle)
    handle.sync = async () => {
      await sync()
      calls.push(`sync ${name(args[0])}`)
    }
    return handle
  }
  const rename = async (from: string, to: string) => {
    await fs.rename(from, to)
    calls.push(`rename ${name(from)} ${name(to)}`)
  }
  return { ...fs, open, rename }
})

test('a segment and its folder are synced before the manifest that names it, and that before and after its rename', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'weir-sync-'))
  const clock = new ManualClock()
  const { log } = new MemoryWorld({ clock }).connect()
  await makeStreams(log, 1)
  const feed = new Feed({ log, clock, partitions: 1 })
  const quiet = { info() {}, warn() {}, error() {} }
  const writer = await LakeWriter.open({ lakeDir: join(dataDir, 'new', 'lake'), log, topology: topologyOf(1), clock, logger: quiet, compaction: false })
  try {
    // Segments that last in a folder that does not would be lost with it.
    expect(calls.filter((call) => call.startsWith('sync'))).toEqual(expect.arrayContaining([`sync ${basename(dataDir)}`, 'sync new', 'sync lake']))
    await writer.start()
    await feed.begin({ latenessMs: 0, idleMs: 1_000, retentionMs: 0 })
    await feed.send([{ device: 'd', metric: 'm', ts: clock.now(), value: 1 }])
    await feed.commitAll()
    while (writer.status().bufferedRows === 0) await new Promise((resolve) => setImmediate(resolve))
    calls.length = 0
    await writer.seal()
    const { file } = writer.manifest.segments[0]
    const manifest = `manifest-${writer.manifest.version}.json`
    const lasting = calls.filter((call) => !/weir\.duckdb|open\.sql/.test(call))
    expect(lasting).toEqual([
      `sync ${basename(file)}`,
      `rename ${file} ${file}`,
      'sync segments',
      `sync ${manifest}.tmp`,
      `rename ${manifest}.tmp ${manifest}`,
      'sync lake',
    ])
  } finally {
    await writer.stop({ seal: false })
    await rm(dataDir, { recursive: true, force: true })
  }
})
