/**
 * A small house for tests of analytics: a log in memory, a lake in a temporary folder, and hands to post, to commit and to seal,
 * so that a test decides what is read, what is committed and what is sealed.
 *
 * Owns its start and its end, and asking. Leaves what goes into the logs to house-log.ts, segments to house-lake.ts, and rows to named-rows.ts.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAnalytics } from '../../../actors/analytics/start.ts'
import type { Analytics } from '../../../actors/analytics/start.ts'
import type { MemberView } from '../../../actors/analytics/data/status.ts'
import { makeLake } from '../../../actors/store/manifest.ts'
import type { Manifest } from '../../../actors/store/manifest.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { Keyring } from '../../../runtime/keys.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { Connection } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/telemetry.ts'
import type { Metrics } from '../../../runtime/telemetry.ts'
import { BUCKET_KEYS, RESULTS, inputStream, inputStreams, inputSubject, topologyOf } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import { HouseLake } from './house-lake.ts'
import type { OwnedWindow } from './house-lake.ts'
import { HouseLog } from './house-log.ts'
import type { CommitOptions } from './house-log.ts'
import type { NamedWindow } from './named-rows.ts'

export * from './named-rows.ts'

const quiet = { info: () => {}, warn: () => {}, error: (fields: object, message: string) => console.error(message, fields) }

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never came true: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

interface HouseOptions {
  readonly freshRowsMax?: number
  /** As many as there are partitions, four, unless it says fewer. */
  readonly streams?: number
  readonly sql?: { memoryMiB?: number; rssMaxMiB?: number }
}

export class House {
  readonly topology: Topology
  readonly world = new MemoryWorld({ clock: systemClock })
  readonly connection: Connection = this.world.connect()
  readonly keys: Record<string, string> = {}
  members: MemberView[] = []
  readonly dir: string
  analytics!: Analytics
  metrics!: Metrics
  keyring!: Keyring
  readonly #options: HouseOptions
  readonly #log: HouseLog
  readonly #lake: HouseLake

  private constructor(dir: string, options: HouseOptions) {
    const topology = topologyOf(4)
    this.topology = { ...topology, streams: options.streams ?? topology.streams }
    this.dir = dir
    this.#options = options
    this.#log = new HouseLog(this.connection.log, this.topology)
    this.#lake = new HouseLake({
      dir: join(dir, 'lake'),
      resultsCreated: async () => (await this.connection.log.info(RESULTS)).created,
      onManifest: async (manifest) => void (await this.analytics.onManifest(manifest)),
    })
  }

  static async open(options: HouseOptions = {}): Promise<House> {
    const house = new House(await mkdtemp(join(tmpdir(), 'weir-analytics-')), options)
    const { log } = house.connection
    for (const name of inputStreams(house.topology)) {
      const subjects = [0, 1, 2, 3].filter((partition) => inputStream(house.topology, partition) === name).map(inputSubject)
      await log.ensureStream({ name, subjects, replicas: 1, bytesMax: -1 })
    }
    await log.ensureStream({ name: RESULTS, subjects: ['results.*'], replicas: 1, bytesMax: -1 })
    house.keyring = await Keyring.open(await house.connection.kv(BUCKET_KEYS), systemClock)
    for (const tenant of ['default', 'other']) {
      for (const role of ['analyst', 'device'] as const) house.keys[`${tenant} ${role}`] = (await house.keyring.create({ tenant, role })).secret
    }
    await makeLake(join(house.dir, 'lake'))
    await house.start()
    return house
  }

  async start(): Promise<void> {
    this.metrics = createMetrics({ process: false })
    this.analytics = await startAnalytics({
      connection: this.connection,
      topology: this.topology,
      dataDir: this.dir,
      keyring: this.keyring,
      membership: { view: (role) => this.members.filter((member) => member.role === role) },
      clock: systemClock,
      logger: quiet,
      metrics: this.metrics,
      freshRowsMax: this.#options.freshRowsMax,
      sql: this.#options.sql,
    })
    await until('the tail has caught up', () => this.analytics.ready() === true)
  }

  async restart(): Promise<void> {
    await this.analytics.stop()
    await this.start()
  }

  async close(): Promise<void> {
    await this.analytics.stop()
    this.keyring.close()
    await this.connection.close()
    await rm(this.dir, { recursive: true, force: true })
  }

  /** Readings into the log, one block a partition. */
  post(...readings: Parameters<HouseLog['post']>): Promise<void> {
    return this.#log.post(...readings)
  }

  reject(...rejected: Parameters<HouseLog['reject']>): Promise<void> {
    return this.#log.reject(...rejected)
  }

  /** Commits all that waits; `awaited` until analytics know of it. */
  async commit({ awaited = true, ...options }: CommitOptions & { readonly awaited?: boolean } = {}): Promise<void> {
    await this.#log.commit(options)
    if (awaited) await until('the tail has the commits', () => [...this.#log.last].every(([p, seq]) => this.analytics.tail.partitions[p].resultsSeq >= seq))
  }

  /** Seals all that is committed, and tells analytics. */
  seal(options: { owned?: readonly OwnedWindow[] } = {}): Promise<Manifest> {
    return this.#lake.seal(this.#log.take(), options)
  }

  sealWindow(row: NamedWindow, version: number): Promise<Manifest> {
    return this.#lake.sealWindow(row, version)
  }

  fillSeries(...series: Parameters<HouseLake['fillSeries']>): Promise<Manifest> {
    return this.#lake.fillSeries(...series)
  }

  keep(...kept: Parameters<HouseLake['keep']>): Promise<Manifest> {
    return this.#lake.keep(...kept)
  }

  rewrite(keep?: string): Promise<Manifest> {
    return this.#lake.rewrite(keep)
  }

  async get(path: string, options: { key?: string; headers?: Record<string, string> } = {}): Promise<Response> {
    const { key = this.keys['default analyst'], headers = {} } = options
    return this.analytics.app.request(path, { headers: { ...(key === '' ? {} : { authorization: `Bearer ${key}` }), ...headers } })
  }

  async json(path: string, options: { key?: string } = {}): Promise<any> {
    const answer = await this.get(path, options)
    const body = await answer.json()
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(body)}`)
    return body
  }
}
