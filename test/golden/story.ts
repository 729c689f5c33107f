/**
 * What a partition commits of the recorded log, as one story with one hash. Run as a program, it tells the hash: on any engine the same.
 */

import { createHash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { partitionActor } from '../../actors/partition/actor.ts'
import type { PartitionState } from '../../actors/partition/actor.ts'
import { decodeEffects } from '../../actors/partition/effects.ts'
import { rowsOf } from '../../actors/partition/forecasts.ts'
import type { InputMessage } from '../../runtime/actor.ts'
import { nameOf } from '../actors/partition/harness.ts'
import { goldenLog } from './partition-log.ts'

/** Everything that was committed, in order. */
export class Story {
  windows: string[] = []
  anomalies: string[] = []
  forecasts: string[] = []
  feedback: string[] = []
  profiles: string[] = []
  drivers: string[] = []
  hours: string[] = []
  alerts: string[] = []
  rules: string[] = []
  fates: string[] = []
  end = ''

  add(payload: Uint8Array): void {
    const { series, windows, anomalies, forecasts, feedback, profiles, drivers, hours, alerts, rules, fates, accepted, pending, logTimeMs } = decodeEffects(payload)
    for (const w of windows) this.windows.push(JSON.stringify({ ...w, series: nameOf(series[w.series]) }))
    for (const a of anomalies) this.anomalies.push(JSON.stringify({ ...a, series: nameOf(series[a.series]) }))
    for (const f of forecasts) this.forecasts.push(JSON.stringify([nameOf(series[f.series]), ...rowsOf(f)]))
    for (const f of feedback) this.feedback.push(JSON.stringify({ ...f, series: nameOf(series[f.series]) }))
    for (const p of profiles) this.profiles.push(JSON.stringify({ ...p, course: [...p.course], ...(p.traits === undefined ? {} : { traits: [...p.traits] }), series: nameOf(series[p.series]) }))
    for (const d of drivers) this.drivers.push(JSON.stringify({ ...d, series: nameOf(series[d.series]) }))
    for (const h of hours) this.hours.push(JSON.stringify({ ...h, series: nameOf(series[h.series]) }))
    for (const a of alerts) this.alerts.push(JSON.stringify({ ...a, series: nameOf(series[a.series]) }))
    for (const r of rules) this.rules.push(JSON.stringify(r))
    for (const f of fates) this.fates.push(JSON.stringify([f.seq, [...f.duplicate], [...f.expired], [...f.old], [...f.closedUntil]]))
    this.end = JSON.stringify({ accepted, pending, logTimeMs })
  }

  hash(): string {
    const lines = [...this.windows, ...this.anomalies, ...this.forecasts, ...this.feedback, ...this.profiles, ...this.drivers, ...this.hours, ...this.alerts, ...this.rules, ...this.fates, this.end]
    return createHash('sha256').update(lines.join('\n')).digest('hex')
  }
}

/** Steps through messages, committing after every `every`; answers with the state. */
export function drive(state: PartitionState, messages: readonly InputMessage[], every: number, story: Story): PartitionState {
  for (let from = 0; from < messages.length; from += every) {
    const effects = partitionActor.effects()
    for (const m of messages.slice(from, from + every)) partitionActor.step(state, m, effects)
    story.add(partitionActor.encode(effects, state))
  }
  return state
}

export function straight(messages: readonly InputMessage[]): Story {
  const story = new Story()
  drive(partitionActor.create(), messages, 13, story)
  return story
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(straight(goldenLog()).hash())
