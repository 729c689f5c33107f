/**
 * Streams and single stored messages through JetStream's API: what the logs and the buckets have in common.
 */

import { ErrorCode, OperatingError } from './errors.ts'
import type { LogMessage, StreamCopy, StreamInfo } from './log.ts'
import { ApiCode, ApiRefusal } from './nats-answers.ts'
import type { NatsClient } from './nats-client.ts'

interface ApiStreamInfo {
  readonly config: { readonly name: string; readonly max_bytes: number; readonly num_replicas: number; readonly subjects?: readonly string[] | null }
  readonly created: string
  readonly cluster?: {
    readonly leader?: string
    /** `active`: since when its leader has not heard of it, in ns. */
    readonly replicas?: readonly { readonly name: string; readonly current?: boolean; readonly offline?: boolean; readonly active?: number }[] | null
  }
  readonly state: { readonly messages: number; readonly bytes: number; readonly first_seq: number; readonly last_seq: number }
}

/** A configuration as JetStream's API takes it. */
export interface StreamConfig {
  readonly name: string
  readonly [setting: string]: unknown
}

/** Creating a stream of three replicas takes an election. */
const CREATE_TIMEOUT_MS = 10_000
/** The answer may be a message of the largest size. */
const GET_TIMEOUT_MS = 5_000

/** Replicas hear of their leader once a second and answer; one that does not for so long is away, whatever else is said of it. */
const AWAY_MS = 5_000

/** Throws `identity` where there is no such stream. */
export async function streamInfo(client: NatsClient, stream: string): Promise<StreamInfo> {
  return toStreamInfo(await client.api<ApiStreamInfo>(`STREAM.INFO.${stream}`))
}

/**
 * Makes the stream of JetStream's `config` where there is none of its name; one that was made by a version with fewer subjects is given those that it
 * lacks, and is else left as it is.
 */
export async function ensureStream(client: NatsClient, config: StreamConfig): Promise<StreamInfo> {
  const there = await client.api<ApiStreamInfo>(`STREAM.INFO.${config.name}`).catch((error) => {
    if (error instanceof ApiRefusal && error.apiCode === ApiCode.streamNotFound) return null
    throw error
  })
  if (there !== null) return toStreamInfo(await widened(client, config, there))
  try {
    return toStreamInfo(await client.api<ApiStreamInfo>(`STREAM.CREATE.${config.name}`, config, CREATE_TIMEOUT_MS))
  } catch (error) {
    // Another process made it in between, with settings of its own.
    if (error instanceof ApiRefusal && error.apiCode === ApiCode.streamNameInUse) return streamInfo(client, config.name)
    if (error instanceof OperatingError && error.code === ErrorCode.full) {
      throw new OperatingError(
        ErrorCode.full,
        `Cannot make stream ${config.name} as the server's store must hold it: ${error.message}`,
        { cause: error, retry: false },
      )
    }
    throw error
  }
}

async function widened(client: NatsClient, { subjects = [] }: StreamConfig, there: ApiStreamInfo): Promise<ApiStreamInfo> {
  const known = there.config.subjects ?? []
  const missing = (subjects as readonly string[]).filter((subject) => !known.includes(subject))
  if (missing.length === 0) return there
  // Who may not change streams leaves it to who may: only what is new needs the new subjects.
  return client.api<ApiStreamInfo>(`STREAM.UPDATE.${there.config.name}`, { ...there.config, subjects: [...known, ...missing] }, CREATE_TIMEOUT_MS).catch(() => there)
}

function toStreamInfo(info: ApiStreamInfo): StreamInfo {
  const { state } = info
  return {
    name: info.config.name,
    created: info.created,
    firstSeq: state.last_seq === 0 ? 0 : state.first_seq,
    lastSeq: state.last_seq,
    bytes: state.bytes,
    messages: state.messages,
    bytesMax: info.config.max_bytes,
    ...(info.config.num_replicas > 1 ? { replicas: info.config.num_replicas, copies: copiesOf(info) } : {}),
  }
}

function copiesOf({ cluster }: ApiStreamInfo): StreamCopy[] {
  const leader = cluster?.leader ? [{ server: cluster.leader, state: 'leads' as const }] : []
  const others = (cluster?.replicas ?? []).map(({ name, current, offline, active = 0 }): StreamCopy => {
    const away = offline || active > AWAY_MS * 1_000_000
    return { server: name, state: away ? 'away' : current ? 'follows' : 'behind' }
  })
  return [...leader, ...others]
}

/** A message asked of the stream's leader, so that it is never an older state than what was acknowledged; null where there is none. */
export async function storedMessage(
  client: NatsClient,
  stream: string,
  which: { seq: number } | { last_by_subj: string },
): Promise<(LogMessage & { readonly operation: string }) | null> {
  interface Answer {
    readonly message: { subject: string; seq: number; hdrs?: string; data?: string; time: string }
  }
  let answer: Answer
  try {
    answer = await client.api<Answer>(`STREAM.MSG.GET.${stream}`, which, GET_TIMEOUT_MS)
  } catch (error) {
    if (error instanceof ApiRefusal && error.apiCode === ApiCode.noMessage) return null
    throw error
  }
  const { subject, seq, hdrs, data, time } = answer.message
  const operation = hdrs === undefined ? '' : (/^KV-Operation: *(\S+)/im.exec(Buffer.from(hdrs, 'base64').toString())?.[1] ?? '')
  return { subject, seq, timeMs: Date.parse(time), data: new Uint8Array(Buffer.from(data ?? '', 'base64')), operation }
}
