/** A notifier of the simulated system, as cmd/notifier.ts makes one: a member, its routes and labels, and the office that decides whose term it is. */

import type { Outgoing } from '../../../actors/notify/outgoing.ts'
import type { Outcome } from '../../../actors/notify/desk.ts'
import { Notifier } from '../../../actors/notify/notifier.ts'
import { Office } from '../../../actors/notify/office.ts'
import { RouteRegistry } from '../../../actors/notify/routes.ts'
import { RuleLabels } from '../../../actors/notify/rule-labels.ts'
import { Membership } from '../../../runtime/membership.ts'
import { BUCKET_META, BUCKET_NOTIFY } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { Process } from './process.ts'
import type { SimReceiver } from './receiver.ts'

const quiet = { info() {}, warn() {}, error() {} }
/** As long as a sender waits for an answer. */
const ANSWER_MAX_MS = 10_000

export class SimNotifier {
  readonly process: Process
  readonly #topology: Topology
  readonly #receiver: SimReceiver
  readonly #changesMax: number | undefined
  office: Office | null = null
  #membership: Membership | null = null

  constructor(process: Process, { topology, receiver, changesMax }: { topology: Topology; receiver: SimReceiver; changesMax: number | undefined }) {
    this.process = process
    this.#topology = topology
    this.#receiver = receiver
    this.#changesMax = changesMax
    void this.#live().catch(() => process.kill())
  }

  async #live(): Promise<void> {
    const { connection, clock, name } = this.process
    const topology = this.#topology
    const self = { id: name, role: 'notifier' as const, url: null, runtime: 'node' as const, pid: 0, startedAt: clock.now(), partitions: [] }
    const membership = new Membership({ bus: connection.bus, clock, self, connected: () => connection.connected() })
    this.#membership = membership
    connection.onReconnect(() => membership.refresh())
    membership.start()
    const routes = await RouteRegistry.open(await connection.kv(BUCKET_NOTIFY))
    const rules = await RuleLabels.open(await connection.kv(BUCKET_META))
    const send = (_: unknown, message: Outgoing, signal: AbortSignal) => this.#send(message, signal)
    const senders = { webhook: send, email: send, nats: send, mqtt: send }
    this.office = new Office({ membership, open: () => Notifier.open({ connection, topology, routes, rules, senders, clock, logger: quiet, changesMax: this.#changesMax }), clock, logger: quiet })
    this.office.start()
    await this.office.failed
  }

  /** The receiver is elsewhere than the log: whoever is cut off from one still reaches the other. */
  async #send(message: Outgoing, signal: AbortSignal): Promise<Outcome> {
    const { connection, clock } = this.process
    await connection.delivered()
    const enough = new AbortController()
    const end = () => enough.abort()
    signal.addEventListener('abort', end)
    const late = clock.sleep(ANSWER_MAX_MS, enough.signal).then((): Outcome => ({ kind: 'away', error: 'no answer' }))
    const outcome = await Promise.race([this.#receiver.answer(message), late])
    enough.abort()
    signal.removeEventListener('abort', end)
    await connection.delivered()
    return outcome
  }

  /** SIGTERM: notes what was delivered, and ends. */
  async stop(): Promise<void> {
    await this.office?.stop()
    this.#membership?.stop()
    this.process.kill()
  }

  get isActive(): boolean {
    return this.office?.state === 'active' && this.office.notifier !== null
  }
}
