/** Analytics over a lake that the store's own writer fills, from logs that the real actors write: what they say is in a test's hands by its feed. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAnalytics } from '../../../actors/analytics/start.ts'
import type { Analytics } from '../../../actors/analytics/start.ts'
import { LakeWriter } from '../../../actors/store/writer.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { Keyring } from '../../../runtime/keys.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { BUCKET_KEYS, topologyOf } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { Feed, makeStreams } from '../store/feed.ts'

const logger = { info() {}, warn() {}, error: (fields: object, message: string) => console.error(message, fields) }

export class FilledHouse {
  readonly dataDir: string
  readonly clock: ManualClock
  readonly writer: LakeWriter
  readonly analytics: Analytics
  readonly feed: Feed
  readonly #keyring: Keyring
  readonly #key: string

  private constructor(parts: Pick<FilledHouse, 'dataDir' | 'clock' | 'writer' | 'analytics' | 'feed'>, keyring: Keyring, key: string) {
    this.dataDir = parts.dataDir
    this.clock = parts.clock
    this.writer = parts.writer
    this.analytics = parts.analytics
    this.feed = parts.feed
    this.#keyring = keyring
    this.#key = key
  }

  static async open({ partitions, nowMs }: { partitions: number; nowMs: number }): Promise<FilledHouse> {
    const dataDir = await mkdtemp(join(tmpdir(), 'weir-filled-'))
    const clock = new ManualClock({ nowMs })
    const world = new MemoryWorld({ clock })
    const connection = world.connect()
    await makeStreams(connection.log, partitions)
    const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
    const { secret } = await keyring.create({ role: 'analyst' })
    const topology = topologyOf(partitions)
    const onManifest = (manifest: Parameters<Analytics['onManifest']>[0]) => void analytics.onManifest(manifest)
    const writer = await LakeWriter.open({ lakeDir: join(dataDir, 'lake'), log: world.connect().log, topology, clock, logger, compaction: false, onManifest })
    const analytics = await startAnalytics({ connection, topology, dataDir, keyring, membership: { view: () => [] }, clock: systemClock, logger })
    await writer.start()
    const feed = new Feed({ log: world.connect().log, clock, partitions })
    await feed.begin({ latenessMs: 5_000, idleMs: 60_000, retentionMs: 0 })
    return new FilledHouse({ dataDir, clock, writer, analytics, feed }, keyring, secret)
  }

  async close(): Promise<void> {
    await this.writer.stop({ seal: false })
    await this.analytics.stop()
    this.#keyring.close()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  async get(path: string): Promise<any> {
    const answer = await this.analytics.app.request(path, { headers: { authorization: `Bearer ${this.#key}` } })
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }

  /** All pages of a list; `between` runs after each. */
  async whole(path: string, name: string, { limit, between }: { limit: number; between?: () => Promise<void> }): Promise<any[]> {
    const rows: any[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: any = await this.get(`${path}${path.includes('?') ? '&' : '?'}time=ms&limit=${limit}&cursor=${cursor}`)
      if (page[name].length > limit) throw new Error(`${path}: ${page[name].length} rows in a page of ${limit}`)
      rows.push(...page[name])
      cursor = page.cursor
      await between?.()
    }
    return rows
  }
}
