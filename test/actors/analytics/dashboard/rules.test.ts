/** Laws of the page of rules: a form and its document say the same, places in a document are found, a trial is drawn as it was told. */

import { describe, expect, test } from 'vitest'
import { BEGIN, EMPTY, KINDS, documentOf, fieldAt, formOf, idOf } from '../../../../actors/analytics/dashboard/client/rules/form.ts'
import type { Form } from '../../../../actors/analytics/dashboard/client/rules/form.ts'
import { raisedBy } from '../../../../actors/analytics/dashboard/client/rules/list.ts'
import { SyntaxPlace, lineOf, locate, placesOf } from '../../../../actors/analytics/dashboard/client/rules/locate.ts'
import { placeAddress, readPlace } from '../../../../actors/analytics/dashboard/client/rules/place.ts'
import { matchWords, statusWords, targetWords } from '../../../../actors/analytics/dashboard/client/rules/route-words.ts'
import { barsOf, trialWords } from '../../../../actors/analytics/dashboard/client/rules/trial.ts'
import type { Trial, TrialEvent } from '../../../../actors/analytics/dashboard/client/rules/trial.ts'
import type { AlertRow } from '../../../../actors/analytics/dashboard/client/shapes.ts'
import { parseRule, RuleError } from '../../../../actors/alert/document.ts'

describe('the form of a rule', () => {
  /** Every kind with every choice that it has. */
  const forms: Form[] = KINDS.flatMap(({ value: kind }) =>
    (['down', 'up'] as const).flatMap((side) =>
      (['all', 'prefix', 'device'] as const).flatMap((which) =>
        ['', 'more'].map((worse): Form => ({
          ...EMPTY, ...BEGIN[kind], kind, which, name: worse && 'A name', metric: 'soil_moisture', device: which === 'all' ? '' : 'field-7/', side: kind === 'silence' ? 'down' : side,
          limit: kind === 'silence' ? (worse && '1h') : '14.5', clear: kind === 'threshold' && worse ? (side === 'down' ? '16' : '12') : '', severity: worse ? 'info' : 'warning',
          worse: worse && (kind === 'silence' ? '2h' : '20'), worseSeverity: worse ? 'emergency' : 'critical',
        })))))

  test('makes a document that the server takes, and is made again of it', () => {
    expect(forms.length).toBe(60)
    for (const form of forms) {
      const document = documentOf(form)
      expect(parseRule(document).rule.levels.length, JSON.stringify(document)).toBe(form.worse === '' ? 1 : 2)
      expect(formOf(JSON.parse(JSON.stringify(document)))).toEqual(form)
    }
  })

  test('leaves alone what it does not ask for', () => {
    const more = { message: '{device} is dry', labels: { crop: 'maize' }, schedule: { zone: 'Europe/Vienna' }, enabled: false, reopen: '2h' }
    for (const form of forms) expect(documentOf(form, { ...documentOf(forms[0]), ...more })).toEqual({ ...documentOf(form), ...more })
  })

  test('is none of a document that says more', () => {
    const whole = documentOf(forms[1])
    const steps = whole.steps as { severity: string; when: object }[]
    const others: unknown[] = [
      null, 7, [], {}, { ...whole, when: { all: [{ below: 1 }] } }, { ...whole, when: { below: 1, metric: 'ec' } }, { ...whole, when: { anomaly: 0.9 } }, { ...whole, when: {} }, { ...whole, when: { below: [1] } },
      { ...whole, select: { metric: 'ec', devices: ['a'] } }, { ...whole, select: { metric: 'ec', device: 'a', prefix: 'b' } }, { ...whole, steps: [...steps, ...steps] }, { ...whole, steps: [{ ...steps[0], for: '5m' }] },
      { ...whole, steps: [{ ...steps[0], when: { above: 1 } }] }, { ...whole, steps: [{ ...steps[0], when: { below: 1, clear: 2 } }] }, { ...whole, name: { de: 'trocken' } },
    ]
    for (const document of others) expect(formOf(document), JSON.stringify(document)).toBe(null)
  })

  test('has a field for each place that the server points at in what it wrote', () => {
    const pointerOf = (form: Form) => {
      try {
        parseRule(documentOf(form))
      } catch (error) {
        return (error as RuleError).pointer
      }
      throw new Error('nothing is wrong with it')
    }
    const wrong: [Partial<Form>, keyof Form][] = [
      [{ metric: 'no good' }, 'metric'], [{ which: 'device', device: '' }, 'device'], [{ limit: 'dry' }, 'limit'], [{ clear: '-1' }, 'clear'], [{ hold: 'soon' }, 'hold'], [{ severity: 'very bad' }, 'severity'],
      [{ worse: 'x' }, 'worse'], [{ worse: '1', worseSeverity: '' }, 'worseSeverity'], [{ kind: 'rate', within: 'x' }, 'within'], [{ kind: 'forecast', limit: 'x', within: '6h' }, 'limit'], [{ kind: 'silence', limit: 'x' }, 'limit'],
    ]
    for (const [part, field] of wrong) expect(fieldAt(pointerOf({ ...EMPTY, metric: 'ec', limit: '5', ...part })), JSON.stringify(part)).toBe(field)
    expect(fieldAt('/schedule/zone')).toBe(null)
  })

  test('proposes a short name that an address can hold', () => {
    expect(['Soil too dry!', '  Zu trocken: Böden ', '漢字', '9 °C'].map(idOf)).toEqual(['soil-too-dry', 'zu-trocken-boden', '', '9-c'])
  })
})

describe('a place in a document', () => {
  const document = { a: { 'b/c': [1, -2.5e3, { '~x': 'é"\\' }], '': [] }, 'd"': null, e: [true, [], {}], u: '\u2028' }

  test('is where the value of each pointer stands, however it is laid out', () => {
    for (const indent of [undefined, 2, '\t']) {
      const text = ` ${JSON.stringify(document, null, indent)}\n`
      const places = placesOf(text)
      expect([...places.keys()].sort()).toEqual(['', '/a', '/a/', '/a/b~1c', '/a/b~1c/0', '/a/b~1c/1', '/a/b~1c/2', '/a/b~1c/2/~0x', '/d"', '/e', '/e/0', '/e/1', '/e/2', '/u'])
      for (const [pointer, { from, to }] of places) {
        const value = pointer.split('/').slice(1).reduce((of: unknown, name) => (of as Record<string, unknown>)[name.replaceAll('~1', '/').replaceAll('~0', '~')], document)
        expect([pointer, JSON.parse(text.slice(from, to))]).toEqual([pointer, value])
      }
    }
  })

  test('of what is missing is that of the innermost part around it', () => {
    const text = '{"when": {"rises": 5}}'
    expect(locate(text, '/when/within')).toEqual(locate(text, '/when'))
    expect([locate(text, '/select/metric'), locate(text, '/when/rises')]).toEqual([{ from: 0, to: 22 }, { from: 19, to: 20 }])
  })

  test('is where a text stops being JSON, and there is one exactly where the browser finds none', () => {
    const whole = JSON.stringify(document, null, 1)
    const texts = [whole, '', ' ', '{', '[1,]', '{"a":1,}', '01', '1 2', '"\n"', 'nul', "{'a':1}", '{"a" 1}', ...Array.from(whole, (_, i) => whole.slice(0, i) + whole.slice(i + 1)), ...Array.from(whole, (_, i) => `${whole.slice(0, i)},${whole.slice(i)}`)]
    for (const text of texts) {
      let isJson = true
      try {
        JSON.parse(text)
      } catch {
        isJson = false
      }
      if (isJson) expect(() => placesOf(text), text).not.toThrow()
      else expect(() => placesOf(text), text).toThrow(SyntaxPlace)
    }
    expect([lineOf('a\nbc\nd', 0), lineOf('a\nbc\nd', 3), lineOf('a\nbc\nd', 5)]).toEqual([{ line: 1, column: 1 }, { line: 2, column: 2 }, { line: 3, column: 1 }])
  })
})

describe('a trial', () => {
  const step = (device: string, alert: number, event: string, severity: string, at: number): TrialEvent => ({ device, metric: 'm', alert, event, severity, at, value: 1, message: '' })
  const events = [step('a', 1, 'opened', 'warning', 10), step('b', 1, 'opened', 'info', 15), step('a', 1, 'escalated', 'critical', 20), step('a', 1, 'flapping', 'critical', 25), step('a', 1, 'resolved', 'critical', 30), step('a', 2, 'opened', 'warning', 80)]
  const trial: Trial = { from: 0, to: 100, alerts: 3, series: 2, readings: 1_234, known: 0, met: 0, events, truncated: false }

  test('is drawn as bars from opening to end, one a severity; what is open lasts to the end', () => {
    expect(barsOf(trial)).toEqual([
      { device: 'a', bars: [{ from: 10, to: 20, severity: 'warning' }, { from: 20, to: 30, severity: 'critical' }, { from: 80, to: 100, severity: 'warning' }] },
      { device: 'b', bars: [{ from: 15, to: 100, severity: 'info' }] },
    ])
  })

  test('is told in a sentence: how many alerts, how severe at worst, of what, and what the rule raised in truth', () => {
    expect(trialWords(trial, '7 days')).toMatch(/^In 7 days it would have raised 3 alerts on 2 devices: 1 critical, 1 warning, 1 info \(1.234 readings of 2 series\)\.$/)
    expect(trialWords({ ...trial, known: 2, met: 1 }, '7 days')).toMatch(/The rule as it was raised 2; 1 of these here is of the same time and device\.$/)
    expect(trialWords({ ...trial, alerts: 0, events: [], known: 1, readings: 1 }, '1 day')).toBe('In 1 day it would have raised nothing (1 reading of 2 series). The rule as it was raised 1.')
    expect(trialWords({ ...trial, series: 0, alerts: 0, events: [] }, '1 day')).toMatch(/^No series/)
  })
})

test('a rule is known by what it raised: what is open, and when it last said that something is amiss', () => {
  const alert = (rule: string, id: string, state: string, ...at: number[]): AlertRow => {
    const history = at.map((ms, i) => ({ event: i === 0 ? 'opened' : state === 'resolved' && i === at.length - 1 ? 'resolved' : 'escalated', severity: i === 0 ? 'warning' : 'critical', at: ms, value: null, message: '', person: null }))
    return { id, rule, device: 'd', metric: 'm', state, opened_at: at[0], history, ...history.at(-1)! }
  }
  const raised = raisedBy([alert('a', '1', 'resolved', 10, 90), alert('a', '2', 'open', 20, 40), alert('b', '3', 'resolved', 5, 6)])
  expect([raised.get('a')!.open.map(({ id }) => id), raised.get('a')!.last, raised.get('b')!.open, raised.get('b')!.last, raised.has('c')]).toEqual([['2'], 40, [], 5, false])
})

test('the address of a rule holds which one it is, what a new one begins with, and how far back it was tried', () => {
  const query = (address: string) => new URL(address, 'http://weir').searchParams
  for (const place of [{ id: 'dry-soil', begin: null, tried: '7d' }, { id: '', begin: 'forecast', tried: null }, { id: '', begin: null, tried: null }] as const) expect(readPlace(query(placeAddress(place)))).toEqual(place)
  expect(placeAddress({ id: '', begin: null, tried: null })).toBe('/rules')
  expect(readPlace(query('/rules?id=a&new=rate&try=9y'))).toEqual({ id: 'a', begin: null, tried: null })
})

test('a route is told in words: which alerts, where they go without the secret part of an address, and what fails before what went well', () => {
  expect([undefined, {}, { severity: ['critical', 'warning'], prefix: 'field-7/' }, { rule: 'dry-soil', metric: 'ec', labels: { crop: 'maize' } }].map((match) => matchWords(match))).toEqual([
    'All alerts', 'All alerts', 'Alerts that are critical or warning, of field-7/…', 'Alerts of the rule dry-soil, of ec, with crop maize',
  ])
  expect([{ webhook: { url: 'https://hooks.example.org/very/secret?token=1' } }, { webhook: { url: '…' } }, { email: { to: ['a@example.org', 'b@example.org'] } }, { nats: {} }, {}].map(targetWords)).toEqual([
    'to hooks.example.org', 'to a webhook', 'by e-mail to a@example.org, b@example.org', 'to a subject of NATS', 'nowhere',
  ])
  const now = Date.parse('2026-11-28T12:00:00Z')
  const status = { sent: 0, waiting: 0, given_up: 0, last_sent_at: null, failing: false, failing_since: null, last_error: null }
  expect([
    status, { ...status, sent: 3, last_sent_at: '2026-11-28T11:55:00Z', waiting: 1 }, { ...status, sent: 3, failing: true, failing_since: '2026-11-28T11:00:00Z', last_error: 'HTTP 500', waiting: 2, given_up: 1 },
  ].map((of) => statusWords(of, now))).toEqual(['Nothing was sent yet', '3 sent, the last 5 min ago, 1 waits', 'Fails, first 1 h ago: HTTP 500, 2 wait, 1 given up'])
})
