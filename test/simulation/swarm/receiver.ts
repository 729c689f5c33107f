/**
 * Who is told of alerts in the simulator, and what must hold of what is told: each event of an alert that a route matches comes at least once; what comes
 * again has the same id and the same bytes; of an alert events come in their order; nothing comes that no commit said, nor what somebody has put aside.
 *
 * The receiver fails as one does: it refuses, it is away, it is silent, it takes a message and its answer is lost, it answers late.
 *
 * - Y1 A route without groups tells each event by itself, so that what must come is known to the event. One that groups, waits and reminds may sum up, and
 *   passes over what was put aside while it waited: of it that must come which was never put aside.
 */

import assert from 'node:assert/strict'
import type { AlertEvent } from '../../../actors/alert/life.ts'
import { EVENTS } from '../../../actors/alert/life.ts'
import type { Outgoing } from '../../../actors/notify/outgoing.ts'
import type { Outcome } from '../../../actors/notify/desk.ts'
import { RouteRegistry } from '../../../actors/notify/routes.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { KeyValue } from '../../../runtime/log.ts'
import type { HeardCommit } from './checks.ts'

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
const target = { webhook: { url: 'http://127.0.0.1:9/hook', secret: SECRET } }
/** Nothing is given up within a run, nights counted. */
const giveUp = '7d'
const ROUTES: Readonly<Record<string, object>> = {
  each: { target, giveUp, events: EVENTS },
  grouped: { target, giveUp, match: { severity: ['critical', 'warning'] }, groupBy: ['rule'], wait: '2s', interval: '5s', remind: '1m' },
}

interface Event {
  readonly tenant: string
  readonly id: string
  readonly number: number
  readonly event: AlertEvent
  readonly severity: string
  readonly rule: string
}

const nameOf = ({ tenant, id, number }: Pick<Event, 'tenant' | 'id' | 'number'>): string => `${tenant} ${id}#${number}`

export class SimReceiver {
  readonly #clock: Clock
  readonly #misbehaves: () => boolean
  readonly #draw: () => number
  /** Every event that a commit told of. */
  readonly #told = new Map<string, Event>()
  /** What is still to come, by route. */
  readonly #due = new Map<string, Set<string>>([['each', new Set()], ['grouped', new Set()]])
  readonly #shelved = new Set<string>()
  /** Alerts that were put aside at any time. */
  readonly #everShelved = new Set<string>()
  /** By route, tenant and event: the id of the message that had it; by id its bytes. */
  readonly #ids = new Map<string, string>()
  readonly #bodies = new Map<string, string>()
  readonly #numbers = new Map<string, number>()
  /** Events that messages counted, and did not name, as they were too many: by route, and of one that does not group by alert. */
  readonly #more = new Map<string, number>()
  /** The first law that was broken, or null. */
  broken: Error | null = null
  readonly counts = { messages: 0, repeats: 0, reminders: 0 }

  constructor({ clock, misbehaves, draw }: { clock: Clock; misbehaves: () => boolean; draw: () => number }) {
    this.#clock = clock
    this.#misbehaves = misbehaves
    this.#draw = draw
  }

  static async route(kv: KeyValue, tenants: readonly string[]): Promise<void> {
    const routes = await RouteRegistry.open(kv)
    for (const tenant of tenants) for (const [id, document] of Object.entries(ROUTES)) await routes.put(tenant, id, document, null, () => SECRET)
    routes.close()
  }

  /** To be told of each commit. What it brings of an alert is decided at its end. */
  hear({ seq, effects: { alerts, series } }: HeardCommit): void {
    const events = alerts.map(({ series: of, id, number, event, severity, rule }): Event => ({ tenant: series[of].tenant, id, number, event, severity, rule }))
    const wasAside = new Set<Event>()
    for (const tenant of new Set(events.map((event) => event.tenant))) this.#commits.set(tenant, [...(this.#commits.get(tenant) ?? []), seq])
    for (const told of events) {
      const alert = `${told.tenant} ${told.id}`
      assert.ok(!this.#told.has(nameOf(told)), `event ${nameOf(told)} is committed twice`)
      this.#told.set(nameOf(told), told)
      if (told.event === 'resolved' && this.#shelved.has(alert)) wasAside.add(told)
      if (told.event === 'shelved') this.#shelved.add(alert)
      else if (['opened', 'escalated', 'reopened', 'acknowledged', 'unshelved', 'resolved'].includes(told.event)) this.#shelved.delete(alert)
      if (told.event === 'shelved') this.#everShelved.add(alert)
    }
    for (const told of events) {
      const isAside = wasAside.has(told) || (told.event !== 'shelved' && this.#shelved.has(`${told.tenant} ${told.id}`))
      if (!isAside) this.#due.get('each')!.add(nameOf(told))
      if (!isAside && told.severity !== 'info' && told.event !== 'acknowledged' && told.event !== 'shelved') this.#due.get('grouped')!.add(nameOf(told))
      this.#dueEver.add(nameOf(told) + (isAside ? ' aside' : ''))
    }
  }
  readonly #dueEver = new Set<string>()

  /** To be told of each entry of the readers, and of the notifier's bucket: what it notes as taken in is in what it keeps (P3 of keeper.ts). */
  noted(key: string, value: Uint8Array): void {
    const json = JSON.parse(new TextDecoder().decode(value)) as { tenant: string; seq: number; resultsFrom: number }
    // What is behind another dot is a copy that nothing need name yet.
    if (/^state\.[^.]+$/.test(key)) this.#kept.set(json.tenant, json.seq)
    if (key !== 'readers.notifier') return
    for (const [tenant, seqs] of this.#commits) {
      const last = seqs.findLast((seq) => seq < json.resultsFrom)
      assert.ok(last === undefined || (this.#kept.get(tenant) ?? 0) >= last, `the notifier notes commit ${last} as taken in, and of ${tenant} it keeps those up to ${this.#kept.get(tenant)}`)
    }
  }
  /** By tenant: commits that tell of its alerts, and up to which one what is kept has them. */
  readonly #commits = new Map<string, number[]>()
  readonly #kept = new Map<string, number>()

  /** What it answers, and when; it may never. */
  async answer(message: Outgoing): Promise<Outcome> {
    const way = this.#misbehaves() ? Math.floor(this.#draw() * 6) : -1
    if (way === 0) return { kind: 'away', error: 'the receiver answered 503', ...(this.#draw() < 0.5 ? { retryAfterMs: 2_000 } : {}) }
    if (way === 1) return { kind: 'refused', error: 'the receiver answered 400' }
    if (way === 2) return new Promise(() => {})
    if (way === 3) await this.#clock.sleep(this.#draw() * 15_000)
    this.#take(message)
    if (way === 4) return new Promise(() => {})
    if (way === 5) await this.#clock.sleep(this.#draw() * 15_000)
    return { kind: 'taken' }
  }

  #take(message: Outgoing): void {
    try {
      this.#taken(message)
    } catch (error) {
      this.broken ??= error as Error
    }
  }

  #taken({ id, tenant, route, body }: Outgoing): void {
    this.counts.messages++
    const { type, data } = JSON.parse(body) as { type: string; data: { alerts: Omit<Event, 'tenant'>[]; more?: number } }
    const known = this.#bodies.get(id)
    if (known !== undefined) this.counts.repeats++
    assert.equal(body, known ?? body, `message ${id} comes with other bytes`)
    this.#bodies.set(id, body)
    if (type === 'alert.reminder') this.counts.reminders++
    else if (known === undefined && data.more !== undefined) {
      const of = route === 'each' ? `${tenant} ${data.alerts[0].id}` : route
      this.#more.set(of, (this.#more.get(of) ?? 0) + data.more)
    }
    for (const said of data.alerts) {
      const event = { ...said, tenant }
      const name = nameOf(event)
      const told = this.#told.get(name)
      assert.ok(told, `route ${route} tells of ${name}, which no commit does`)
      assert.deepEqual([event.event, event.severity, event.rule], [told.event, told.severity, told.rule], `route ${route} tells of ${name} otherwise`)
      if (type === 'alert.reminder') continue
      const place = `${route} ${name}`
      assert.equal(id, this.#ids.get(place) ?? id, `route ${route} tells of ${name} under another id`)
      const isNew = !this.#ids.has(place)
      this.#ids.set(place, id)
      this.#due.get(route)!.delete(name)
      if (route !== 'each' || !isNew) continue
      assert.ok(!this.#dueEver.has(`${name} aside`), `route ${route} tells of ${name}, though the alert was put aside`)
      const alert = `${tenant} ${event.id}`
      assert.ok(event.number > (this.#numbers.get(alert) ?? 0), `route ${route} tells of ${name} after event ${this.#numbers.get(alert)}`)
      this.#numbers.set(alert, event.number)
    }
  }

  /** Why all is not told yet, or null. */
  restless(): string | null {
    for (const route of ['each', 'grouped']) {
      const missing = new Map<string, string[]>()
      for (const name of this.#due.get(route)!) {
        const alert = name.slice(0, name.lastIndexOf('#'))
        if (route === 'grouped' && this.#everShelved.has(alert)) continue
        const of = route === 'each' ? alert : route
        missing.set(of, [...(missing.get(of) ?? []), name])
      }
      for (const [of, names] of missing) {
        const counted = this.#more.get(of) ?? 0
        if (names.length > counted) return `${names.length} events were not told by route ${route}, of which ${counted} were counted; one is ${names[0]}, ${this.#told.get(names[0])!.event}`
      }
    }
    return null
  }
}
