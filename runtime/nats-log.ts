/**
 * The log port on NATS JetStream: puts the client, the reader, the bus and the buckets together as log.ts asks.
 */

import type {
  BucketOptions,
  Bus,
  Connection,
  KeyValue,
  Log,
  LogMessage,
  LogReader,
  ObjectStore,
  PublishOptions,
  ReadOptions,
  ServerGreeting,
  StreamInfo,
  StreamOptions,
} from './log.ts'
import { NatsBus } from './nats-bus.ts'
import { expecting, NatsClient } from './nats-client.ts'
import type { NatsOptions } from './nats-client.ts'
import { openKeyValue } from './nats-kv.ts'
import { openObjects } from './nats-objects.ts'
import { NatsReader } from './nats-reader.ts'
import { ensureStream, storedMessage, streamInfo } from './nats-streams.ts'

export type { NatsOptions } from './nats-client.ts'

/**
 * Connects to NATS servers; from then on the connection comes back by itself, for ever. Throws `OperatingError`: `unavailable` where
 * no server answers in time, `config` where the address or the credentials can't be used.
 *
 * @example
 * const connection = await connectNats({ servers: 'nats://edge:secret@127.0.0.1:4222', name: 'weir-edge', clock: systemClock })
 */
export async function connectNats(options: NatsOptions): Promise<Connection> {
  return new NatsConnectionPort(await NatsClient.connect(options))
}

class NatsConnectionPort implements Connection {
  readonly log: Log
  readonly bus: Bus
  #client: NatsClient

  constructor(client: NatsClient) {
    this.#client = client
    this.log = new NatsLog(client)
    this.bus = new NatsBus(client)
  }

  get serverVersion(): string {
    return this.#client.serverVersion
  }

  get maxPayloadBytes(): number {
    return this.#client.maxPayloadBytes
  }

  servers(): Promise<ServerGreeting[]> {
    return this.#client.servers()
  }

  kv(bucket: string, options: BucketOptions = {}): Promise<KeyValue> {
    return openKeyValue(this.#client, bucket, options)
  }

  objects(bucket: string, options: BucketOptions = {}): Promise<ObjectStore> {
    return openObjects(this.#client, bucket, options)
  }

  connected(): boolean {
    return this.#client.connected()
  }

  onReconnect(run: () => void): () => void {
    return this.#client.onReconnect(run)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

class NatsLog implements Log {
  #client: NatsClient

  constructor(client: NatsClient) {
    this.#client = client
  }

  publish(subject: string, data: Uint8Array, options: PublishOptions = {}): Promise<{ seq: number }> {
    const { expectLastSubjectSeq, timeoutMs } = options
    if (expectLastSubjectSeq === undefined) return this.#client.publish(subject, data, { timeoutMs })
    return this.#client.publish(subject, data, { timeoutMs, headers: expecting(expectLastSubjectSeq) })
  }

  read(options: ReadOptions): LogReader {
    return new NatsReader(this.#client, options)
  }

  async last(stream: string, subject: string): Promise<LogMessage | null> {
    return storedMessage(this.#client, stream, { last_by_subj: subject })
  }

  async at(stream: string, seq: number): Promise<LogMessage | null> {
    return storedMessage(this.#client, stream, { seq })
  }

  info(stream: string): Promise<StreamInfo> {
    return streamInfo(this.#client, stream)
  }

  ensureStream({ name, subjects, replicas, bytesMax }: StreamOptions): Promise<StreamInfo> {
    return ensureStream(this.#client, {
      name,
      subjects,
      retention: 'limits',
      storage: 'file',
      discard: 'new',
      num_replicas: replicas,
      max_bytes: bytesMax,
      max_msgs: -1,
      max_age: 0,
      allow_direct: true,
    })
  }

  async purge(stream: string, options: { subject?: string; beforeSeq: number }): Promise<void> {
    // A purge up to sequence 0 would be taken for one without a bound.
    if (options.beforeSeq <= 1) return
    await this.#client.api(`STREAM.PURGE.${stream}`, { filter: options.subject, seq: options.beforeSeq }, 10_000)
  }
}
