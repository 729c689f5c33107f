/** A stream of the log in memory: its messages by sequence and by subject, and those who wait for more. */

import type { LogMessage, StreamInfo, StreamOptions } from './log.ts'

export interface MemoryStream {
  readonly options: StreamOptions
  readonly created: string
  messages: LogMessage[]
  bySubject: Map<string, LogMessage[]>
  lastSeq: number
  bytes: number
}

/** Wakes all that wait. */
export class Signal {
  #waiting: (() => void)[] = []

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  fire(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

export function append(stream: MemoryStream, message: LogMessage): void {
  stream.messages.push(message)
  let ofSubject = stream.bySubject.get(message.subject)
  if (!ofSubject) stream.bySubject.set(message.subject, (ofSubject = []))
  ofSubject.push(message)
  stream.lastSeq = message.seq
  stream.bytes += message.data.byteLength
}

export function infoOf(stream: MemoryStream): StreamInfo {
  return {
    name: stream.options.name,
    created: stream.created,
    firstSeq: stream.messages[0]?.seq ?? (stream.lastSeq === 0 ? 0 : stream.lastSeq + 1),
    lastSeq: stream.lastSeq,
    bytes: stream.bytes,
    messages: stream.messages.length,
    ...(stream.options.replicas > 1 ? { replicas: stream.options.replicas } : {}),
  }
}

/** Index of the first message whose sequence is at least `seq`. */
export function firstAtOrAfter(messages: readonly LogMessage[], seq: number): number {
  let low = 0
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (messages[middle].seq < seq) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether `subject` falls under `pattern`: `*` stands for one token, a final `>` for one or more. */
export function subjectMatches(pattern: string, subject: string): boolean {
  if (pattern === subject) return true
  const wanted = pattern.split('.')
  const given = subject.split('.')
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return given.length > i
    if (given[i] === undefined || (wanted[i] !== '*' && wanted[i] !== given[i])) return false
  }
  return wanted.length === given.length
}
