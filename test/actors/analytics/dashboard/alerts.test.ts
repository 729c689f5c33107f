/** Laws of alerts and rules as the dashboard tells of them: their order, their times, their words, their addresses. */

import { describe, expect, test, vi } from 'vitest'
import { fits, VERBS } from '../../../../actors/analytics/dashboard/client/alerts/answer-dialog.ts'
import { amiss, inOrder, isCritical, since, spansOf, toneOf } from '../../../../actors/analytics/dashboard/client/alerts/order.ts'
import * as alerts from '../../../../actors/analytics/dashboard/client/alerts/place.ts'
import { answerWords, headline, openWords, sinceWords } from '../../../../actors/analytics/dashboard/client/alerts/words.ts'
import { PAGES, pageAt, partOf } from '../../../../actors/analytics/dashboard/client/pages.ts'
import { conditionWords, devicesWords, durationWords, stepsWords } from '../../../../actors/analytics/dashboard/client/rules/words.ts'
import { createSoon } from '../../../../actors/analytics/dashboard/client/soon.ts'
import type { AlertRow } from '../../../../actors/analytics/dashboard/client/shapes.ts'

const NOW = Date.parse('2026-11-28T12:00:00Z')
const MINUTE = 60_000

/** An alert by its steps, each `event severity minutesAgo`. */
function alert(id: string, state: string, ...steps: string[]): AlertRow {
  const history = steps.map((step) => {
    const [event, severity, ago] = step.split(' ')
    return { event, severity, at: NOW - Number(ago) * MINUTE, value: 1, message: `${event} ${severity}.`, person: null }
  })
  return { id, rule: 'r', device: 'd', metric: 'm', state, opened_at: history[0].at, history, ...history.at(-1)! }
}

describe('alerts', () => {
  test('may be put aside while they are open, those of own actors as well', () => {
    const named = (of: object) => VERBS.filter((verb) => fits(verb, { ...alert('a', 'open', 'opened warning 5'), ...of })).map(({ name }) => name)
    expect(named({})).toEqual(['ack', 'shelve', 'resolve'])
    expect(named({ rule: 'advice-water', metric: 'advice' })).toEqual(['ack', 'shelve', 'resolve'])
    expect(named({ state: 'resolved' })).toEqual([])
  })

  test('are in order of who waits: not looked after first, then the more severe, then the newer; what is over by its time', () => {
    const all = [
      alert('over-old', 'resolved', 'opened critical 90', 'resolved critical 80'), alert('warn', 'open', 'opened warning 5'), alert('acked', 'acked', 'opened critical 20', 'acknowledged critical 10'),
      alert('over-new', 'resolved', 'opened info 9', 'resolved info 8'), alert('crit-old', 'open', 'opened critical 30'), alert('own-word', 'open', 'opened Frost 7'), alert('crit-new', 'open', 'opened critical 3'),
    ]
    expect(inOrder(all).map(({ id }) => id)).toEqual(['crit-new', 'crit-old', 'warn', 'own-word', 'acked', 'over-new', 'over-old'])
    expect(['critical', 'CRITICAL', 'emergency', 'error', 'warning', 'frost', 'info'].map(toneOf)).toEqual(['bad', 'bad', 'bad', 'bad', 'warn', 'warn', 'info'])
    expect(all.filter(isCritical).map(({ id }) => id)).toEqual(['over-old', 'acked', 'crit-old', 'crit-new'])
  })

  test('were open from each opening to its end, and are to now where they still are', () => {
    const back = alert('a', 'acked', 'opened warning 60', 'escalated critical 50', 'resolved critical 40', 'reopened warning 20', 'acknowledged warning 10')
    const at = (from: number, to: number) => ({ from: NOW - from * MINUTE, to: NOW - to * MINUTE })
    expect(spansOf(back, NOW)).toEqual([at(60, 40), at(20, 0)])
    expect(spansOf(alert('b', 'resolved', 'opened warning 9', 'resolved warning 7'), NOW)).toEqual([at(9, 7)])
    // A browser's clock that is behind makes no span that ends before it begins.
    expect(spansOf(alert('c', 'open', 'opened warning -5'), NOW)).toEqual([at(-5, -5)])
    expect([since(back), amiss(back).event]).toEqual([NOW - 20 * MINUTE, 'reopened'])
  })

  test('are told in words: how many wait, since when, and what somebody did', () => {
    const critical = alert('a', 'open', 'opened critical 5')
    const warning = alert('b', 'open', 'opened warning 5')
    const acked = alert('c', 'acked', 'opened warning 30', 'acknowledged warning 12', 'flapping warning 4')
    expect([headline([]), headline([acked]), headline([critical, acked])]).toEqual(['Nothing is amiss.', 'Nothing new; 1 is looked after.', '1 critical alert is open; 1 is looked after.'])
    const aside = alert('e', 'shelved', 'opened critical 30', 'shelved critical 20')
    expect([headline([aside]), headline([critical, acked, aside]), answerWords(aside, NOW)]).toEqual(['Nothing new; 1 is put aside.', '1 critical alert is open; 1 is looked after; 1 is put aside.', 'shelved critical, 20 min ago'])
    // Taken up again by time alone, it says anew what is amiss; by a person it does not.
    const again = alert('f', 'open', 'opened critical 30', 'shelved critical 20', 'unshelved critical 2')
    const byHand = { ...again, history: again.history.map((step) => ({ ...step, person: 'somebody' })) }
    expect([amiss(again).event, amiss(byHand).event]).toEqual(['unshelved', 'opened'])
    expect([openWords([warning]), openWords([critical, warning]), openWords([critical, critical, warning, warning])]).toEqual(['1 alert is open', '1 critical alert and 1 other are open', '2 critical alerts and 2 others are open'])
    expect(answerWords(acked, NOW)).toBe('acknowledged warning, 12 min ago')
    expect([answerWords(critical, NOW), answerWords(alert('d', 'resolved', 'opened x 9', 'resolved x 2'), NOW)]).toEqual(['', 'resolved x.'])
    expect(sinceWords(critical, NOW)).toMatch(/^Since \d\d:\d\d:\d\d, 5 min ago$/)
    expect(sinceWords(alert('d', 'resolved', 'opened x 9', 'resolved x 2'), NOW)).toMatch(/, for 7 min$/)
  })

  test('have an address that holds all that was chosen, and gives it back', () => {
    const query = (address: string) => new URL(address, 'http://weir').searchParams
    const place = { show: 'all', severity: 'critical', prefix: 'field-7/', rule: 'dry-soil', id: 'dry-soil.0ib.mx0' } as const
    expect(alerts.readPlace(query(alerts.placeAddress(place)))).toEqual(place)
    expect(alerts.placeAddress({ show: 'open', severity: '', prefix: '', rule: '', id: '' })).toBe('/alerts')
    expect(alerts.readPlace(query('/alerts?state=nonsense')).show).toBe('open')
  })
})

test('a page that belongs to another one stands beside it, and leads by itself to the same part', () => {
  const units = pageAt('/units')!
  expect(partOf(units).map(({ name }) => name)).toEqual(['system', 'units'])
  expect(partOf(pageAt('/system')!)).toEqual(partOf(units))
  expect(partOf(pageAt('/rules')!).map(({ name }) => name)).toEqual(['alerts', 'rules'])
  expect(partOf(pageAt('/plots')!).map(({ name }) => name)).toEqual(['fleet', 'plots'])
  expect(partOf(pageAt('/explore')!)).toEqual([])
  for (const { under } of PAGES) expect(under === undefined || PAGES.some(({ name, listed }) => name === under && listed)).toBe(true)
})

describe('a rule in words', () => {
  const units = { label: (metric: string) => metric.toUpperCase(), symbol: (metric: string) => (metric === 'soil' ? '%' : '') }
  const words = (condition: unknown) => conditionWords(condition, 'soil', units).replaceAll('\u00a0', ' ')

  test('names each kind of condition, and those of another metric by its name', () => {
    expect([
      { below: 14, clear: 16 }, { above: 30.25 }, { rises: 5, within: '1h30m' }, { falls: 2, within: '10m' }, { anomaly: 0.9 }, { anomaly: 0 }, { silent: 'learned' }, { silent: '20m' },
      { deviates: '20%', from: '1d', side: 'below' }, { deviates: 3 }, { forecast: { below: 12 }, within: '6h' }, { forecast: { above: 30, }, within: '1d', metric: 'air' },
      { all: [{ below: 14 }, { above: 30, metric: 'air' }] }, { any: [{ below: 14 }, { not: { silent: '1h' } }] },
    ].map(words)).toEqual([
      'below 14 %', 'above 30.25 %', 'rising by 5 % within 1 h 30 min', 'falling by 2 % within 10 min', 'unusual (score 0.9 and above)', 'unusual', 'silent for three of its usual gaps', 'silent for 20 min',
      '20% below the mean of the last day', '3 % away from the mean of the last hour', 'expected below 12 % within 6 h', 'its air expected above 30 within 1 d',
      'below 14 % and its air above 30', 'below 14 % or not (silent for 1 h)',
    ])
  })

  test('says nothing of what is none, whatever was typed', () => {
    for (const condition of [null, undefined, 7, 'x', [], {}, { all: 7 }, { forecast: null }, { all: [null, {}] }]) expect(words(condition)).toBe('')
    expect([durationWords(7), durationWords('soon'), durationWords('1d')]).toEqual(['', 'soon', '1 d'])
  })

  test('has its devices, and each step with how long it must hold', () => {
    expect([{ device: 'a' }, { devices: ['a', 'b'] }, { devices: ['a', 'b', 'c', 'd'] }, { prefix: 'field-7/' }, {}].map(devicesWords)).toEqual(['a', 'a, b', 'a, b and 2 more', 'field-7/…', 'all devices'])
    const rule = { select: { metric: 'soil' }, when: { below: 14 }, for: '10m', steps: [{ severity: 'critical', when: { below: 10 } }] }
    expect(stepsWords(rule, units).map((step) => step.replaceAll('\u00a0', ' '))).toEqual(['below 14 % for 10 min: warning', 'below 10 %: critical'])
  })
})

test('what happens again and again is asked about once a pause, and a slow answer is waited for, then asked for once more', async () => {
  vi.useFakeTimers()
  try {
    let asked = 0
    let answer: () => void = () => {}
    const soon = createSoon(() => {
      asked++
      return new Promise((resolve) => (answer = resolve))
    }, 250)
    for (let ms = 0; ms < 2_000; ms += 50) {
      soon.ask()
      await vi.advanceTimersByTimeAsync(50)
    }
    expect(asked).toBe(1)
    answer()
    await vi.advanceTimersByTimeAsync(250)
    expect(asked).toBe(2)
    answer()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(asked).toBe(2)
    soon.ask()
    soon.stop()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(asked).toBe(2)
  } finally {
    vi.useRealTimers()
  }
})
