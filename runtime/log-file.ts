/**
 * A log file of bounded size: at its bound it is put aside as `<path>.1`, what was `.1` becomes `.2`, and the oldest goes.
 *
 * A disk that is full must not stop who writes the log: what can't be written is dropped and counted, and the count is the first
 * line that fits again.
 */

import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { LOG_FILE_BYTES_MAX, LOG_FILES_KEPT } from './limits.ts'

export class LogFile {
  readonly path: string
  #bytesMax: number
  #kept: number
  #file: number | null = null
  #bytes = 0
  #dropped = 0

  constructor(path: string, { bytesMax = LOG_FILE_BYTES_MAX, kept = LOG_FILES_KEPT }: { bytesMax?: number; kept?: number } = {}) {
    this.path = path
    this.#bytesMax = bytesMax
    this.#kept = kept
  }

  /** Appends a line; its end is added. Never throws. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line) + 1
    try {
      if (this.#file !== null && this.#bytes + bytes > this.#bytesMax) this.#rotate()
      if (this.#file === null) this.#open()
      if (this.#dropped > 0) {
        this.#append(`${this.#dropped} lines are missing here: the file could not be written`)
        this.#dropped = 0
      }
      this.#append(line)
    } catch {
      this.#dropped++
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  #append(line: string): void {
    this.#bytes += writeSync(this.#file!, `${line}\n`)
  }

  #open(): void {
    this.#file = openSync(this.path, 'a', 0o640)
    this.#bytes = fstatSync(this.#file).size
    if (this.#bytes >= this.#bytesMax) {
      this.#rotate()
      this.#file = openSync(this.path, 'a', 0o640)
      this.#bytes = 0
    }
  }

  #rotate(): void {
    this.close()
    rmSync(`${this.path}.${this.#kept}`, { force: true })
    for (let age = this.#kept - 1; age >= 0; age--) {
      try {
        renameSync(age === 0 ? this.path : `${this.path}.${age}`, `${this.path}.${age + 1}`)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
  }
}
