/**
 * A lake whose steps a test decides: readings through real partition actors on a log in memory, sealed and merged into real DuckDB files by
 * the real writer. Each step leaves all windows out, so that every manifest is settled: its windows count exactly its readings.
 */

import { join } from 'node:path'
import { LakeWriter } from '../../actors/store/writer.ts'
import type { LakeWriterOptions } from '../../actors/store/writer.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { topologyOf } from '../../runtime/topology.ts'
import { Feed, makeStreams } from '../actors/store/feed.ts'
import { ManualClock } from './manual-clock.ts'
import { quietLogger } from './quiet-logger.ts'
import { seeded } from './random.ts'

const PARTITIONS = 2
export const LAKE_BEGIN_MS = 1_767_225_600_000

export class LakeStage {
  readonly dataDir: string
  readonly clock: ManualClock
  readonly world: MemoryWorld
  /** Real durations of seals, ms. */
  readonly sealMs: number[] = []
  #feed: Feed
  #writer: LakeWriter | null = null
  #random = seeded(5)

  private constructor(dataDir: string, beginMs: number) {
    this.dataDir = dataDir
    this.clock = new ManualClock({ nowMs: beginMs })
    this.world = new MemoryWorld({ clock: this.clock })
    this.#feed = new Feed({ log: this.world.connect().log, clock: this.clock, partitions: PARTITIONS })
  }

  static async open(dataDir: string, { beginMs = LAKE_BEGIN_MS, ...options }: Partial<LakeWriterOptions> & { beginMs?: number } = {}): Promise<LakeStage> {
    const stage = new LakeStage(dataDir, beginMs)
    await makeStreams(stage.#feed.log, PARTITIONS)
    await stage.#feed.begin({ latenessMs: 1_000, idleMs: 1_000, retentionMs: 0 })
    await stage.openWriter(options)
    return stage
  }

  get lakeDir(): string {
    return join(this.dataDir, 'lake')
  }

  get writer(): LakeWriter {
    return this.#writer!
  }

  async openWriter(options: Partial<LakeWriterOptions> = {}): Promise<void> {
    const { logger } = quietLogger()
    const given = { lakeDir: this.lakeDir, log: this.#feed.log, topology: topologyOf(PARTITIONS), clock: this.clock, logger, compaction: false }
    this.#writer = await LakeWriter.open({ ...given, ...options })
    await this.#writer.start()
  }

  /** Sends a batch, some of it late by up to `lateMs`, lets its windows come out, and seals it. */
  async step({ readings = 40, lateMs = 600_000 }: { readings?: number; lateMs?: number } = {}): Promise<void> {
    const nowMs = Math.floor(this.clock.now())
    const random = this.#random
    await this.#feed.send(
      Array.from({ length: readings }, (_, i) => ({
        device: `field-${i % 3}/probe-${i % 10}`,
        metric: 'soil_moisture',
        ts: nowMs - (random() < 0.2 ? Math.floor(random() * lateMs) : Math.floor(((readings - i) * 900) / readings)),
        value: random() < 0.01 && this.sealMs.length > 2 ? 900 + i : 20 + Math.round(random() * 100) / 100,
      })),
    )
    await this.#feed.reject('field-0/probe-0', 1)
    await this.#feed.quiet()
    await this.#covered()
    const began = performance.now()
    await this.writer.seal()
    this.sealMs.push(performance.now() - began)
  }

  async stop(): Promise<void> {
    await this.writer.stop({ seal: false })
  }

  /** Awaits that the writer has read all that was committed. */
  async #covered(): Promise<void> {
    const last = Math.max(0, ...this.world.messages('RESULTS').map((message) => message.seq))
    while (Math.max(...this.writer.status().lag.map((lag) => lag.resultsSeq)) < last) await new Promise((resolve) => setImmediate(resolve))
  }
}
