/**
 * Own actors in the simulator: the real feed, host and steps, in the process of each worker, and documents that people put. An author's code runs in the
 * worker's own thread, behind a sandbox that answers late and dies at any call, as its process would.
 *
 * Owns the actors: one that says each reading that it is told, wherever devices have their partitions, and the farm's. Leaves what must hold to own-law.ts.
 */

import farm from '../../../actors/farm/actor.ts'
import { PlotRegistry } from '../../../actors/farm/plots.ts'
import { factsOf } from '../../../actors/own/actor.ts'
import type { Stepper } from '../../../actors/own/actor.ts'
import { defineActor } from '../../../actors/own/contract.ts'
import type { AnyActor } from '../../../actors/own/contract.ts'
import { putDocument } from '../../../actors/own/documents.ts'
import { startOwnActor } from '../../../actors/own/run.ts'
import type { RunningOwnActor } from '../../../actors/own/run.ts'
import { Steps } from '../../../actors/own/steps.ts'
import type { StepAnswer, StepEvent, StepMemory } from '../../../actors/own/steps.ts'
import type { KeyValue } from '../../../runtime/log.ts'
import type { Logger } from '../../../runtime/telemetry.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { Options, OwnName } from './options.ts'
import type { Process } from './process.ts'

/** Says each reading that it is told, in order, under the key `all` of its tenant; counts those of each device, and of each document since it was put. */
const echo = defineActor({
  name: 'echo',
  key: ({ device }, documents) => ['all', device, ...documents.map(({ id }) => id)],
  initial: () => ({ n: 0 }),
  reading(state, { device, metric, ts, value }, out, key) {
    state.n++
    if (key === 'all') out.row({ n: state.n, device, metric, ts, value })
    if (key !== device) return
    if (value > 55) out.alert({ name: 'high', severity: value > 68 ? 'critical' : 'warning', message: `${metric} is ${value}`, value })
    else if (value < 30) out.resolve('high')
  },
  everyMs: 60_000,
  tick(_, { key, time }, out) {
    if (key === 'all') out.row({ tick: time }, time)
  },
  document(state, body, out) {
    out.row({ n: state.n, doc: JSON.stringify(body) })
    state.n = 0
  },
  view: { columns: { n: 'BIGINT', device: 'VARCHAR', metric: 'VARCHAR', ts: 'BIGINT', value: 'DOUBLE', tick: 'TIMESTAMP', doc: 'VARCHAR' } },
})

export const ACTORS: Readonly<Record<OwnName, AnyActor>> = { echo, advice: farm }

const PLOTS = ['north', 'south']
const plotOf = (name: string, step: number) => ({
  name, crop: 'maize', planted: '2025-11-20', soil: name === 'north' ? 'loam' : 'sand', areaHa: 0.2 + step / 100, latitude: -33, longitude: 18, zone: name === 'north' ? 'UTC' : 'Europe/Vienna',
  measures: { temperature: { device: 'probe-0', metric: 'm0' }, moisture: [{ device: 'probe-0', metric: 'm0', unit: 'percent' }, { device: `probe-${step % 3}`, metric: 'm0', unit: 'percent' }] },
})

/** An author's code as its sandbox drives it: one call at a time, and what died is started again and handed all that it knew. */
class InThread implements Stepper {
  readonly #actor: AnyActor
  readonly #process: Process
  readonly #dies: () => boolean
  readonly #draw: () => number
  #steps: Steps | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(actor: AnyActor, { process, dies, draw }: { process: Process; dies: () => boolean; draw: () => number }) {
    this.#actor = actor
    this.#process = process
    this.#dies = dies
    this.#draw = draw
  }

  step(events: readonly StepEvent[], memory: () => StepMemory, isNew: boolean): Promise<readonly StepAnswer[]> {
    const mine = this.#turn.then(() => this.#step(events, memory, isNew))
    this.#turn = mine.catch(() => {})
    return mine
  }

  async #step(events: readonly StepEvent[], memory: () => StepMemory, isNew: boolean): Promise<readonly StepAnswer[]> {
    const { clock } = this.#process
    for (;;) {
      if (this.#steps === null) isNew = true
      this.#steps ??= new Steps(this.#actor)
      if (isNew) this.#steps.load(memory())
      const steps = this.#steps
      const died = this.#dies()
      const answers = events.slice(0, died ? Math.floor(this.#draw() * (events.length + 1)) : events.length).map((event) => steps.step(event, true))
      await clock.sleep(this.#draw() ** 3 * 60)
      if (!died) return answers
      this.#steps = null
      await clock.sleep(500)
    }
  }
}

export class SimOwn {
  readonly #options: Options
  readonly #topology: Topology
  readonly #dies: () => boolean
  readonly #draw: () => number
  readonly #logger: Logger
  #kv: KeyValue
  #plots: PlotRegistry | null = null
  #lives = 0

  constructor(options: Options, { topology, kv, dies, draw, logger }: { topology: Topology; kv: KeyValue; dies: () => boolean; draw: () => number; logger: Logger }) {
    this.#options = options
    this.#topology = topology
    this.#kv = kv
    this.#dies = dies
    this.#draw = draw
    this.#logger = logger
  }

  /** Runs the actors in a process, as `weir worker --actors` does; resolves with what stops them. Every other process has newer code that does the same. */
  async run(process: Process): Promise<() => Promise<void>> {
    const { connection, clock, name } = process
    const code = `code-${++this.#lives % 2}`
    const running: RunningOwnActor[] = []
    const [placeRows, messageRows, waitingRows] = this.#options.feedRows
    for (const own of this.#options.own) {
      const actor = ACTORS[own]
      const stepper = new InThread(actor, { process, dies: this.#dies, draw: this.#draw })
      running.push(await startOwnActor({ connection, topology: this.#topology, facts: factsOf(actor, code), reads: actor.reads, stepper, clock, logger: this.#logger, id: name, bounds: this.#options.bounds, feedBounds: { placeRows, messageRows, waitingRows } }))
    }
    return () => Promise.all(running.map((actor) => actor.stop())).then(() => {})
  }

  /** What people do meanwhile: documents are put, changed and taken away; plots are edited. */
  step(step: number): void {
    const { own, tenants } = this.#options
    const tenant = tenants[step % tenants.length]
    const asked = [putDocument(this.#kv, { actor: 'echo', tenant, id: `doc-${step % 3}`, body: step % 5 === 4 ? null : { step } })]
    if (own.includes('advice') && step % 6 === 0) asked.push(this.#plot(step))
    // Whoever was not answered asks again, with something newer.
    for (const one of asked) one.catch(() => {})
  }

  async #plot(step: number): Promise<number> {
    this.#plots ??= await PlotRegistry.open(this.#kv)
    const id = PLOTS[(step / 6) % PLOTS.length]
    return (await this.#plots.put('default', id, plotOf(id, step), null)).revision
  }
}
