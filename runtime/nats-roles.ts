/**
 * Who may do what on the embedded nats-server, and its configuration.
 *
 * Each role has the least rights that its work needs (the server refuses the rest), and an inbox prefix of its own, so that no role
 * reads the answers to another. `$JS.>` is never granted as a whole: on some servers it reaches beyond its own account.
 */

import { BUCKET_KEYS, BUCKET_META, BUCKET_NOTIFY, BUCKET_SNAPSHOTS, OWN, RESULTS, STREAMS_MAX } from './topology.ts'

export const NATS_ROLES = ['edge', 'worker', 'store', 'notifier', 'reader', 'admin'] as const
export type NatsRole = (typeof NATS_ROLES)[number]

/** Password of each role. */
export type NatsCredentials = Readonly<Record<NatsRole, string>>

export interface NatsConfigOptions {
  readonly port: number
  readonly storeDir: string
  readonly storeBytesMax: number
  readonly payloadMaxBytes: number
  readonly pidFile: string
  readonly portsDir: string
  readonly logFile: string
  readonly credentials: NatsCredentials
  /** When messages are synced to disk: `always` before each is acknowledged, else at this interval in ms; null: as the server does by itself. */
  readonly sync: 'always' | number | null
}

/** Where members speak to each other. */
const MEMBERS = 'weir.>'
/** Begins the subjects on which alerts are sent; see actors/notify/targets/subject.ts. */
export const ALERTS = 'alerts'
const INPUTS = Array.from({ length: STREAMS_MAX }, (_, i) => `READINGS_${i}`)

export function inboxPrefix(role: NatsRole): string {
  return `_INBOX_${role}`
}

/** What the client and the reader ask of a stream to read it. */
function reading(stream: string): string[] {
  return [
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
  ]
}

function purging(stream: string): string {
  return `$JS.API.STREAM.PURGE.${stream}`
}

const KEYS = `KV_${BUCKET_KEYS}`
const META = `KV_${BUCKET_META}`
const NOTIFY = `KV_${BUCKET_NOTIFY}`
const SNAPSHOTS = `OBJ_${BUCKET_SNAPSHOTS}`
const INSTALLATION = ['$JS.API.STREAM.INFO.*', ...reading(META)]
const COMMON = [MEMBERS, ...INSTALLATION]

/** Subjects that each role may publish to. */
const MAY_PUBLISH: Readonly<Record<NatsRole, readonly string[]>> = {
  edge: [...COMMON, 'readings.>', ...reading(KEYS)],
  // Workers append ticks and settings to the input; their snapshots replace and remove older ones. Those with own actors read the logs to the end for
  // them, say so among the readers, and number them.
  worker: [
    ...COMMON,
    ...[...INPUTS, OWN, RESULTS, SNAPSHOTS].flatMap(reading),
    `$KV.${BUCKET_META}.readers.>`,
    `$KV.${BUCKET_META}.own.>`,
    'own.>',
    'readings.>',
    'results.>',
    `$O.${BUCKET_SNAPSHOTS}.>`,
    purging(SNAPSHOTS),
  ],
  // Stores purge what every reader has behind it, register themselves as readers, keep the units, drivers, rules and views that were named and what is usual for
  // kinds, where alerts are sent, and append what people answer and do about alerts, what is usual, rules, and hours of drivers to the input.
  store: [
    ...COMMON,
    ...[...INPUTS, OWN, RESULTS, SNAPSHOTS, KEYS, NOTIFY].flatMap(reading),
    ...[...INPUTS, OWN, RESULTS, SNAPSHOTS].map(purging),
    `$KV.${BUCKET_META}.readers.>`,
    `$KV.${BUCKET_META}.units.>`,
    `$KV.${BUCKET_META}.fleet.>`,
    `$KV.${BUCKET_META}.drivers.>`,
    `$KV.${BUCKET_META}.rules.>`,
    `$KV.${BUCKET_META}.ruled.>`,
    `$KV.${BUCKET_META}.views.>`,
    `$KV.${BUCKET_NOTIFY}.route.>`,
    `$KV.${BUCKET_META}.documents.>`,
    'own.>',
    'readings.>',
  ],
  // A notifier reads results and writes to no log: it keeps what it has sent, registers itself as a reader, and sends alerts to who listens on the bus.
  notifier: [
    ...COMMON,
    ...[RESULTS, NOTIFY].flatMap(reading),
    `$KV.${BUCKET_META}.readers.notifier`,
    `$KV.${BUCKET_NOTIFY}.state.>`,
    `${ALERTS}.>`,
  ],
  // Replays: nothing that anyone else could notice.
  reader: [...INSTALLATION, ...[...INPUTS, OWN, RESULTS, SNAPSHOTS].flatMap(reading)],
  admin: [
    MEMBERS,
    'readings.>',
    'results.>',
    'own.>',
    '$KV.>',
    '$O.>',
    '$JS.API.INFO',
    '$JS.API.STREAM.>',
    '$JS.API.CONSUMER.>',
    '$JS.API.DIRECT.GET.>',
  ],
}

/** Who may listen to alerts on the bus. */
const HEARS_ALERTS: ReadonlySet<NatsRole> = new Set(['reader', 'admin'])

/** The text of nats.conf. It holds the passwords: only its owner may read it. */
export function natsConfig(options: NatsConfigOptions): string {
  const users = NATS_ROLES.map((role) => {
    const permissions = { publish: { allow: MAY_PUBLISH[role] }, subscribe: { allow: [`${inboxPrefix(role)}.>`, ...(role === 'reader' ? [] : [MEMBERS]), ...(HEARS_ALERTS.has(role) ? [`${ALERTS}.>`] : [])] } }
    return `    ${JSON.stringify({ user: role, password: options.credentials[role], permissions })}`
  })
  return [
    '# Written anew at each start of Weir: changes here are lost.',
    'server_name: weir',
    `listen: "127.0.0.1:${options.port}"`,
    `max_payload: ${options.payloadMaxBytes}`,
    // A process that is busy for a while must not be cut off for what waits for it.
    'max_pending: 256MB',
    `pid_file: ${JSON.stringify(options.pidFile)}`,
    `ports_file_dir: ${JSON.stringify(options.portsDir)}`,
    `log_file: ${JSON.stringify(options.logFile)}`,
    'logfile_size_limit: 64MB',
    'jetstream {',
    `  store_dir: ${JSON.stringify(options.storeDir)}`,
    `  max_file_store: ${options.storeBytesMax}`,
    '  max_memory_store: 64MB',
    ...(options.sync === null ? [] : [`  sync_interval: ${options.sync === 'always' ? 'always' : `"${options.sync}ms"`}`]),
    '}',
    'authorization {',
    '  users: [',
    users.join(',\n'),
    '  ]',
    '}',
    '',
  ].join('\n')
}
