/**
 * Server-Sent Events read with fetch, because EventSource can't send a key.
 *
 * Owns resuming (Last-Event-ID) and the pauses between attempts. What the events mean is the listener's.
 *
 * Invariants
 * - I1 An event is given once it is whole (its blank line has come), never a part of one.
 * - I2 After a broken connection the next request names the last event that was given, so that none between is lost.
 * - I3 A refused key ends the stream: asking again would not help.
 */

import { isRefusal } from './api.ts'
import type { Api, Parameters } from './api.ts'

export interface StreamEvent {
  /** Empty where the server only moved the id on. */
  readonly event: string
  readonly data: string
  readonly id: string | null
}

/**
 * `idle` not wanted, `connecting` first attempt, `live` open, `waiting` before the next attempt, or while an edge waits for a store, `refused` for
 * good.
 */
export type StreamState = 'idle' | 'connecting' | 'live' | 'waiting' | 'refused'

const PAUSE_MIN_MS = 500
const PAUSE_MAX_MS = 15_000
/** A stream silent for so long is taken for dead, since a server or a proxy says something more often. */
const SILENCE_MAX_MS = 60_000

/** The comment of an edge that keeps the stream while its store is gone; what comes next says that it goes on. */
const EDGE_WAITS = 'the store is gone'

/** A parser of the event stream format: feed it text as it comes, it gives back the events that became whole. */
export function createEventParser(onComment: (text: string) => void = () => {}): (text: string) => StreamEvent[] {
  let rest = ''
  let event = ''
  let data: string[] = []
  let id: string | null = null
  let given: string | null = null
  return (text) => {
    const events: StreamEvent[] = []
    rest += text
    // A carriage return at the very end may be half of a line's end: it waits for what follows.
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(rest)
      if (!end) return events
      const line = rest.slice(0, end.index)
      rest = rest.slice(end.index + end[0].length)
      if (line === '') {
        if (data.length > 0) events.push({ event: event || 'message', data: data.join('\n'), id })
        else if (id !== given) events.push({ event: '', data: '', id })
        given = id
        event = ''
        data = []
        continue
      }
      const colon = line.indexOf(':')
      if (colon === 0) {
        onComment(line.slice(1).trim())
        continue
      }
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'event') event = value
      else if (field === 'data') data.push(value)
      else if (field === 'id' && !value.includes('\0')) id = value
    }
  }
}

export interface StreamListener {
  onEvent(event: StreamEvent): void
  onState(state: StreamState): void
}

/** Follows `path` until the answer is called. */
export function follow(api: Api, path: string, parameters: Parameters, listener: StreamListener): () => void {
  const ended = new AbortController()
  let lastId: string | null = null

  const run = async () => {
    let pauseMs = PAUSE_MIN_MS
    listener.onState('connecting')
    while (!ended.signal.aborted) {
      try {
        await once(() => (pauseMs = PAUSE_MIN_MS))
      } catch (error) {
        if (ended.signal.aborted) return
        if (isRefusal(error)) {
          listener.onState('refused')
          return
        }
      }
      if (ended.signal.aborted) return
      listener.onState('waiting')
      await pause(pauseMs * (0.7 + 0.6 * Math.random()), ended.signal)
      pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)
    }
  }

  const once = async (onFirst: () => void) => {
    const attempt = new AbortController()
    const abort = () => attempt.abort()
    ended.signal.addEventListener('abort', abort)
    let silence = setTimeout(abort, SILENCE_MAX_MS)
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' }
      if (lastId !== null) headers['Last-Event-ID'] = lastId
      const response = await api.open(path, parameters, headers, attempt.signal)
      listener.onState('live')
      let waits = false
      const wait = (now: boolean) => {
        if (now !== waits) listener.onState(now ? 'waiting' : 'live')
        waits = now
      }
      const parse = createEventParser((comment) => wait(comment.startsWith(EDGE_WAITS)))
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        clearTimeout(silence)
        silence = setTimeout(abort, SILENCE_MAX_MS)
        for (const event of parse(value)) {
          onFirst()
          wait(false)
          if (event.id !== null) lastId = event.id
          if (event.event !== '') listener.onEvent(event)
        }
      }
    } finally {
      clearTimeout(silence)
      ended.signal.removeEventListener('abort', abort)
    }
  }

  void run()
  return () => {
    ended.abort()
    listener.onState('idle')
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}
