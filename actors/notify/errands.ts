/**
 * What a store asks the notifier for, over the bus: to try a route by a message, and whether a host may be sent to at all. The notifier alone holds what it
 * takes: connections to the outside, and the operator's list.
 *
 * - E1 No secret travels: a question names a route or a host, an answer says what came of it in the words that a route's state has as well.
 * - E2 Of several processes that could be the notifier, the one that is answers. Where nobody listens that is known at once.
 * - E3 A message that tries a route is sent once and kept nowhere: it is no part of what was told.
 */

import type { Clock } from '../../runtime/clock.ts'
import { NOTIFY_ANSWER_MAX_MS, NOTIFY_TESTS_MAX } from '../../runtime/limits.ts'
import type { Bus } from '../../runtime/log.ts'
import type { FollowerLogger } from '../store/follow.ts'
import type { Outcome } from './desk.ts'
import { parseRoute } from './document.ts'
import type { Outgoing, Senders } from './outgoing.ts'
import { ReachError } from './reach.ts'
import type { Reach } from './reach.ts'
import type { RouteRegistry } from './routes.ts'

const ASK = 'weir.notifier.ask'
const ANSWER = 'weir.notifier.answer'
/** A look-up of a name may take so long; a try as long as an answer may, and then some. */
const HOST_WAIT_MS = 2_000
const TEST_WAIT_MS = NOTIFY_ANSWER_MAX_MS + 3_000
/** So long a notifier may lag behind a route that was stored just now. */
const LAG_MS = 2_000
const LOOK_EVERY_MS = 20

type Question = { readonly n: string } & ({ readonly ask: 'test'; readonly tenant: string; readonly route: string; readonly revision: number } | { readonly ask: 'host'; readonly host: string })

/** What came of a message that was sent to try a route. */
export interface Tried {
  readonly delivered: boolean
  /** Why not; null where it was. */
  readonly error: string | null
  /** What a receiver answered by HTTP; null where it did not. */
  readonly status: number | null
}

interface Answer {
  readonly tried?: Tried
  /** Why a host may not be sent to; null: it may, as far as is known. */
  readonly refused?: string | null
}

/** The asking side. */
export class Errands {
  readonly #bus: Bus
  readonly #clock: Clock

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus
    this.#clock = clock
  }

  /** Has a route tried by a message; null where no notifier answers. */
  async test(tenant: string, route: string, revision: number): Promise<Tried | null> {
    return (await this.#ask({ n: this.#clock.nonce(), ask: 'test', tenant, route, revision }, TEST_WAIT_MS))?.tried ?? null
  }

  /** Why a host may not be sent to; null where it may, and where nobody knows. */
  async refusalOf(host: string): Promise<string | null> {
    return (await this.#ask({ n: this.#clock.nonce(), ask: 'host', host }, HOST_WAIT_MS))?.refused ?? null
  }

  #ask(question: Question, withinMs: number): Promise<Answer | null> {
    return new Promise((resolve) => {
      const end = (answer: Answer | null) => {
        cancel()
        off()
        resolve(answer)
      }
      const cancel = this.#clock.after(withinMs, () => end(null))
      const off = this.#bus.listen(`${ANSWER}.${question.n}`, (data) => end(answerIn(data)))
      this.#bus.send(ASK, encode(question), () => end(null))
    })
  }
}

export interface ErrandBoy {
  readonly bus: Bus
  readonly routes: RouteRegistry
  readonly senders: Senders
  readonly reach: Reach
  readonly clock: Clock
  readonly logger: FollowerLogger
  /** Whether this process is the notifier now. */
  readonly isOn: () => boolean
}

/** The answering side; gives how it ends. */
export function runErrands(boy: ErrandBoy): () => void {
  const { bus, isOn, logger } = boy
  const ending = new AbortController()
  let tests = 0
  const off = bus.listen(ASK, (data) => {
    const question = questionIn(data)
    if (question === null || !isOn()) return
    const answer = (given: Answer) => bus.send(`${ANSWER}.${question.n}`, encode(given))
    if (question.ask === 'host') return void refusalOf(boy.reach, question.host).then((refused) => answer({ refused }))
    if (tests >= NOTIFY_TESTS_MAX) return answer({ tried: failed('other routes are being tried: try again in a moment') })
    tests++
    void test(boy, question, ending.signal)
      .catch((error: unknown) => {
        logger.error({ err: error, tenant: question.tenant, route: question.route }, 'a route could not be tried')
        return failed('the message could not be made or sent: the log of the notifier says why')
      })
      .then((tried) => {
        tests--
        answer({ tried })
      })
  })
  return () => {
    off()
    ending.abort()
  }
}

const failed = (error: string): Tried => ({ delivered: false, error, status: null })

async function test({ routes, senders, clock }: ErrandBoy, { tenant, route: id, revision, n }: Question & { ask: 'test' }, signal: AbortSignal): Promise<Tried> {
  const known = () => (routes.find(tenant, id)?.revision ?? 0) >= revision
  for (const untilMs = clock.monotonic() + LAG_MS; !known() && clock.monotonic() < untilMs && !signal.aborted; ) await clock.sleep(LOOK_EVERY_MS, signal)
  const stored = routes.find(tenant, id)
  if (stored === null || stored.revision < revision) return failed('the notifier does not know the route yet: try again in a moment')
  // One that is switched off can be tried as well.
  const { target, name } = parseRoute(stored.document, null, () => '').route
  const send = senders[target.kind] as Senders['webhook']
  const outcome: Outcome = await send(target as never, messageOf({ tenant, id, name, n, nowMs: clock.now() }), signal)
  return { delivered: outcome.kind === 'taken', error: outcome.kind === 'taken' ? null : outcome.error, status: outcome.status ?? null }
}

function messageOf({ tenant, id, name, n, nowMs }: { tenant: string; id: string; name: string; n: string; nowMs: number }): Outgoing {
  const message = `msg_test-${n}`
  const [title, text] = [`A test of the route ${name}`, 'Nothing is amiss: this message tries whether alerts reach you here.']
  return { id: message, tenant, route: id, title, text, body: JSON.stringify({ id: message, type: 'test', timestamp: new Date(nowMs).toISOString(), data: { route: id, title, text, alerts: [] } }) }
}

async function refusalOf(reach: Reach, host: string): Promise<string | null> {
  try {
    await reach.addressesOf(host)
    return null
  } catch (error) {
    // A name that is not found today may be found when it is needed.
    return error instanceof ReachError ? error.message : null
  }
}

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

function questionIn(data: Uint8Array): Question | null {
  try {
    const question = JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>
    if (typeof question.n !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(question.n)) return null
    const isTest = question.ask === 'test' && typeof question.tenant === 'string' && typeof question.route === 'string' && Number.isSafeInteger(question.revision)
    return isTest || (question.ask === 'host' && typeof question.host === 'string') ? (question as unknown as Question) : null
  } catch {
    return null
  }
}

function answerIn(data: Uint8Array): Answer | null {
  try {
    return JSON.parse(new TextDecoder().decode(data)) as Answer
  } catch {
    return null
  }
}
