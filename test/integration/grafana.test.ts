/** Each query of the dashboard "Weir: field", sent to a running Weir as Grafana sends it: the answers must have the columns that it names, and rows. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, dashboard, hasJq } from '../support/grafana.ts'
import type { Frame, Grafana } from '../support/grafana.ts'
import { ADMIN_KEY, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'

const MINUTE = 60_000
const board = dashboard('weir-field')
if (!hasJq) console.log('There is no jq on this machine: of queries whose answers Grafana selects from by jq the rows are not looked at.')

let system: System
let grafana: Grafana
beforeAll(async () => {
  system = await startSystem({ flags: ['--lateness', '1s', '--idle', '2s'] })
  // Three hours of two metrics every half minute, with one leap that is an anomaly, and an hour of silence.
  const to = Math.floor(Date.now() / MINUTE) * MINUTE
  const from = to - 180 * MINUTE
  const readings = []
  for (let ts = from; ts < to; ts += MINUTE / 2) {
    const i = (ts - from) / (MINUTE / 2)
    if (i >= 120 && i < 240) continue
    const wave = Math.sin(i / 20) + 0.05 * Math.sin(i * 7)
    readings.push({ device: 'field-7/probe-2', ts, values: { soil_moisture: i === 330 ? 90 : 25 + wave, soil_temperature: 9 + wave } })
  }
  readings.push({ device: 'field 7', ts: to, values: { soil_moisture: 1, soil_temperature: 1 } })
  // In one body: a pause of two seconds within would let the watermark pass to the clock, and the rest would be late.
  const answer = await system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(readings) })
  expect(answer.status).toBe(202)
  await eventually('everything is settled', async () => (await system.get<{ settled: boolean }>('/v1/status')).settled)
  grafana = { url: system.url, bearerToken: ADMIN_KEY, from: from - MINUTE, to: Date.now() + MINUTE }
})
afterAll(() => system?.remove())

/** The variables as Grafana fills them when the dashboard opens: one after the other, each with its first option. */
async function variables(): Promise<Record<string, string>> {
  const values: Record<string, string> = { __interval: '1m', __interval_ms: String(MINUTE) }
  for (const { name, query, current } of board.templating.list) {
    if (typeof query === 'string') values[name] = current.value
    else {
      const { infinityQuery } = query
      values[name] = (await ask(grafana, infinityQuery, values))![infinityQuery.columns[0].text][0] as string
    }
  }
  return values
}

const lengths = (frame: Frame) => new Set(Object.values(frame).map((values) => values.length))

test('its variables are filled from what is there', async () => {
  expect(await variables()).toMatchObject({ device: 'field-7/probe-2', metric: 'soil_moisture', search: '' })
})

test('each panel gets every column that it names, with values in it, over the whole range of time', async () => {
  const values = await variables()
  for (const { title, targets } of board.panels) {
    for (const query of targets) {
      const frame = await ask(grafana, query, values)
      if (frame === null) continue
      expect([title, Object.keys(frame)]).toEqual([title, query.columns.map(({ text }) => text)])
      expect([title, lengths(frame).size]).toEqual([title, 1])
      for (const [column, list] of Object.entries(frame)) expect([title, column, list.some((value) => value !== null)]).toEqual([title, column, true])
      for (const time of (frame.time ?? []) as Date[]) {
        expect(time.getTime()).toBeGreaterThanOrEqual(grafana.from - MINUTE)
        expect(time.getTime()).toBeLessThanOrEqual(grafana.to)
      }
    }
  }
})

test('the anomaly is marked on the graph, at its time and with its reason', async () => {
  const [{ target, filter }] = board.annotations.list
  const { time, text } = (await ask(grafana, target, await variables()))!
  const leap = text.findIndex((reason) => /^90 is above the expected/.test(reason as string))
  expect((time[leap] as Date).getTime()).toBe(grafana.from + MINUTE + 330 * (MINUTE / 2))
  expect(board.panels.find(({ id }) => id === filter.ids[0])?.targets[0].url).toBe('/v1/graph')
})

test.skipIf(!hasJq)('the graph keeps the leap in its band, and breaks off where the device was silent', async () => {
  const { time, max, mean } = (await ask(grafana, board.panels.find(({ id }) => id === 2)!.targets[0], await variables()))!
  expect(Math.max(...(max as number[]))).toBe(90)
  const silent = grafana.from + MINUTE + 120 * (MINUTE / 2)
  const within = (time as Date[]).flatMap((at, i) => (at.getTime() > silent + MINUTE && at.getTime() < silent + 58 * MINUTE ? [mean[i]] : []))
  expect(within.filter((value) => value !== null)).toEqual([])
  const broken = mean.findIndex((value) => value === null)
  expect((time[broken] as Date).getTime() - silent).toBeLessThan(2 * MINUTE)
})
