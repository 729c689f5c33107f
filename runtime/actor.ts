/**
 * The actor contract. An actor is a state, a pure step, and codecs; it never awaits, reads no clock and draws no
 * random number (I2 of ARCHITECTURE.md). Its host (host.ts) reads the input log, calls `step`, and commits.
 *
 * A state may be mutated in place: what is pure is the relation between a prefix of the input and the state after it,
 * together with the effects of each message. Golden and simulator tests hold every actor to that.
 */

/** A message of the partition's input, in order. */
export interface InputMessage {
  /** Sequence in the input stream: grows strictly, with gaps (other partitions share the stream). */
  readonly seq: number
  /** The log's own time of the message, epoch ms; may step back. */
  readonly timeMs: number
  readonly data: Uint8Array
}

/**
 * A snapshot as it is written, in pieces of bounded size: one at least. The state must not change from when the first is taken until the last is.
 * A piece is valid until the next is taken. The same state gives the same pieces, each time that they are gone through.
 */
export interface Pieces extends Iterable<Uint8Array> {
  readonly count: number
}

/** A snapshot as it is read. Both throw on what is not whole, and `OperatingError` `version` as `step`. */
export interface Restoring<State> {
  /** Takes the next piece, and keeps nothing of its memory. */
  take(piece: Uint8Array): void
  /** The state, once all pieces are in. */
  done(): State
}

/**
 * @typeParam State all that the actor remembers
 * @typeParam Effects a growing collection of results, encoded as one commit
 */
export interface Actor<State, Effects> {
  /** Name of the kind of actor: part of every snapshot's identity. */
  readonly name: string
  /** Greatest number of a snapshot's format that it reads; a snapshot of a greater one is left to whoever wrote it. */
  readonly snapshotVersion: number
  /** Changes of behaviour that it knows and that a log may switch on, ascending numbers. What they mean is the actor's own. */
  readonly flags: readonly number[]
  create(): State
  /**
   * Applies one message and appends what follows from it to `effects`. Throws only on a bug, and `OperatingError` `version` at a message
   * that switches on what it does not know: the partition then stops.
   */
  step(state: State, message: InputMessage, effects: Effects): void
  /** No effects yet. */
  effects(): Effects
  /** Results in `effects`: the host commits when they are many. */
  count(effects: Effects): number
  /** Whether `effects` hold something that must not wait for the next commit. */
  urgent(effects: Effects): boolean
  /** Called once at the commit, with the state after the last message it covers. The same prefix gives the same bytes. */
  encode(effects: Effects, state: State): Uint8Array
  /** The state's snapshot. */
  pieces(state: State): Pieces
  /** Number of the format of this state's snapshot: the least that holds it, so that the version before reads it as long as it can. */
  snapshotVersionOf(state: State): number
  /** Makes a state of the pieces of a snapshot of any format up to `snapshotVersion`. */
  restoring(): Restoring<State>
  /** Whether the owner should append a tick, because something is due by the passing of time alone. */
  wantsTick(state: State): boolean
  /** The tick that the owner appends to the input. */
  tick(): Uint8Array
  /**
   * What an owner appends to the input on taking the partition over, given its own settings (opaque to the runtime; null: those of the
   * state) and the flags that every living member knows, so that both are a part of the log; null where the state has them already.
   */
  introduce(state: State, settings: unknown, agreed: readonly number[]): Uint8Array | null
}
