/**
 * The rules that a partition follows, and their watches at its series.
 *
 * Owns which rule watches which series, when each is looked at, and what their alerts say in the commit. Leaves what a rule is to alert/, and the
 * bytes of a snapshot to rules/snapshot.ts.
 *
 * - K1 Of a rule the greatest revision holds; a deletion is a revision, and is remembered. Each message of one is confirmed in the commit.
 * - K2 A series that no rule selects costs one look into an array, and nothing at all where there is no rule.
 * - K3 Watches are numbered as they come about; what falls due at one time is told in that order.
 * - K4 A rule that is changed keeps its open alerts where it still selects their series, and begins its conditions anew; else they are resolved.
 * - K5 What a rule raises once it was taken back and put again are other alerts, under other names, also where the log's time stands still meanwhile.
 */

import { messageOf } from '../../alert/words.ts'
import type { AlertEvent } from '../../alert/life.ts'
import { planOf } from '../../alert/plan.ts'
import type { Plan } from '../../alert/plan.ts'
import { decodeRule, selects } from '../../alert/rule.ts'
import { Watch } from '../../alert/watch.ts'
import type { AlertAction, RuleMessage } from '../../reading/input.ts'
import type { EffectsBuilder } from '../effects.ts'
import type { LogTime } from '../log-time.ts'
import type { Device, Series } from '../series/series.ts'
import { Wheel } from '../wheel.ts'
import { alertId } from './alert-id.ts'

/** A rule at a series. */
export class Watched {
  readonly id: number
  readonly entry: RuleEntry
  readonly series: Series
  readonly watch: Watch
  /** Bucket of the wheel in which it waits; 0: in none. */
  bucket = 0

  constructor(id: number, entry: RuleEntry, series: Series, plan: Plan) {
    this.id = id
    this.entry = entry
    this.series = series
    this.watch = new Watch(plan)
  }
}

export interface RuleEntry {
  readonly tenant: string
  readonly id: string
  revision: number
  /** As the log brought it; null: deleted, or not enabled. */
  body: string | null
  plan: Plan | null
  /** The newest opening, in log time, of alerts that it does not know any more; −∞ for none. */
  spentMs: number
  readonly watches: Map<Device, Watched>
}

interface Said {
  readonly by: string | null
  readonly note: string | null
  readonly why: string | null
}
const UNSAID: Said = { by: null, note: null, why: null }

export class RuleBook {
  /** By tenant and id, in the order in which they came. */
  readonly entries = new Map<string, RuleEntry>()
  /** By number of the series: those that hear of it, in order of their own numbers. */
  readonly bySeries: (Watched[] | undefined)[] = []
  /** Watches so far. */
  count = 0
  /** Watches that wait for time to pass. */
  waiting = 0
  #wheel: Wheel<Watched>
  readonly #time: LogTime

  constructor(time: LogTime) {
    this.#time = time
    this.#wheel = new Wheel(time.activityMs)
  }

  get size(): number {
    return this.entries.size
  }

  /** Takes a message of a rule in. Throws `RangeError` on a body that is no rule. */
  learn({ tenant, id, revision, body }: RuleMessage, all: Iterable<Series>, effects: EffectsBuilder): void {
    const key = `${tenant}\n${id}`
    const known = this.entries.get(key)
    const plan = body === null ? null : planOf(decodeRule(body))
    if (known === undefined || revision > known.revision) {
      const entry = known ?? { tenant, id, revision, body, plan, spentMs: -Infinity, watches: new Map<Device, Watched>() }
      const former = new Map(entry.watches)
      if (known === undefined) this.entries.set(key, entry)
      entry.watches.clear()
      for (const watched of former.values()) this.#drop(watched)
      entry.revision = revision
      entry.body = body
      const formerPlan = entry.plan
      entry.plan = plan
      if (plan !== null) for (const series of all) this.#attach(entry, series, former)
      for (const watched of entry.watches.values()) {
        watched.watch.watchFrom(this.#time)
        this.#look(watched, effects)
      }
      for (const [device, watched] of former) {
        if (entry.watches.has(device)) continue
        const why = plan === null ? `the rule ${formerPlan!.rule.name} has been taken back` : `the rule ${formerPlan!.rule.name} is no longer about it`
        entry.spentMs = Math.max(entry.spentMs, watched.watch.life.openedMs || -Infinity)
        watched.watch.life.end(this.#time, (event) => this.#tell(watched, event, effects, { ...UNSAID, why }))
      }
    }
    effects.rules.push({ tenant, id, revision: Math.max(revision, known?.revision ?? 0) })
  }

  /** A series has come about. */
  meet(series: Series): void {
    for (const entry of this.entries.values()) if (entry.plan !== null) this.#attach(entry, series, null)
  }

  /** A reading that shows that the series is alive, and no more. */
  hear(series: Series, effects: EffectsBuilder): void {
    const list = this.bySeries[series.id]
    if (list === undefined) return
    for (const watched of list) {
      watched.watch.hear(series.metric, this.#time)
      this.#look(watched, effects)
    }
  }

  /** A reading on time. `score`: of the anomaly that was reported of it, −1 where none was. */
  see(series: Series, ts: number, value: number, score: number, effects: EffectsBuilder): void {
    const list = this.bySeries[series.id]
    if (list === undefined) return
    for (const watched of list) {
      watched.watch.hear(series.metric, this.#time)
      // One that came out of order does not tell how things are now.
      if (ts >= series.greatestMs) watched.watch.see(series.metric, { ts, value, score }, this.#time)
      this.#look(watched, effects)
    }
  }

  /** An anomaly that was reported of a series beside its readings. */
  seeAnomaly(series: Series, score: number, effects: EffectsBuilder): void {
    const list = this.bySeries[series.id]
    if (list === undefined) return
    for (const watched of list) {
      watched.watch.seeAnomaly(series.metric, score, this.#time)
      this.#look(watched, effects)
    }
  }

  seeWindow(series: Series, size: number, mean: number): void {
    const list = this.bySeries[series.id]
    if (list !== undefined) for (const { watch } of list) watch.seeWindow(series.metric, size, mean)
  }

  /** What its kind told of an hour, where the series was compared with it. */
  seeNeighbours(series: Series, mean: number, expected: number, effects: EffectsBuilder): void {
    const list = this.bySeries[series.id]
    if (list === undefined) return
    for (const watched of list) if (watched.watch.seeNeighbours(series.metric, mean, expected)) this.#look(watched, effects)
  }

  seeForecast(series: Series, madeAt: number, mean: ArrayLike<number>, steps: number, effects: EffectsBuilder): void {
    const list = this.bySeries[series.id]
    if (list === undefined) return
    for (const watched of list) {
      watched.watch.seeForecast(series.metric, madeAt, mean, steps)
      this.#look(watched, effects)
    }
  }

  /** The clocks have moved. */
  passTime(effects: EffectsBuilder): void {
    for (const watched of this.#wheel.advance(this.#time.activityMs)) {
      if (watched.bucket === 0 || !this.#wheel.passed(watched.bucket)) continue
      watched.bucket = 0
      this.waiting--
      this.#look(watched, effects)
    }
  }

  /** Does what a person asks for; passes over what is of no alert that there is now. */
  act(series: Series | null, { alert, action, by, note, until }: AlertAction, effects: EffectsBuilder): void {
    const list = series === null ? undefined : this.bySeries[series.id]
    const watched = list?.find((w) => w.series === series && w.watch.life.events > 0 && idOf(w) === alert)
    if (watched === undefined) return
    const tell = (event: AlertEvent) => this.#tell(watched, event, effects, { by, note, why: null })
    const { life } = watched.watch
    if (action === 'ack') life.acknowledge(tell)
    else if (action === 'resolve') life.end(this.#time, tell)
    else if (action === 'unshelve') life.unshelve(tell)
    else {
      life.shelve(until!, this.#time, tell)
      this.#wait(watched)
    }
  }

  /** Whether an alert is shelved: that needs a format of snapshots of its own. */
  get isShelving(): boolean {
    for (const { watches } of this.entries.values()) for (const { watch } of watches.values()) if (!Number.isNaN(watch.life.shelvedUntil)) return true
    return false
  }

  /** Whether names that a rule has spent may come about once more. */
  isSpent({ spentMs }: RuleEntry): boolean {
    return spentMs >= this.#time.logMs
  }

  /** Puts a watch back that a snapshot holds. */
  restore(watched: Watched): void {
    this.#place(watched)
    if (watched.bucket === 0) return
    this.waiting++
    this.#wheel.put(watched, watched.bucket)
  }

  #attach(entry: RuleEntry, series: Series, former: ReadonlyMap<Device, Watched> | null): void {
    const { rule, others } = entry.plan!
    const { device, metric } = series
    if (device.tenant !== entry.tenant || !selects(rule, device.name)) return
    if (metric === rule.metric) {
      const watched = new Watched(this.count++, entry, series, entry.plan!)
      const before = former?.get(device)
      if (before !== undefined) watched.watch.inherit(before.watch)
      this.#place(watched)
    } else if (others.has(metric)) {
      const watched = entry.watches.get(device)
      if (watched !== undefined) this.#list(watched, series.id)
    }
  }

  /** Enters a watch where it belongs, at series of the same device that it hears of among them. */
  #place(watched: Watched): void {
    const { entry, series } = watched
    entry.watches.set(series.device, watched)
    watched.watch.life.notBefore = entry.spentMs + 1
    this.#list(watched, series.id)
    for (const other of series.device.series) if (entry.plan!.others.has(other.metric)) this.#list(watched, other.id)
  }

  #list(watched: Watched, series: number): void {
    const list = this.bySeries[series]
    if (list === undefined) this.bySeries[series] = [watched]
    else if (!list.includes(watched)) list.splice(list.findLastIndex((w) => w.id < watched.id) + 1, 0, watched)
  }

  #drop(watched: Watched): void {
    for (const { id } of watched.series.device.series) {
      const list = this.bySeries[id]?.filter((w) => w !== watched)
      this.bySeries[id] = list === undefined || list.length === 0 ? undefined : list
    }
    if (watched.bucket === 0) return
    watched.bucket = 0
    this.waiting--
  }

  #look(watched: Watched, effects: EffectsBuilder): void {
    watched.watch.look(this.#time, (_, event) => this.#tell(watched, event, effects, UNSAID))
    this.#wait(watched)
  }

  /** Has it looked at when time alone may change something. */
  #wait(watched: Watched): void {
    const due = watched.watch.due(this.#time)
    if (due === Infinity) return
    const bucket = this.#wheel.bucketOf(due)
    if (watched.bucket !== 0) {
      // Woken early it looks, and waits again.
      if (watched.bucket <= bucket) return
    } else this.waiting++
    watched.bucket = bucket
    this.#wheel.put(watched, bucket)
  }

  #tell(watched: Watched, event: AlertEvent, effects: EffectsBuilder, said: Said): void {
    const { entry, series, watch } = watched
    const { life, plan, value } = watch
    const { logMs } = this.#time
    effects.alerts.push({
      series: series.indexIn(effects),
      at: logMs,
      value,
      number: life.events,
      id: idOf(watched),
      rule: entry.id,
      severity: (plan.rule.levels[life.level] ?? plan.rule.levels[0]).severity,
      event,
      message: messageOf(watch, event, { device: series.device.name, logMs, ...said }),
      by: said.by,
    })
  }
}

function idOf({ entry, series, watch }: Watched): string {
  return alertId({ tenant: entry.tenant, rule: entry.id, device: series.device.name, metric: series.metric, openedMs: watch.life.openedMs })
}
