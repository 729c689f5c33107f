/**
 * Who is there: each process says so on the bus every HEARTBEAT_MS, and counts as gone after DEAD_AFTER_MS of silence.
 *
 * Owns the view of one process, by its own monotonic clock. Views of two processes may differ for a while; nothing that must be
 * safe rests on them (I4). Leaves who owns what to ownership.ts.
 *
 * Messages of `weir.members.<role>.<id>`, in msgpack: `['hello' | 'beat' | 'bye', member]`. A hello is answered with a beat at once, so
 * that a newcomer sees everyone within a round trip. A bye may be said for another, by the one that saw it die.
 *
 * Picture: who is late for a meeting is rung up; only of one whose line is dead it is clear at once that he won't come. Each member listens to a
 * subject of its own, `weir.alive.<id>`, and says nothing there. Of one whose heartbeat is overdue by ABSENT_AFTER_MS the others ask the server
 * whether anybody listens to its subject. Where nobody does, its connection is gone, and most likely its process: it counts as gone now. One
 * that hangs, or is frozen, still listens; its silence is waited for.
 */

import process from 'node:process'
import { pack, unpack } from './codec.ts'
import type { Clock } from './clock.ts'
import type { Bus } from './log.ts'
import { ABSENT_AFTER_MS, DEAD_AFTER_MS, HEARTBEAT_MS } from './limits.ts'

export type MemberRole = 'edge' | 'worker' | 'store' | 'notifier'

/** One process, or thread, as it speaks of itself. */
export interface Member {
  /** Drawn anew at each start, so that a process that comes back is another member. */
  readonly id: string
  readonly role: MemberRole
  /** Where it serves HTTP, or null. */
  readonly url: string | null
  readonly runtime: 'node' | 'deno'
  readonly pid: number
  /** Its own wall clock, epoch ms: information only. */
  readonly startedAt: number
  /** What it owns at this moment, and the input sequence up to which it is committed. */
  readonly partitions: readonly { readonly partition: number; readonly epoch: number; readonly seq: number }[]
  /** Changes of behaviour that its actor knows (`Actor.flags`); left out by versions that know of none. */
  readonly flags?: readonly number[]
  /** Partitions that it can't host, since their log is of a newer version than it is. */
  readonly cannot?: readonly number[]
  /** Of a worker: see `Stage`; `working` where it is left out. */
  readonly stage?: Stage
  /** Partitions of others that it has made itself ready for, and takes at once when they let go. */
  readonly ready?: readonly number[]
}

/**
 * `listening`: it will take a share, and claims nothing yet; `working`: it takes what is its share; `leaving`: it takes nothing more, and lets go of
 * what it has.
 */
export type Stage = 'listening' | 'working' | 'leaving'

type Word = 'hello' | 'beat' | 'bye'

const PREFIX = 'weir.members'

const subjectOf = (role: MemberRole, id: string) => `${PREFIX}.${role}.${id}`
/** Only the member itself listens to it. */
const aliveSubjectOf = (id: string) => `weir.alive.${id}`
const NOTHING = new Uint8Array(0)

/** Says bye for a member that someone saw die: its share is taken over at once. `role` and `id` as it announced them. */
export function sayByeFor(bus: Bus, role: MemberRole, id: string): void {
  bus.send(subjectOf(role, id), pack(['bye', null]))
}

/** Calls `onMember` whenever a member speaks, until the answer is called: for one who watches and is none itself. */
export function watchMembers(bus: Bus, onMember: (member: Member) => void): () => void {
  return bus.listen(`${PREFIX}.>`, (data) => {
    const [word, member] = read(data)
    if (word !== 'bye' && member) onMember(member)
  })
}

/** The runtime that this code runs on. */
export function runtimeName(): Member['runtime'] {
  return 'deno' in process.versions ? 'deno' : 'node'
}

/**
 * @example
 * const membership = new Membership({ bus: connection.bus, clock, self })
 * membership.start()
 * membership.onChange(() => console.log(membership.view('worker').map((m) => m.id)))
 */
export class Membership {
  #bus: Bus
  #clock: Clock
  #self: Member
  #connected: () => boolean
  #present: (() => Partial<Member>) | null
  #others = new Map<string, { member: Member; heardMs: number }>()
  #listeners = new Set<() => void>()
  #stopListening: () => void = () => {}
  #cancelBeat: () => void = () => {}
  #cancelCheck: () => void = () => {}
  #checkedMs = 0
  /** Until then nobody counts as absent: after a cut all come back one after another. */
  #lenientUntilMs = 0
  #running = false
  #absenceListeners = new Set<() => void>()

  /**
   * `connected` tells whether the bus can be heard at all: silence counts for nothing while it can't. `present`, where it is
   * given, is asked for what is new of this member whenever it speaks.
   */
  constructor(options: { bus: Bus; clock: Clock; self: Member; connected?: () => boolean; present?: () => Partial<Omit<Member, 'id' | 'role'>> }) {
    this.#bus = options.bus
    this.#clock = options.clock
    this.#self = options.self
    this.#connected = options.connected ?? (() => true)
    this.#present = options.present ?? null
  }

  get self(): Member {
    return this.#self
  }

  /** Listens and says hello. */
  start(): void {
    if (this.#running) return
    this.#running = true
    this.#checkedMs = this.#clock.monotonic()
    const stops = [
      this.#bus.listen(`${PREFIX}.>`, (data, subject) => this.#hear(data, subject)),
      this.#bus.listen(aliveSubjectOf(this.#self.id), () => {}),
    ]
    this.#stopListening = () => stops.forEach((stop) => stop())
    this.#say('hello')
    this.#beat()
    this.#watch()
  }

  /** Says bye and falls silent; sees nobody any more. */
  stop(): void {
    if (!this.#running) return
    this.#running = false
    this.#cancelBeat()
    this.#cancelCheck()
    this.#say('bye')
    this.#stopListening()
    this.#others.clear()
  }

  /** The living members of a role by id, this one among them where it has the role and has not stopped. */
  view(role: MemberRole): Member[] {
    const members = [...this.#others.values()].map((other) => other.member).filter((member) => member.role === role)
    if (this.#running && this.#self.role === role) members.push(this.#self)
    return members.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /**
   * Calls `run` whenever a member comes or goes, takes or lets go of a partition, is ready for one, changes its URL or stage, or says that it
   * has begun anew; until the answer is called.
   */
  onChange(run: () => void): () => void {
    this.#listeners.add(run)
    return () => this.#listeners.delete(run)
  }

  /**
   * Calls `run` when this process wakes from an absence so long that the others took it for dead, before it says a word of what it had been;
   * until the answer is called.
   */
  onAbsence(run: () => void): () => void {
    this.#absenceListeners.add(run)
    return () => this.#absenceListeners.delete(run)
  }

  /** Changes what this member says of itself, and says it at once. */
  update(patch: Partial<Omit<Member, 'id' | 'role'>>): void {
    this.#self = { ...this.#self, ...patch }
    if (this.#running) this.#say('beat')
  }

  /** Asks everyone to speak, as after a connection was lost. */
  refresh(): void {
    if (!this.#running) return
    this.#lenientUntilMs = this.#clock.monotonic() + DEAD_AFTER_MS
    this.#say('hello')
  }

  #say(word: Word): void {
    if (this.#present) this.#self = { ...this.#self, ...this.#present() }
    this.#bus.send(subjectOf(this.#self.role, this.#self.id), pack([word, this.#self]))
  }

  #hear(data: Uint8Array, subject: string): void {
    if (!this.#running) return
    const [word, member] = read(data)
    const id = member?.id ?? subject.slice(subject.indexOf('.', PREFIX.length + 1) + 1)
    if (id === this.#self.id) return
    if (word === 'bye') {
      if (this.#others.delete(id)) this.#changed()
      return
    }
    if (!member) return
    const before = this.#others.get(id)?.member
    this.#others.set(id, { member, heardMs: this.#clock.monotonic() })
    if (word === 'hello') this.#say('beat')
    const same = before && before.url === member.url && before.startedAt === member.startedAt && sameWork(before, member) && sameNumbers(before.cannot, member.cannot)
    if (!same || !sameNumbers(before.flags, member.flags)) this.#changed()
  }

  #beat(): void {
    this.#cancelBeat = this.#clock.after(HEARTBEAT_MS, () => {
      // Of two timers that are both overdue it is chance which one runs first.
      this.#check()
      this.#say('beat')
      this.#beat()
    })
  }

  #watch(): void {
    this.#cancelCheck = this.#clock.after(HEARTBEAT_MS / 4, () => {
      this.#check()
      this.#watch()
    })
  }

  #check(): void {
    const nowMs = this.#clock.monotonic()
    // A process that was stopped, or could not hear, must not take its own absence for the others': their silence is not counted.
    const absentMs = nowMs - this.#checkedMs
    const deafMs = this.#connected() ? Math.max(0, nowMs - this.#checkedMs - HEARTBEAT_MS) : nowMs - this.#checkedMs
    this.#checkedMs = nowMs
    if (!this.#connected()) this.#lenientUntilMs = nowMs + DEAD_AFTER_MS
    if (absentMs > DEAD_AFTER_MS) for (const run of [...this.#absenceListeners]) run()
    let gone = false
    for (const [id, other] of this.#others) {
      other.heardMs = Math.min(nowMs, other.heardMs + deafMs)
      const silentMs = nowMs - other.heardMs
      if (silentMs > DEAD_AFTER_MS) {
        this.#others.delete(id)
        gone = true
      } else if (silentMs > ABSENT_AFTER_MS && nowMs >= this.#lenientUntilMs) {
        this.#bus.send(aliveSubjectOf(id), NOTHING, () => this.#absent(id, other.heardMs))
      }
    }
    if (gone) this.#changed()
  }

  /** Nobody listens for the member, that was last heard at `heardMs` when it was asked for. */
  #absent(id: string, heardMs: number): void {
    const other = this.#others.get(id)
    // It spoke in the meantime, or who asked was cut off itself.
    if (!this.#running || !other || other.heardMs !== heardMs || this.#clock.monotonic() < this.#lenientUntilMs) return
    this.#others.delete(id)
    this.#changed()
  }

  #changed(): void {
    for (const run of [...this.#listeners]) run()
  }
}

function sameNumbers(a: readonly number[] = [], b: readonly number[] = []): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i])
}

function sameWork(a: Member, b: Member): boolean {
  if (a.stage !== b.stage || a.partitions.length !== b.partitions.length || !sameNumbers(a.ready, b.ready)) return false
  return a.partitions.every((p, i) => p.partition === b.partitions[i].partition && p.epoch === b.partitions[i].epoch)
}

const ROLES: readonly MemberRole[] = ['edge', 'worker', 'store', 'notifier']

/** Someone else's bytes on the bus are no member, and neither is what lacks a part of one. */
function read(data: Uint8Array): [Word | null, Member | null] {
  try {
    const [word, member] = unpack<[Word, Member | null]>(data)
    return [word, isMember(member) ? member : null]
  } catch {
    return [null, null]
  }
}

function isMember(member: unknown): member is Member {
  const m = member as Member | null | undefined
  if (typeof m?.id !== 'string' || !ROLES.includes(m.role) || (m.url !== null && typeof m.url !== 'string')) return false
  if (typeof m.runtime !== 'string' || !Number.isSafeInteger(m.pid) || !Number.isFinite(m.startedAt)) return false
  const isNumbers = (list: unknown) => list === undefined || (Array.isArray(list) && list.every(Number.isSafeInteger))
  if (!isNumbers(m.flags) || !isNumbers(m.cannot)) return false
  return Array.isArray(m.partitions) && m.partitions.every((p) => [p?.partition, p?.epoch, p?.seq].every((n) => Number.isSafeInteger(n)))
}
