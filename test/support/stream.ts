/** A disordered, doubled, late stream of readings, and the account of what became of it, to hold against a lake. */

import { withLake } from './law.ts'
import { seeded } from './random.ts'

export interface Sent {
  device: string
  metric: string
  ts: number
  value: number
}

/**
 * Batches without end: each device once in 10 s of event time from `startMs` on; 30 % out of order, 5 % twice, 2 % up to two hours late.
 */
export function* disorderedStream(options: { seed: number; devices: number; batch: number; startMs: number }): Generator<Sent[], never> {
  const { seed, devices, batch, startMs } = options
  const random = seeded(seed)
  let events: { at: number; reading: Sent }[] = []
  let ready: Sent[] = []
  for (let step = 0; ; step++) {
    for (let d = 0; d < devices; d++) {
      const ts = startMs + step * 10_000 + d * 7
      const value = Math.round((20 + 5 * Math.sin(step / 300 + d) + random() * 2) * 100) / 100
      const reading = { device: `field-${d % 8}/probe-${d}`, metric: 'soil_moisture', ts, value }
      const delayMs = random() < 0.02 ? 2 * 3_600_000 * random() : random() < 0.3 ? 40_000 * random() : 0
      events.push({ at: ts + delayMs, reading })
      if (random() < 0.05) events.push({ at: ts + delayMs + 120_000 * random(), reading })
    }
    if (step % 20 !== 19) continue
    const until = startMs + step * 10_000
    ready.push(...events.filter((e) => e.at <= until).sort((a, b) => a.at - b.at).map((e) => e.reading))
    events = events.filter((e) => e.at > until)
    for (; ready.length >= batch; ready = ready.slice(batch)) yield ready.slice(0, batch)
  }
}

const keyOf = (r: Sent) => `${r.device}|${r.metric}|${r.ts}|${r.value}`

/** What was acknowledged, and what was sent and never answered, which may be there once or not at all. */
export class Account {
  readonly must = new Set<string>()
  readonly may = new Set<string>()
  /** Readings acknowledged, duplicates among them. */
  acknowledged = 0

  acknowledge(batch: readonly Sent[]): void {
    for (const reading of batch) this.must.add(keyOf(reading))
    this.acknowledged += batch.length
  }

  giveUp(batch: readonly Sent[]): void {
    for (const reading of batch) this.may.add(keyOf(reading))
  }

  /** How a lake differs from the account: all three are 0 where it is right. */
  async against(dataDir: string): Promise<{ doubled: number; strangers: number; missing: number }> {
    const rows = await withLake(dataDir, (query) => query('SELECT device, metric, epoch_ms(ts) AS ts, value FROM readings'))
    const found = new Set<string>()
    let doubled = 0
    let strangers = 0
    for (const { device, metric, ts, value } of rows) {
      const key = keyOf({ device: device as string, metric: metric as string, ts: Number(ts), value: value as number })
      if (found.has(key)) doubled++
      found.add(key)
      if (!this.must.has(key) && !this.may.has(key)) strangers++
    }
    return { doubled, strangers, missing: [...this.must].filter((key) => !found.has(key)).length }
  }
}
