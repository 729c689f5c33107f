/**
 * The author's code in a process of its own: started without rights, asked, watched, killed, started again.
 *
 * On Deno (`deno run` without a single permission; the binary comes with Weir, also where the worker runs on Node) the code reaches neither files nor network nor
 * environment nor processes. Where there is no Deno it runs on Node under its permission model, which refuses files, processes and addons, and not the network:
 * run code of strangers on Deno alone (`--sandbox deno`).
 *
 * - N1 A step has a budget of CPU time, and a longer one of time; a process beyond either, or beyond its memory, is killed. It is started again, with
 *   pauses, and asked once more: only code that fails `TRIES` times at one message is stopped, since a busy machine is nobody's fault.
 * - N2 Nothing that the process says is believed: an answer is looked at part by part, and a line is bounded.
 * - N3 The process dies with its worker, as its standard input ends then.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../runtime/clock.ts'
import { OperatingError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/telemetry.ts'
import { factsOf } from './actor.ts'
import type { ActorFacts, Stepper } from './actor.ts'
import { answersIn } from './answers.ts'
import { check } from './contract.ts'
import type { AnyActor } from './contract.ts'
import { readModules, withUrls } from './modules.ts'
import type { ToSandbox } from './sandbox-process.ts'
import { ActorFault } from './steps.ts'
import type { StepAnswer, StepEvent, StepMemory } from './steps.ts'

export interface SandboxLimits {
  /** Of one call, and of the start. */
  readonly cpuMs: number
  readonly wallMs: number
  readonly startMs: number
  readonly rssMiB: number
}

export const SANDBOX_LIMITS: SandboxLimits = { cpuMs: 2_000, wallMs: 30_000, startMs: 30_000, rssMiB: 384 }
const HEAP_MIB = 192
const LINE_BYTES_MAX = 32 * 1024 * 1024
const WATCH_MS = 50
const TRIES = 2
const PAUSE_MS = 500
const NICENESS = 10
/** Every event is told twice so many times; then one in `SAMPLE`. */
const CHECKED_FIRST = 1_000
const SAMPLE = 16
const CLOCK_TICK_MS = 10

const ENTRY = new URL('./sandbox-process.ts', import.meta.url)
/** All that Node's permission model must let the process read. */
const FILES = ['./sandbox-process.ts', './steps.ts', './plain.ts', './contract.ts', '../../runtime/errors.ts', '../../package.json'].map((name) => fileURLToPath(new URL(name, import.meta.url)))
const DENO = fileURLToPath(new URL('../../node_modules/deno/deno', import.meta.url))

export type SandboxRuntime = 'deno' | 'node'

/** The Deno binary that is there, or null. */
export function denoPath(): string | null {
  if ('deno' in process.versions) return process.execPath
  return existsSync(DENO) ? DENO : null
}

export interface SandboxOptions {
  /** The author's file. */
  readonly file: string
  /** Left out: Deno where it is there, else Node. */
  readonly runtime?: SandboxRuntime
  readonly limits?: Partial<SandboxLimits>
  readonly clock: Clock
  readonly logger: Logger
}

interface Waiting {
  readonly id: number
  readonly resolve: (message: Record<string, unknown>) => void
  readonly reject: (error: Error) => void
}

/** The process ended under a call; why, in words. */
class Lost extends Error {}

export class Sandbox implements Stepper {
  readonly facts: ActorFacts
  readonly reads: AnyActor['reads']
  readonly runtime: SandboxRuntime
  readonly #options: SandboxOptions
  readonly #limits: SandboxLimits
  readonly #texts: readonly string[]
  readonly #folder: string
  #child: ChildProcess | null = null
  #waiting: Waiting | null = null
  #lost = ''
  #asked = 0
  #told = 0
  #closed = false
  #turn: Promise<unknown> = Promise.resolve()
  /** Processes so far. */
  starts = 0

  private constructor(options: SandboxOptions, runtime: SandboxRuntime, { texts, folder }: { texts: readonly string[]; folder: string }) {
    this.#options = options
    this.#limits = { ...SANDBOX_LIMITS, ...options.limits }
    this.runtime = runtime
    this.#texts = texts
    this.#folder = folder
    this.facts = { name: '', everyMs: null, columns: [], code: '' }
    this.reads = undefined
  }

  /** Starts a process with the author's file. Throws `OperatingError` `config` where that is no actor, or can't be run. */
  static async open(options: SandboxOptions): Promise<Sandbox> {
    const runtime = options.runtime ?? (denoPath() === null ? 'node' : 'deno')
    if (runtime === 'deno' && denoPath() === null) throw new OperatingError('config', `Cannot run ${options.file} on Deno as its binary must be there: ${DENO} is not. Install Weir's dependencies, or run it on Node`)
    const { modules, code: hash } = await readModules(options.file)
    const folder = await mkdtemp(join(tmpdir(), 'weir-own-'))
    const sandbox = new Sandbox(options, runtime, { texts: modules.map((module) => withUrls(module, (index) => `weir-module:${index}`)), folder })
    try {
      const { facts, has } = (await sandbox.#start()) as { facts?: object; has?: { key?: unknown; tick?: unknown } }
      const stub = { ...facts, key: has?.key === 'device' || has?.key === 'series' ? has.key : () => null, initial: () => null, ...(has?.tick === true ? { tick: () => {} } : {}) } as unknown
      check(stub)
      const code = `${hash}-${runtime}`
      Object.assign(sandbox, { facts: factsOf(stub, code), reads: stub.reads })
      return sandbox
    } catch (error) {
      await sandbox.close()
      const why = error instanceof Error ? error.message : String(error)
      throw new OperatingError('config', `Cannot run ${options.file}: ${why}`)
    }
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** One call at a time: a reader that was given up may still wait for an answer when the next one asks. */
  step(events: readonly StepEvent[], memory: () => StepMemory, isNew: boolean): Promise<readonly StepAnswer[]> {
    const mine = this.#turn.then(() => this.#step(events, memory, isNew))
    this.#turn = mine.catch(() => {})
    return mine
  }

  async #step(events: readonly StepEvent[], memory: () => StepMemory, isNew: boolean): Promise<readonly StepAnswer[]> {
    const { clock, logger } = this.#options
    for (let tries = 1; ; tries++) {
      try {
        if (this.#child === null) {
          await this.#start()
          isNew = true
        }
        if (isNew) this.#say({ k: 'memory', memory: memory() })
        const checked = events.map(() => this.#told++ < CHECKED_FIRST || this.#told % SAMPLE === 0)
        const answer = await this.#ask({ k: 'step', id: ++this.#asked, events, checked }, this.#asked, this.#limits)
        if (answer.k === 'fault') throw new ActorFault(String(answer.message))
        return answersIn(answer.answers, events.length)
      } catch (error) {
        if (!(error instanceof Lost)) {
          // What is left in there is of an answer that nobody took.
          this.#kill('its answer was refused')
          throw error
        }
        if (this.#closed) throw new OperatingError('unavailable', 'Cannot go on as the worker is about to end')
        logger.warn({ actor: this.facts.name, tries }, `the process of an own actor was ended: ${error.message}`)
        if (tries >= TRIES) throw new ActorFault(`Cannot go on as a step must end within its bounds: ${error.message}, ${tries} times at the same message`)
        await clock.sleep(PAUSE_MS * tries)
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#kill('its worker ends')
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #start(): Promise<Record<string, unknown>> {
    const [command, args] = await this.#command()
    const env = { DENO_DIR: this.#folder, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1', TZ: 'UTC', NODE_NO_WARNINGS: '1' }
    // A group of its own: Ctrl-C is for the worker, which ends it in order.
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env, cwd: this.#folder, detached: true })
    const { logger } = this.#options
    this.#child = child
    this.#lost = ''
    this.starts++
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2_000)))
    child.stdin!.on('error', () => {})
    child.on('error', (error) => this.#gone(child, `it could not be started (${error.message})`))
    child.on('close', (code, signal) => {
      const heap = /heap out of memory|heap limit/i.test(said) ? `more memory than its heap of ${HEAP_MIB} MiB` : ''
      if (child === this.#child && this.#waiting === null) logger.warn({ actor: this.facts.name, code, signal }, 'the process of an own actor ended while nothing was asked of it; another one starts when something is')
      this.#gone(child, this.#lost || heap || `it ended with ${signal ?? `exit code ${code}`}${said === '' ? '' : `: ${said.trim().split('\n').at(-1)}`}`)
    })
    this.#listen(child)
    if (child.pid !== undefined) await this.#humble(child.pid)
    const answer = await this.#ask({ k: 'load', texts: this.#texts }, 0, { ...this.#limits, cpuMs: Infinity, wallMs: this.#limits.startMs })
    if (answer.k === 'fault') {
      this.#kill('its file is refused')
      throw new OperatingError('config', String(answer.message))
    }
    return answer
  }

  async #command(): Promise<[string, string[]]> {
    const entry = fileURLToPath(ENTRY)
    if (this.runtime === 'deno') return [denoPath()!, ['run', '--no-prompt', '--no-remote', '--no-npm', '--no-config', '--no-lock', '--quiet', `--v8-flags=--max-old-space-size=${HEAP_MIB}`, entry]]
    const node = 'deno' in process.versions ? 'node' : process.execPath
    return [node, ['--permission', ...FILES.map((file) => `--allow-fs-read=${file}`), `--max-old-space-size=${HEAP_MIB}`, entry]]
  }

  /** It gives way, and is the first that the kernel ends where memory runs out. */
  async #humble(pid: number): Promise<void> {
    try {
      setPriority(pid, NICENESS)
      await writeFile(`/proc/${pid}/oom_score_adj`, '1000')
    } catch {
      // Where that can't be set it runs as others do.
    }
  }

  #listen(child: ChildProcess): void {
    let parts: string[] = []
    let length = 0
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = text.split('\n')
      parts.push(lines[0])
      length += text.length
      if (length > LINE_BYTES_MAX) return this.#kill('an answer was too large')
      for (const next of lines.slice(1)) {
        this.#hear(child, parts.join(''))
        parts = [next]
        length = next.length
      }
    })
  }

  #hear(child: ChildProcess, line: string): void {
    const waiting = this.#waiting
    if (child !== this.#child || waiting === null) return
    let message: unknown
    try {
      message = JSON.parse(line)
    } catch {
      return this.#kill('it said what is no answer')
    }
    const { k, id = 0 } = (typeof message === 'object' && message !== null ? message : {}) as { k?: unknown; id?: unknown }
    if (id !== waiting.id || !['facts', 'answer', 'fault'].includes(String(k))) return this.#kill('it said what is no answer')
    this.#waiting = null
    waiting.resolve(message as Record<string, unknown>)
  }

  #say(message: ToSandbox): void {
    this.#child?.stdin!.write(`${JSON.stringify(message)}\n`)
  }

  async #ask(message: ToSandbox, id: number, limits: SandboxLimits): Promise<Record<string, unknown>> {
    const child = this.#child
    if (child === null) throw new Lost('it was gone')
    const answer = new Promise<Record<string, unknown>>((resolve, reject) => (this.#waiting = { id, resolve, reject }))
    this.#say(message)
    const watching = new AbortController()
    void this.#watch(child, limits, watching.signal)
    try {
      return await answer
    } finally {
      watching.abort()
    }
  }

  async #watch(child: ChildProcess, { cpuMs, wallMs, rssMiB }: SandboxLimits, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const beganMs = clock.monotonic()
    const cpuBefore = (await usageOf(child.pid))?.cpuMs ?? 0
    while (!signal.aborted) {
      await clock.sleep(WATCH_MS, signal)
      const usage = signal.aborted ? null : await usageOf(child.pid)
      if (signal.aborted || child !== this.#child) return
      if (usage !== null && usage.rssMiB > rssMiB) this.#kill(`it took ${Math.round(usage.rssMiB)} MiB of memory, of at most ${rssMiB}`)
      else if (usage !== null && usage.cpuMs - cpuBefore > cpuMs) this.#kill(`it computed for ${Math.round(usage.cpuMs - cpuBefore)} ms, of at most ${cpuMs}`)
      else if (clock.monotonic() - beganMs > wallMs) this.#kill(`it did not answer for ${wallMs} ms`)
    }
  }

  #kill(why: string): void {
    const child = this.#child
    if (child === null) return
    this.#lost = why
    child.kill('SIGKILL')
    this.#gone(child, why)
  }

  #gone(child: ChildProcess, why: string): void {
    if (child !== this.#child) return
    this.#child = null
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(new Lost(why))
  }
}

/** CPU time and memory of a process so far; null where the system does not tell. */
async function usageOf(pid: number | undefined): Promise<{ cpuMs: number; rssMiB: number } | null> {
  try {
    const [stat, statm] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/statm`, 'utf8')])
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS, rssMiB: (Number(statm.split(' ')[1]) * 4_096) / 1_048_576 }
  } catch {
    return null
  }
}
