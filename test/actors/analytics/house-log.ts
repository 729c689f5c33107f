/** What a test puts into the two logs: readings and rejects as an edge does, commits as workers do, of what it decides became of them. */

import { EffectsBuilder } from '../../../actors/partition/effects.ts'
import type { BlockFates, RuleRow } from '../../../actors/partition/effects.ts'
import { encodeBlock, encodeRejects } from '../../../actors/reading/input.ts'
import type { Reading } from '../../../actors/reading/input.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { encodeJournal } from '../../../runtime/journal.ts'
import type { Position } from '../../../runtime/journal.ts'
import type { Log } from '../../../runtime/log.ts'
import { inputStream, inputSubject, partitionFor, resultsSubject } from '../../../runtime/topology.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { NamedAnomaly, NamedAlert, NamedDriver, NamedFeedback, NamedForecast, NamedHour, NamedProfile, NamedWindow } from './named-rows.ts'

export interface Message {
  seq: number
  timeMs: number
  tenant: string
  rows: Reading[]
  rejected: number
  samples?: [reason: string, reading: string][]
}

export interface Committed {
  partition: number
  /** Of the windows and anomalies. */
  tenant: string
  seq: number
  messages: { message: Message; fates: BlockFates | null }[]
  windows: NamedWindow[]
  anomalies: NamedAnomaly[]
  forecasts: NamedForecast[]
  feedback: NamedFeedback[]
  profiles: NamedProfile[]
  drivers: NamedDriver[]
  alerts: NamedAlert[]
  position: { created: string; seq: number; timeMs: number }
  accepted: number
  pending: number
}

/** `fates` name rows by their value; the partitions `empty` commit although they have nothing to say. */
export interface CommitOptions {
  readonly fates?: Partial<Record<'duplicate' | 'expired' | 'old', number[]>>
  readonly windows?: NamedWindow[]
  readonly anomalies?: NamedAnomaly[]
  readonly forecasts?: NamedForecast[]
  readonly feedback?: NamedFeedback[]
  readonly profiles?: NamedProfile[]
  readonly drivers?: NamedDriver[]
  readonly alerts?: NamedAlert[]
  /** Revisions of rules that each partition which commits confirms. */
  readonly rules?: readonly RuleRow[]
  readonly hours?: NamedHour[]
  readonly pending?: number
  readonly tenant?: string
  readonly empty?: number[]
}

export class HouseLog {
  readonly #log: Log
  readonly #topology: Topology
  #waiting = new Map<number, Message[]>()
  #committed: Committed[] = []
  #accepted = new Map<number, number>()
  #position = new Map<number, Position>()
  /** By partition, the sequence of its last commit. */
  readonly last = new Map<number, number>()

  constructor(log: Log, topology: Topology) {
    this.#log = log
    this.#topology = topology
  }

  /** What was committed since the last time; it is the caller's now. */
  take(): Committed[] {
    const taken = this.#committed
    this.#committed = []
    return taken
  }

  /** Readings into the log, one block a partition. */
  async post(rows: readonly { device: string; metric?: string; ts: number; value: number }[], tenant = 'default'): Promise<void> {
    const byPartition = Map.groupBy(rows, (row) => partitionFor(this.#topology, tenant, row.device))
    for (const [partition, part] of byPartition) {
      const readings = part.map((row) => ({ metric: 'm', ...row }))
      const devices = [...new Set(readings.map((r) => r.device))]
      const metrics = [...new Set(readings.map((r) => r.metric))]
      const series = [...new Set(readings.map((r) => `${r.device} ${r.metric}`))]
      const data = encodeBlock({
        tenant,
        devices,
        metrics,
        seriesDevice: Uint16Array.from(series, (s) => devices.indexOf(s.split(' ')[0])),
        seriesMetric: Uint16Array.from(series, (s) => metrics.indexOf(s.split(' ')[1])),
        row: Uint16Array.from(readings, (r) => series.indexOf(`${r.device} ${r.metric}`)),
        ts: Float64Array.from(readings, (r) => r.ts),
        value: Float64Array.from(readings, (r) => r.value),
        keyed: [],
      })
      const { seq } = await this.#log.publish(inputSubject(partition), data)
      await this.#hang(partition, { seq, tenant, rows: readings, rejected: 0 })
    }
  }

  async reject(device: string, count: number, tenant = 'default', samples: [reason: string, reading: string][] = []): Promise<void> {
    const partition = partitionFor(this.#topology, tenant, device)
    const { seq } = await this.#log.publish(inputSubject(partition), encodeRejects({ tenant, counts: [[device, count]], samples }))
    await this.#hang(partition, { seq, tenant, rows: [], rejected: count, samples })
  }

  async #hang(partition: number, message: Omit<Message, 'timeMs'>): Promise<void> {
    const stored = await this.#log.at(inputStream(this.#topology, partition), message.seq)
    this.#waiting.set(partition, [...(this.#waiting.get(partition) ?? []), { ...message, timeMs: stored!.timeMs }])
  }

  /** Commits all that waits. */
  async commit(options: CommitOptions = {}): Promise<void> {
    const { fates = {}, windows = [], anomalies = [], forecasts = [], feedback = [], profiles = [], drivers = [], hours = [], alerts = [], rules = [], pending = 0, tenant = 'default', empty = [] } = options
    const touched = new Set([...empty, ...this.#waiting.keys(), ...[...windows, ...anomalies, ...forecasts, ...feedback, ...profiles, ...drivers, ...hours, ...alerts].map((w) => partitionFor(this.#topology, tenant, w.device))])
    for (const partition of touched) {
      const messages = this.#waiting.get(partition) ?? []
      this.#waiting.delete(partition)
      const builder = new EffectsBuilder()
      const seriesOf = (row: { device: string; metric: string }) => builder.addSeries({ tenant, device: row.device, metric: row.metric })
      const mine = (row: { device: string }) => partitionFor(this.#topology, tenant, row.device) === partition
      for (const window of windows.filter(mine)) builder.addWindow({ ...window, series: seriesOf(window) })
      for (const anomaly of anomalies.filter(mine)) builder.anomalies.push({ ...anomaly, series: seriesOf(anomaly) })
      for (const forecast of forecasts.filter(mine)) builder.forecasts.add({ ...forecast, series: seriesOf(forecast) })
      for (const answer of feedback.filter(mine)) builder.feedback.push({ ...answer, series: seriesOf(answer) })
      for (const profile of profiles.filter(mine)) builder.profiles.push({ ...profile, series: seriesOf(profile) })
      for (const driver of drivers.filter(mine)) builder.drivers.push({ ...driver, series: seriesOf(driver) })
      for (const hour of hours.filter(mine)) builder.hours.push({ ...hour, series: seriesOf(hour) })
      for (const alert of alerts.filter(mine)) builder.alerts.push({ ...alert, series: seriesOf(alert) })
      builder.rules.push(...rules)
      const covered: Committed['messages'] = []
      for (const message of messages) {
        const rowsOf = (values: number[] = []) => Uint32Array.from(message.rows.flatMap((row, i) => (values.includes(row.value) ? [i] : [])))
        const old = rowsOf(fates.old)
        const of = { seq: message.seq, duplicate: rowsOf(fates.duplicate), expired: rowsOf(fates.expired), old, closedUntil: new Float64Array(old.length) }
        const any = of.duplicate.length + of.expired.length + of.old.length > 0
        if (any) builder.fates.push(of)
        covered.push({ message, fates: any ? of : null })
      }
      const accepted = (this.#accepted.get(partition) ?? 0) + messages.reduce((sum, m) => sum + m.rows.length, 0)
      this.#accepted.set(partition, accepted)
      const info = await this.#log.info(inputStream(this.#topology, partition))
      const newest = messages.at(-1)
      const position = newest ? { created: info.created, seq: newest.seq, timeMs: newest.timeMs } : (this.#position.get(partition) ?? { created: info.created, seq: 0, timeMs: 0 })
      this.#position.set(partition, position)
      const header = { kind: 'commit' as const, partition, epoch: 1, owner: 'worker-1', nonce: 'n', position, snapshots: [], part: 0 }
      const { seq } = await this.#log.publish(resultsSubject(partition), encodeJournal(header, builder.encode({ accepted, pending, logTimeMs: systemClock.now() })))
      this.last.set(partition, seq)
      this.#committed.push({
        partition, tenant, seq, messages: covered, position, accepted, pending,
        windows: windows.filter(mine), anomalies: anomalies.filter(mine), forecasts: forecasts.filter(mine), feedback: feedback.filter(mine), profiles: profiles.filter(mine), drivers: drivers.filter(mine), alerts: alerts.filter(mine),
      })
    }
  }
}
