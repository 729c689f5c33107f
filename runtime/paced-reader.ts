/**
 * A reader of the log that is read in stretches: up to a sequence, later up to the next one, and in the end whoever wants it gets the rest.
 *
 * Picture: a thumb on the line, so that nobody reads ahead. What came and lies beyond the stretch is held back for the next one.
 */

import type { LogMessage, LogReader } from './log.ts'

export class PacedReader implements LogReader {
  #reader: LogReader
  #iterator: AsyncIterator<LogMessage>
  #held: LogMessage | null = null
  #pending: Promise<IteratorResult<LogMessage>> | null = null

  constructor(reader: LogReader) {
    this.#reader = reader
    this.#iterator = reader[Symbol.asyncIterator]()
  }

  /**
   * Gives each message up to `seq` to `take`, in order; `last` is the sequence of the message before. Resolves once one of that sequence or a
   * later one has come; false where the reader was closed before.
   */
  async upTo(seq: number, last: number, take: (message: LogMessage) => Promise<void> | void): Promise<boolean> {
    for (let at = last; at < seq; ) {
      const { done, value } = await this.#next()
      if (done) return false
      if (value.seq > seq) {
        this.#held = value
        return true
      }
      await take(value)
      at = value.seq
    }
    // The next one is fetched beside whatever comes first.
    if (this.#held === null) this.#ask()
    return true
  }

  close(): Promise<void> {
    return this.#reader.close()
  }

  [Symbol.asyncIterator](): AsyncIterator<LogMessage> {
    return {
      next: () => (this.#held === null && this.#pending === null ? this.#iterator.next() : this.#next()),
      return: async () => {
        await this.close()
        return { done: true, value: undefined }
      },
    }
  }

  async #next(): Promise<IteratorResult<LogMessage>> {
    if (this.#held !== null) {
      const value = this.#held
      this.#held = null
      return { done: false, value }
    }
    const pending = this.#ask()
    this.#pending = null
    return pending
  }

  #ask(): Promise<IteratorResult<LogMessage>> {
    if (this.#pending === null) {
      this.#pending = this.#iterator.next()
      // Whoever asks for it gets the error.
      this.#pending.catch(() => {})
    }
    return this.#pending
  }
}
