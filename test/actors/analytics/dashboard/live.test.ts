/** Server-Sent Events as the dashboard reads them: parsed whole, resumed without loss. */

import { describe, expect, test } from 'vitest'
import { ApiError, createApi } from '../../../../actors/analytics/dashboard/client/api.ts'
import { createEventParser, follow } from '../../../../actors/analytics/dashboard/client/live.ts'
import type { StreamEvent, StreamState } from '../../../../actors/analytics/dashboard/client/live.ts'

describe('the event stream', () => {
  const text = 'id: 7\r\nevent: reading\r\ndata: {"a":1}\r\n\r\n: still here\n\ndata: one\ndata: two\nid: 8\n\nevent: lost\ndata: half'

  test('gives the same whole events however it is cut', () => {
    const whole = createEventParser()(text)
    expect(whole).toEqual([
      { event: 'reading', data: '{"a":1}', id: '7' },
      { event: 'message', data: 'one\ntwo', id: '8' },
    ])
    for (let size = 1; size < 9; size++) {
      const parse = createEventParser()
      const events: StreamEvent[] = []
      for (let i = 0; i < text.length; i += size) events.push(...parse(text.slice(i, i + size)))
      expect(events).toEqual(whole)
    }
  })

  function listener() {
    const events: string[] = []
    const states: StreamState[] = []
    let refuse: () => void = () => {}
    const refused = new Promise<void>((resolve) => (refuse = resolve))
    const onState = (state: StreamState) => {
      states.push(state)
      if (state === 'refused') refuse()
    }
    return { events, states, refused, on: { onEvent: (e: StreamEvent) => events.push(e.data), onState } }
  }

  test('goes on after the last event that was given, and ends when the key is refused', async () => {
    const asked: (string | undefined)[] = []
    const api = { ...createApi(() => null, () => {}), open: async (_path: string, _parameters: unknown, headers: Record<string, string>) => {
      asked.push(headers['Last-Event-ID'])
      if (asked.length === 1) return new Response('id: 41\ndata: a\n\nid: 42\ndata: b\n\nid: 43\ndata: cut')
      throw new ApiError(401, 'gone')
    } }
    const seen = listener()
    follow(api, '/v1/live', {}, seen.on)
    await seen.refused
    expect(seen.events).toEqual(['a', 'b'])
    expect(asked).toEqual([undefined, '42'])
    expect(seen.states).toEqual(['connecting', 'live', 'waiting', 'refused'])
  })
})

test('a stream that its edge keeps while the store is gone is shown as waiting, and as live when it goes on', async () => {
  const text = 'id: 1\ndata: a\n\n: the store is gone; the stream waits for another\n\n: catching up with the log\n\nid: 2\ndata: b\n\n'
  const again = ': the store is gone; the stream waits for another\n\nid: 3\ndata: c\n\n'
  let asked = 0
  const api = { ...createApi(() => null, () => {}), open: async () => {
    if (asked++ > 0) throw new ApiError(401, 'gone')
    const pieces = [...text, again]
    return new Response(new ReadableStream({ pull: (c) => (pieces.length > 0 ? c.enqueue(new TextEncoder().encode(pieces.shift())) : c.close()) }))
  } }
  const events: string[] = []
  const states: StreamState[] = []
  await new Promise<void>((resolve) => {
    follow(api, '/v1/live', {}, { onEvent: ({ data }) => events.push(data), onState: (state) => (states.push(state), state === 'refused' && resolve()) })
  })
  expect(events).toEqual(['a', 'b', 'c'])
  expect(states).toEqual(['connecting', 'live', 'waiting', 'live', 'waiting', 'live', 'waiting', 'refused'])
})

test('an id without an event moves the place to resume from', () => {
  expect(createEventParser()('data: a\nid: 1\n\n: heartbeat\nid: 2\n\n: heartbeat\n\n')).toEqual([
    { event: 'message', data: 'a', id: '1' },
    { event: '', data: '', id: '2' },
  ])
})
