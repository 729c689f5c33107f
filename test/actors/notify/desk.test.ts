/** What is said when: groups, silence below a greater alert, reminders until somebody has answered, and the words. */

import { expect, it } from 'vitest'
import { Stage } from './stage.ts'

const MINUTE = 60_000

async function begin(route: object, labels: Record<string, Record<string, string>> = {}): Promise<{ stage: Stage; stop(): Promise<void> }> {
  const stage = await Stage.open()
  for (const [rule, of] of Object.entries(labels)) await stage.rule(rule, of, 'Soil too dry')
  await stage.route('phone', route)
  const { notifier } = await stage.notifier()
  return { stage, stop: () => notifier.stop() }
}
const titles = (stage: Stage) => stage.received.map(({ title }) => title)

it('tells together what belongs together, waits between two messages of a group, and never waits with what is critical', async () => {
  const { stage, stop } = await begin({ groupBy: ['place'], wait: '10s', interval: '5m' })
  await stage.commit({ device: 'f/1', event: 'opened' }, { device: 'g/1', event: 'opened' })
  await stage.clock.advance(5_000)
  await stage.commit({ device: 'f/2', event: 'opened' })
  await stage.clock.advance(4_000)
  expect(stage.received).toEqual([])
  await stage.clock.advance(1_100)
  expect(titles(stage)).toEqual(['2 alerts at f', 'Warning: dry, g/1'])
  expect(stage.received[0].text).toBe('M of f/1 opened.\nM of f/2 opened.')
  await stage.commit({ device: 'f/3', event: 'opened' })
  await stage.clock.advance(4 * MINUTE)
  expect(stage.received.length).toBe(2)
  await stage.commit({ device: 'f/4', event: 'opened', severity: 'critical' })
  await stage.clock.advance(100)
  // What waited goes with it.
  expect(titles(stage).slice(2)).toEqual(['2 alerts at f: 1 critical'])
  await stage.commit({ device: 'f/1', event: 'resolved' }, { device: 'f/2', event: 'resolved' })
  await stage.clock.advance(5 * MINUTE)
  expect(titles(stage).slice(3)).toEqual(['2 alerts at f: 2 all well again'])
  await stop()
})

it('does not tell of warnings where something critical is open at the same place, and tells of them when it is over, unless they have passed', async () => {
  const inhibit = [{ when: { severity: 'critical' }, silences: { severity: 'warning' }, equal: ['plot'] }]
  const { stage, stop } = await begin({ inhibit }, { dry: { plot: 'North' }, frost: { plot: 'North' }, pump: {} })
  await stage.commit({ device: 'a', event: 'opened', rule: 'frost', severity: 'critical' })
  await stage.clock.advance(100)
  await stage.commit({ device: 'b', event: 'opened' }, { device: 'c', event: 'opened' }, { device: 'd', event: 'opened', rule: 'pump' })
  await stage.clock.advance(100)
  // Without the label it is not the same plot.
  expect(stage.events).toEqual(['a opened 1', 'd opened 1'])
  await stage.commit({ device: 'b', event: 'resolved' })
  await stage.clock.advance(MINUTE)
  expect(stage.events.length).toBe(2)
  await stage.commit({ device: 'a', event: 'resolved', rule: 'frost', severity: 'critical' })
  await stage.clock.advance(100)
  expect(stage.events.slice(2)).toEqual(['a resolved 2', 'c opened 1'])
  await stage.commit({ device: 'c', event: 'resolved' })
  await stage.clock.advance(100)
  expect(stage.events.slice(4)).toEqual(['c resolved 2'])
  await stop()
})

it('does not silence what silences: two that are alike are both told', async () => {
  const { stage, stop } = await begin({ inhibit: [{ when: {}, silences: {}, equal: ['place'] }] })
  await stage.commit({ device: 'f/1', event: 'opened' }, { device: 'f/2', event: 'opened' })
  await stage.clock.advance(100)
  expect(stage.events).toEqual(['f/1 opened 1', 'f/2 opened 1'])
  await stop()
})

it('reminds of what is open until somebody has acknowledged it, each time under an id of its own', async () => {
  const { stage, stop } = await begin({ remind: '30m' })
  await stage.commit({ device: 'f/1', event: 'opened' })
  await stage.clock.advance(65 * MINUTE)
  expect(stage.received.map(({ type }) => type)).toEqual(['alert.opened', 'alert.reminder', 'alert.reminder'])
  expect(titles(stage)[2]).toBe('Still open: dry, f/1')
  expect(stage.received[2].text).toBe('Still open after 1 hour: M of f/1 opened.')
  expect(new Set(stage.received.map(({ id }) => id)).size).toBe(3)
  await stage.commit({ device: 'f/1', event: 'acknowledged', number: 2 })
  await stage.clock.advance(5 * 60 * MINUTE)
  expect(stage.received.length).toBe(3)
  // Who looks after a warning has not yet heard of what is critical.
  await stage.commit({ device: 'f/1', event: 'escalated', severity: 'critical', number: 3 })
  await stage.clock.advance(31 * MINUTE)
  expect(stage.received.slice(3).map(({ type }) => type)).toEqual(['alert.escalated', 'alert.reminder'])
  await stage.commit({ device: 'f/1', event: 'resolved', severity: 'critical', number: 4 })
  await stage.clock.advance(5 * 60 * MINUTE)
  expect(stage.received.slice(5).map(({ type }) => type)).toEqual(['alert.resolved'])
  await stop()
})

it('tells nothing of what is shelved until that is over or it grows worse', async () => {
  const { stage, stop } = await begin({ remind: '30m' })
  await stage.commit({ device: 'a', event: 'opened' }, { device: 'b', event: 'opened' })
  await stage.clock.advance(100)
  await stage.commit({ device: 'a', event: 'shelved' }, { device: 'b', event: 'shelved' })
  await stage.clock.advance(3 * 60 * MINUTE)
  // It passes, and comes back as the same one, still put aside.
  await stage.commit({ device: 'a', event: 'resolved', number: 3 }, { device: 'b', event: 'resolved', number: 3 })
  await stage.clock.advance(MINUTE)
  await stage.commit({ device: 'a', event: 'reopened', number: 4 }, { device: 'a', event: 'shelved', number: 5 }, { device: 'b', event: 'reopened', number: 4 }, { device: 'b', event: 'shelved', number: 5 })
  await stage.clock.advance(MINUTE)
  expect(stage.events).toEqual(['a opened 1', 'b opened 1'])
  await stage.commit({ device: 'a', event: 'unshelved', number: 6 })
  await stage.commit({ device: 'b', event: 'escalated', severity: 'critical', number: 6 })
  await stage.clock.advance(31 * MINUTE)
  expect(stage.events.slice(2)).toEqual(['a unshelved 6', 'b escalated 6'])
  expect(titles(stage).slice(2)).toEqual(['No longer put aside: dry, a', 'Critical: dry, b', 'Still open: dry, a', 'Still open: dry, b'])
  await stop()
})

it('tells each route what it is about: by severity, rule, device, label and event', async () => {
  const stage = await Stage.open()
  await stage.rule('dry', { crop: 'maize' })
  await stage.rule('wet', { crop: 'rye' })
  const routes = { critical: { match: { severity: 'critical' } }, wet: { match: { rule: ['wet', 'soaked'] } }, seven: { match: { prefix: 'field-7/' } }, maize: { match: { labels: { crop: 'maize' } } }, opened: { events: ['opened'] }, off: { enabled: false }, acks: { events: ['acknowledged'] } }
  for (const [id, route] of Object.entries(routes)) await stage.route(id, route)
  await stage.route('other', {}, 'other')
  const { notifier } = await stage.notifier()
  await stage.commit({ device: 'field-7/a', event: 'opened' }, { device: 'b', event: 'opened', rule: 'wet', severity: 'critical' })
  await stage.commit({ device: 'b', event: 'resolved', rule: 'wet', severity: 'critical' }, { device: 'field-7/a', event: 'acknowledged' })
  await stage.clock.advance(100)
  const of = (id: string) => stage.received.filter(({ route }) => route === id).map(({ data }) => `${data.alerts[0].device} ${data.alerts[0].event}`)
  expect(Object.fromEntries([...Object.keys(routes), 'other'].map((id) => [id, of(id)]))).toEqual({
    critical: ['b opened', 'b resolved'], wet: ['b opened', 'b resolved'], seven: ['field-7/a opened'], maize: ['field-7/a opened'],
    opened: ['field-7/a opened', 'b opened'], off: [], acks: ['field-7/a acknowledged'], other: [],
  })
  await notifier.stop()
})

it('speaks in the words of a template, which know the labels of the rule', async () => {
  const { stage, stop } = await begin({ title: '{place} needs you', message: '{labels.plot}: {metric} {value} since {since} ({severity}, {rule}, {count})' }, { dry: { plot: 'North' } })
  await stage.commit({ device: 'f/1', event: 'opened' })
  await stage.clock.advance(100)
  expect(stage.received[0]).toMatchObject({ title: 'f needs you', text: 'North: m 9.5 since 1 minute (warning, Soil too dry, 1)' })
  await stop()
})

it('forgets a route that is gone with what waited for it', async () => {
  const { stage, stop } = await begin({ wait: '1m' })
  await stage.commit({ device: 'f/1', event: 'opened' })
  await stage.clock.advance(100)
  await stage.route('phone', { enabled: false })
  await stage.clock.advance(100)
  await stage.route('phone', { wait: '1m' })
  await stage.clock.advance(5 * MINUTE)
  expect(stage.received).toEqual([])
  await stop()
})
