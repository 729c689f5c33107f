/** An edge over a log in memory, with a clock that the test moves: what every test of the edge starts from. */

import { createEdge } from '../../../actors/edge/edge.ts'
import type { Edge, EdgeOptions } from '../../../actors/edge/edge.ts'
import { decodeInput } from '../../../actors/reading/input.ts'
import type { Block, Reading, Rejects } from '../../../actors/reading/input.ts'
import { Keyring } from '../../../runtime/keys.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import type { MemoryConnection } from '../../../runtime/memory-log.ts'
import { createMetrics } from '../../../runtime/telemetry.ts'
import { BUCKET_KEYS, inputStream, inputStreams, inputSubject, topologyOf } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import { ManualClock } from '../../support/manual-clock.ts'

export const SILENT = { warn() {}, error() {} }

export class EdgeFixture {
  readonly clock = new ManualClock()
  readonly world = new MemoryWorld({ clock: this.clock })
  readonly topology: Topology
  connection!: MemoryConnection
  keyring!: Keyring
  edge!: Edge
  /** Secrets by role. */
  device = ''
  analyst = ''
  stores: { url: string }[] = []

  private constructor(partitions: number) {
    this.topology = topologyOf(partitions)
  }

  static async start(options: Partial<EdgeOptions> & { partitions?: number } = {}): Promise<EdgeFixture> {
    const fixture = new EdgeFixture(options.partitions ?? 4)
    const { clock, world, topology } = fixture
    fixture.connection = world.connect()
    for (const name of inputStreams(topology)) {
      const all = Array.from({ length: topology.partitions }, (_, p) => p)
      const subjects = all.filter((p) => inputStream(topology, p) === name).map(inputSubject)
      await fixture.connection.log.ensureStream({ name, subjects, replicas: 1, bytesMax: -1 })
    }
    fixture.keyring = await Keyring.open(await fixture.connection.kv(BUCKET_KEYS), clock)
    fixture.device = (await fixture.keyring.create({ role: 'device' })).secret
    fixture.analyst = (await fixture.keyring.create({ role: 'analyst' })).secret
    fixture.edge = createEdge({
      connection: fixture.connection,
      topology,
      keyring: fixture.keyring,
      membership: { view: () => fixture.stores.map(({ url }) => ({ id: url, role: 'store' as const, url, runtime: 'node' as const, pid: 1, startedAt: 0, partitions: [] })) },
      clock,
      logger: SILENT,
      metrics: createMetrics({ process: false }),
      ...options,
    })
    return fixture
  }

  /** Posts and lets the clock run until the answer is there. */
  async post(body: unknown, options: { key?: string; type?: string; path?: string; headers?: Record<string, string> } = {}): Promise<Response> {
    return this.answerOf(this.send(body, options))
  }

  /** Posts and leaves the clock to the test. */
  send(body: unknown, options: { key?: string; type?: string; path?: string; headers?: Record<string, string> } = {}): Promise<Response> {
    const raw = typeof body === 'string' || body instanceof Uint8Array
    return Promise.resolve(
      this.edge.app.request(options.path ?? '/v1/readings', {
        method: 'POST',
        headers: { authorization: `Bearer ${options.key ?? this.device}`, 'content-type': options.type ?? 'application/json', ...options.headers },
        body: (raw ? body : JSON.stringify(body)) as BodyInit,
      }),
    )
  }

  async answerOf<T>(promise: Promise<T>): Promise<T> {
    let done = false
    const finished = promise.finally(() => (done = true))
    finished.catch(() => {})
    for (let i = 0; i < 2_000 && !done; i++) await this.clock.advance(5)
    return finished
  }

  /** Every message of the log. */
  messages(): (Block | Rejects)[] {
    return inputStreams(this.topology).flatMap((stream) => this.world.messages(stream).map((m) => decodeInput(m.data) as Block | Rejects))
  }

  blocks(): Block[] {
    return this.messages().filter((m) => m.kind === 'block')
  }

  rejects(): Rejects[] {
    return this.messages().filter((m) => m.kind === 'rejects')
  }

  readings(): Reading[] {
    return this.blocks().flatMap(rowsOf)
  }
}

export function rowsOf(block: Block): Reading[] {
  return Array.from(block.row, (series, i) => ({
    device: block.devices[block.seriesDevice[series]],
    metric: block.metrics[block.seriesMetric[series]],
    ts: block.ts[i],
    value: block.value[i],
  }))
}
