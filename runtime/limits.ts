/**
 * Every bound of Weir in one place, with the relations between them asserted when it loads. What happens at a bound is
 * written beside it.
 */

import assert from 'node:assert/strict'

/** Largest message of the log; the embedded server is set to it, and outer ones that take less are refused at start. */
export const PAYLOAD_MAX_BYTES = 8 * 1024 * 1024
/** A commit's payload beyond this goes in parts. */
export const COMMIT_PART_BYTES = 4 * 1024 * 1024
/** The host commits when its effects hold so many results. */
export const COMMIT_RESULTS_MAX = 20_000
/** …or when the oldest uncommitted message has waited so long. */
export const COMMIT_INTERVAL_MS = 100

/** Edge: a partition's block is published when it holds so much … */
export const BLOCK_BYTES = 16 * 1024
/** … or when its first reading has waited so long. */
export const BLOCK_LINGER_MS = 20
/** Rows of one request for one partition in one block: a larger request is cut in pieces of this many rows. */
export const BLOCK_ROWS_MAX = 32_768
/** Edge: bytes published and not yet acknowledged; beyond it requests get 503. */
export const EDGE_OUTSTANDING_BYTES = 64 * 1024 * 1024
/** Edge: blocks of few rows in a second and in a burst; beyond it they leave together, after a wait of `BLOCK_LINGER_MS` at most. */
export const EDGE_BLOCKS_PER_S = 600
export const EDGE_BLOCKS_BURST = 64
/** Edge: a block of so many rows counts half of one of few. */
export const EDGE_BLOCK_ROWS_WORTH = 16
/** Edge: a block that found no log is sent once more after this pause. */
export const EDGE_RETRY_MS = 250
/** Edge: devices and series whose names are remembered as valid; at the bound all are forgotten and learnt anew. */
export const EDGE_NAMES_MAX = 200_000
/** Edge: bodies up to this size are inflated on the spot, larger ones by another thread. */
export const INFLATE_HERE_BYTES = 64 * 1024
/** Edge: rejects wait so long for others of their partition, and are kept for so many devices while the log is away. */
export const REJECTS_LINGER_MS = 100
export const REJECTS_DEVICES_MAX = 10_000
/** Edge: samples in one message of rejects. */
export const REJECTS_SAMPLES_MAX = 200
/** Edge: tenants and keys whose quota is remembered; at the bound all start anew. */
export const QUOTAS_MAX = 10_000
/** Edge: how often the others are told what was let in under a quota. */
export const QUOTA_TELL_MS = 200
/** Edge: a store that refused a connection is not asked for so long, where there is another. */
export const PROXY_AVOID_MS = 2_000
/** Edge: live streams that are being opened at a store at a time; the others wait. */
export const RELAY_OPENING_MAX = 256
/** Edge: a store that does not begin to answer within this is asked no more for a while. */
export const RELAY_OPENING_MAX_MS = 10_000
/** Edge: how long a live stream that is opened waits for a store, beyond it 503; and one that was cut from its store, beyond it the client comes again. */
export const RELAY_PATIENCE_MS = 20_000
export const RELAY_RESUME_PATIENCE_MS = 5 * 60_000
/** Edge: the pause before a store is asked again. */
export const RELAY_RETRY_MS = 200
/** Edge: bytes of one event of a live stream; a stream with a larger one is cut. The largest is a snapshot. */
export const RELAY_EVENT_BYTES_MAX = 8 * 1024 * 1024
/** Characters of an Idempotency-Key. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 255
/** Body of a request, before and after decompression: beyond it 413. */
export const BODY_MAX_BYTES = 8 * 1024 * 1024
/** Depth of nesting of a JSON or msgpack body: beyond it 400. */
export const BODY_DEPTH_MAX = 32
/** Readings of one request, good and bad together: beyond it 413, since formats exist in which a byte is a reading. */
export const BODY_READINGS_MAX = 500_000
/** Lines of a body that are no JSON: beyond it 400 for the whole, since each failure costs as much as many readings. */
export const LINES_BROKEN_MAX = 5_000
/** Rejected readings named in one answer; the rest is counted by `rejectedCount`. */
export const REJECTS_NAMED_MAX = 1_000
/** Rejected readings of one request that are kept, sampled, in the `rejects` view. */
export const REJECTS_KEPT_MAX = 20
/** Characters of a rejected reading that are kept. */
export const REJECT_TEXT_MAX = 512

/** Authorization headers that a process remembers as good; at the bound it forgets all and reads the keys anew. */
export const KEY_CACHE_MAX = 10_000
/** A closing HTTP server waits so long for the requests under way, then cuts them. */
export const HTTP_GRACE_MS = 5_000
/**
 * A kept connection may be idle for so long. Devices often send every 5 or 10 seconds: were the server to close just then, as by its default
 * of 5, their requests would be lost on the way.
 */
export const HTTP_IDLE_MS = 75_000
/** Connections that wait to be accepted, where the system allows so many; beyond it the system has them try again in a second. */
export const HTTP_BACKLOG = 4_096
/** Of the body of a request that is refused so much is read before the answer; beyond it the sender may find its connection cut. */
export const DISCARD_MAX_BYTES = 64 * 1024 * 1024

export const DEVICE_CHARS_MAX = 128
export const METRIC_CHARS_MAX = 64
export const VALUE_MAGNITUDE_MAX = 1e100
/** 2000-01-01T00:00:00Z. */
export const TS_MIN_MS = 946_684_800_000
/** How far ahead of the edge's clock a reading may be. */
export const TS_AHEAD_MS = 24 * 3_600_000

/** Log time adds at most this for one gap between messages (I2). */
export const QUIET_STEP_MAX_MS = 5_000
/** How often the owner appends a tick while the actor wants it. Below the quiet step, so that quiet time runs at the pace of the clock. */
export const TICK_INTERVAL_MS = 1_000
/** How long a partition remembers an Idempotency-Key, in log time. */
export const IDEMPOTENCY_MS = 24 * 3_600_000
/** Idempotency-Keys that a partition remembers; beyond it the oldest are forgotten, and repetitions of them are found by value. */
export const IDEMPOTENCY_KEYS_MAX = 524_288
/** Readings of one series in one minute that the partition holds; beyond it the minute closes early, and what follows is settled by the store. */
export const MINUTE_READINGS_MAX = 262_144

export const HEARTBEAT_MS = 400
/** Silence after which a member counts as gone where its connection is gone, too: longer than one that broke takes to come back. */
export const ABSENT_AFTER_MS = 500
/** Silence after which a member counts as dead. */
export const DEAD_AFTER_MS = 1_600

/** Readings that a new owner may have to replay cost at most about this much time: a snapshot is taken before. */
export const REPLAY_COST_MS = 300
/** What reading one message back costs beside its step, for that estimate. */
export const REPLAY_MESSAGE_MS = 0.03
/** A snapshot is also taken of this many times what taking one costs, so that large states do not spend their time on them. */
export const SNAPSHOT_COST_FACTOR = 4
/** A partition is held so long at most while a large snapshot is made and stored; one that takes longer is given up. */
export const SNAPSHOT_HOLD_MAX_MS = 30_000
/** A partition that is quiet for so long, or drains, takes a snapshot where its replay would cost more than this. */
export const SNAPSHOT_QUIET_MS = 700
export const SNAPSHOT_QUIET_COST_MS = 20
/** …and one with anything new takes one at this age, so that the log before it can be purged. */
export const SNAPSHOT_AGE_MAX_MS = 15 * 60_000
/** Time in steps, encoding and snapshots, of all partitions of a process together, after which timers and sockets have their turn. */
export const TURN_MS = 20
/** A host stops stepping, until its commit is answered, when so many results or messages wait beside it. */
export const COMMIT_WAITING_RESULTS_MAX = 2 * COMMIT_RESULTS_MAX
export const COMMIT_MESSAGES_MAX = 4_096
export const COMMIT_WAITING_MESSAGES_MAX = 2 * COMMIT_MESSAGES_MAX
/** Pauses between tries of a host or a member, doubling from the first to the second. */
export const RETRY_MIN_MS = 50
export const RETRY_MAX_MS = 2_000
/** A server that is cut off believes that it leads for up to 10 s; only what is missing for longer than this is missing. */
export const STALE_LEADER_MS = 15_000
/** A host that can't commit what it has when it drains gives up after this: its successor steps it again. */
export const HOST_DRAIN_MAX_MS = 3_000
/** How long a new owner that is ready waits for the old one to let go in good order, before it claims. */
export const HANDOVER_MAX_MS = 1_000
/** How long an owner goes on while the next one makes itself ready; then it lets go. */
export const PREPARE_MAX_MS = 3_000
/** How often who is ready comes level with the owner again. */
export const PREPARE_FOLLOW_MS = 100
/** How often a member asks the log how far behind its partitions are, and whether streams are still the same. */
export const MEMBER_CHECK_MS = 2_000

/** Store: a segment is sealed at this age of its first row, or at this many rows. */
export const SEAL_INTERVAL_MS = 2_000
export const SEAL_ROWS_MAX = 1_000_000
/**
 * Store: bytes read and not yet covered by a commit; beyond it the reader of that stream waits. Decoded they take several times as much. The API
 * reads far ahead of the workers, since it shows readings before any commit covers them; to the lake's writer that would be of no use.
 */
export const STORE_WAITING_BYTES = 256 * 1024 * 1024
export const WRITER_WAITING_BYTES = 64 * 1024 * 1024
/** Store: how long it waits for the lock of one that is about to end; then it gives up. */
export const STORE_LOCK_WAIT_MS = 5_000
/** Memory of the writer's own DuckDB, and of a compaction's; beyond it they spill to the lake's `tmp` folder. */
export const STORE_MEMORY_MIB = 1_024
export const COMPACT_MEMORY_MIB = 1_024
/** A segment of fewer readings is written in small blocks, since a default block holds 256 KiB however little is in it. */
export const SMALL_SEGMENT_ROWS = 50_000
export const SMALL_BLOCK_BYTES = 16_384
/**
 * Segments are merged up to this many rows; what is larger stays as it is. It bounds how long a merge takes, a few minutes, in which no other goes
 * on, and what a query of an hour long ago has to look through, a tenth of a second; a year of 10,000 readings a second is some 6,000 segments.
 */
export const COMPACT_ROWS_MAX = 128_000_000
/** A merge sorts so many readings at a time, or a quarter of it in windows: a third of its memory. */
export const MERGE_SLICE_ROWS = 4_000_000
/** How long a segment that was replaced stays for the readers that opened it. */
export const KEEP_SUPERSEDED_MS = 3_600_000
/** How long the logs keep what everybody has read, by default. */
export const KEEP_LOG_MS = 24 * 3_600_000
/** How often the logs are purged of what nobody needs, and how often a reader notes how far it is. */
export const PURGE_INTERVAL_MS = 60_000
export const REGISTER_INTERVAL_MS = 10_000
/** How often the lake's writer tells its parent how it is. */
export const STATUS_INTERVAL_MS = 1_000

/** A process that is told to end has so long to drain; then it ends as it is, and says so. */
export const DRAIN_MAX_MS = 20_000
/** Supervisor: pause before a dead process is started again, doubling from the first to the second. */
export const RESTART_MIN_MS = 100
export const RESTART_MAX_MS = 5_000
/** Life after which a process counts as healthy: its next pause is the shortest again. */
export const RESTART_RESET_MS = 60_000
/** A process' log file is put aside at this size; so many of those are kept. */
export const LOG_FILE_BYTES_MAX = 16 * 1024 * 1024
export const LOG_FILES_KEPT = 3

/** Backfill: rows of a request, and requests under way at a time. */
export const BACKFILL_BATCH_ROWS = 10_000
export const BACKFILL_IN_FLIGHT = 2
/** Backfill: rows a second that it begins with, the same where others send, and to which it slows down at most. */
export const BACKFILL_RATE_FIRST = 20_000
export const BACKFILL_RATE_FIRST_BESIDE = 4_000
export const BACKFILL_RATE_MIN = 1_000
/** Backfill: how often a request of one row feels how the others fare, and how many of them tell how that is without the backfill. */
export const BACKFILL_PROBE_MS = 100
export const BACKFILL_ENOUGH_PROBES = 20
/** Backfill: how often it rests beside others, and for how long, to feel that again. */
export const BACKFILL_REST_EVERY_MS = 12_000
export const BACKFILL_REST_MS = 3_000
/** Backfill: others send where more was accepted than it sent itself, within this time. */
export const BACKFILL_OTHERS_MS = 30_000
/** Backfill: an answer that takes longer than this, and than four times the usual, has it slow down. */
export const BACKFILL_SLOW_MS = 250
/** Backfill: it waits while so many readings of everybody are accepted and not yet in the lake. */
export const BACKFILL_BEHIND_MAX = 1_000_000
/** Backfill: files of more rows are sent in their own order, since sorting them takes more memory than this. */
export const BACKFILL_SORTED_ROWS_MAX = 10_000_000
export const BACKFILL_MEMORY_MIB = 2_048

/** Analytics: connections to the lake; each query takes one. Together below the four threads that all file I/O shares. */
export const LAKE_CONNECTIONS = 3
export const LAKE_THREADS = 2
/** Memory of the queries of a store; a query beyond it fails, nothing else does. */
export const LAKE_MEMORY_MIB = 1_024
/** Series of up to so many devices are read by their rows in each segment, in so many pieces at most; what is more is filtered by name. */
export const NARROWED_DEVICES_MAX = 8
export const NARROWED_PARTS_MAX = 2_000
/** Series of a segment whose places in it are remembered; beyond it they are forgotten, and looked up again. */
export const PLACES_KNOWN_MAX = 500
/** Queries that wait for a connection; beyond it 503. */
export const LAKE_QUERIES_WAITING_MAX = 256
/** A query is interrupted at this age: 503. */
export const LAKE_QUERY_MAX_MS = 30_000
/** Rows of a page: by default, and at most. */
export const PAGE_ROWS = 1_000
export const PAGE_ROWS_MAX = 100_000
/** Rows of a page of anomalies that say what the neighbours did, each of which looks at all devices of its kind. */
export const WHY_ROWS_MAX = 100
/** Readings whose percentiles one statement computes, all in memory; a page of windows that holds more of them takes several. */
export const WINDOW_READINGS_MAX = 20_000_000
/** Devices or metrics named in one request. */
export const NAMES_MAX = 200
/** Rows not yet in the lake that are kept in memory for readers; beyond it the oldest show once they are sealed. */
export const FRESH_ROWS_MAX = 8_000_000
/** The catalog of series is read anew from the lake at most this often, when rows left it otherwise than by one. */
export const CATALOG_REBUILD_MIN_MS = 5_000
/** Width of a graph in pixels. */
export const GRAPH_WIDTH_MAX = 10_000
/** Anomalies of a graph; of more the worst are shown. */
export const GRAPH_ANOMALIES_MAX = 2_000
/** Metrics of one request for graphs; beyond it 400. */
export const GRAPH_METRICS_MAX = 20
/** The order of a fleet's devices, and the sums of anomalies and fates in it, are made anew at most so often; until then all get the same. */
export const FLEET_FRESH_MS = 2_000
export const FLEET_SUMS_MS = 10_000
/** Series of the catalog that are looked through in one go, before others have their turn. */
export const FLEET_SLICE_SERIES = 20_000
/** Edited units of a tenant, and characters of one that is sent; beyond them 400. */
export const UNITS_MAX = 500
export const UNIT_BODY_CHARS_MAX = 4_096
/** Series of a tenant that may have drivers; beyond it 400. Bytes of a request that names them; beyond it 413. */
export const DRIVEN_MAX = 2_000
export const DRIVERS_BODY_BYTES_MAX = 16_384
/** Rules of a tenant; beyond it 400. Bytes of one that is sent; beyond it 413. */
export const RULES_MAX = 500
/** Kept views of a tenant; beyond it 400. Each manifest names those of all. */
export const VIEWS_MAX = 32
/** Bytes of a view that is sent; beyond it 413. */
export const VIEW_BODY_BYTES_MAX = 16_384
/** How long one view may be computed over one segment. */
export const VIEW_PARTS_MAX_MS = 600_000
export const RULE_BODY_BYTES_MAX = 32_768
/** What a trial of a rule on history looks at: its series, the first by name, and the readings of all of them; beyond it 400. */
export const TRIAL_SERIES_MAX = 200
export const TRIAL_READINGS_MAX = 500_000
/** Alert events that one trial tells; of more the first are told. */
export const TRIAL_EVENTS_MAX = 5_000
/** Routes of alerts of a tenant; beyond it 400. Bytes of one that is sent; beyond it 413. */
export const ROUTES_MAX = 50
export const ROUTE_BODY_BYTES_MAX = 32_768
/** Notifier: alerts of a tenant that are remembered while they are open; of more those that came first are let go: they are reminded of, and silence others, no more. */
export const NOTIFY_OPEN_MAX = 10_000
/** Notifier: messages of a route that wait for a receiver; beyond it the oldest are given up, and said to be. */
export const NOTIFY_WAITING_MAX = 1_000
/** Notifier: events in one message; of more their number is told. */
export const NOTIFY_EVENTS_MAX = 50
/** Notifier: bytes of what is kept of a tenant; beyond it the oldest messages are given up until it fits. */
export const NOTIFY_STATE_BYTES_MAX = 6 * 1024 * 1024
/** Notifier: alerts and groups of a tenant that are stored at each change; of more all are stored once, and then those that have changed since. */
export const NOTIFY_CHANGES_MAX = 256
/** Notifier: messages under way at a time, to one route and to all. */
export const NOTIFY_ROUTE_IN_FLIGHT = 4
export const NOTIFY_IN_FLIGHT = 64
/** Notifier: routes that are tried at a time. */
export const NOTIFY_TESTS_MAX = 8
/** Notifier: how long one receiver may take to answer, and how many bytes of its answer are read. */
export const NOTIFY_ANSWER_MAX_MS = 10_000
export const NOTIFY_ANSWER_BYTES_MAX = 16_384
/** Notifier: pauses of a route whose receiver fails, and of one message that was refused, doubling from the first to the second. */
export const NOTIFY_PAUSE_MIN_MS = 500
export const NOTIFY_PAUSE_MAX_MS = 30_000
export const NOTIFY_RETRY_MIN_MS = 1_000
export const NOTIFY_RETRY_MAX_MS = 600_000
/** Notifier: the longest that a receiver may ask for by Retry-After. */
export const NOTIFY_RETRY_AFTER_MAX_MS = 3_600_000
/** Notifier: that something has been delivered is stored this much later, or with what comes before. */
export const NOTIFY_SETTLE_MS = 200
/** Notifier: as much later what is known of a tenant without routes. */
export const NOTIFY_UNROUTED_MS = 5_000
/** Bytes of an answer to an anomaly; beyond them 413. */
export const ANSWER_BODY_BYTES_MAX = 4_096
/** How far ahead a forecast may be asked for; beyond it 400. */
export const FORECAST_HORIZON_MAX_MS = 7 * 24 * 3_600_000
/** How long a status waits for the tail to reach the ends of the logs. */
export const STATUS_WAIT_MAX_MS = 1_000
/** Live streams at a time; beyond it 503. Each takes one file descriptor here, and two at an edge. */
export const LIVE_SUBSCRIBERS_MAX = 10_000
/** Bytes that a reader of a live stream may be behind while its connection takes nothing; beyond it the stream ends, and resumes by its last id. */
export const LIVE_QUEUE_BYTES_MAX = 4 * 1024 * 1024
/** Bytes that all live streams together hold; beyond it those furthest behind end, and resume. */
export const LIVE_BYTES_MAX = 256 * 1024 * 1024
/** Text of one channel that waits for the next round of writing; beyond it a round does not wait. */
export const LIVE_LINK_CHARS = 64 * 1024
/** A connection that takes nothing for so long is cut. */
export const LIVE_STALLED_MAX_MS = 60_000
/** Series in the snapshot of a live stream. */
export const LIVE_SNAPSHOT_MAX = 10_000
/** So long a snapshot serves all who ask for the same; they get what came since behind it. */
export const LIVE_SNAPSHOT_SHARED_MS = 500
/** A quiet stream gets a heartbeat about as often; so many parts of the streams have theirs in turn. */
export const LIVE_HEARTBEAT_MS = 15_000
export const LIVE_BEATS = 30
/** A live stream that resumes further back than so many messages begins with a snapshot instead. */
export const LIVE_RESUME_MESSAGES_MAX = 500_000
/** How long a resumed stream waits for a process that has just started to come nearer to its place. */
export const LIVE_RESUME_WAIT_MS = 20_000
/** Runs through the log at a time, each for all streams that resume from about the same distance; the others wait. */
export const LIVE_CATCH_UPS_MAX = 2
/** Streams at most this many messages behind catch up together, whatever their distance. */
export const LIVE_CATCH_UP_NEAR_MESSAGES = 4_096
/** Once no more than this is left to be read, the streams of a run join the others. */
export const LIVE_CATCH_UP_LAST_MESSAGES = 500
/** Text of a run that is passed on before it goes on. */
export const LIVE_CATCH_UP_CHARS = 8 * 1024 * 1024
/** A stream whose reader is so far behind leaves its run, and is taken up again once the reader has caught up. */
export const LIVE_CATCH_UP_OWED_MAX = 1024 * 1024
/** What was read of the log for streams that resumed is held for the next so long, and so many bytes of it; beyond them each run reads for itself. */
export const LIVE_RECENT_MS = 10_000
export const LIVE_RECENT_BYTES_MAX = 64 * 1024 * 1024
/** Messages of RESULTS read before the resumed position, since a commit may have begun before it. */
export const LIVE_RESULTS_LOOKBACK = 256

/** Public SQL: body of a request, beyond it 413; characters of a query and its parameters, beyond them 400. */
export const SQL_BODY_BYTES_MAX = 1024 * 1024
export const SQL_TEXT_CHARS_MAX = 65_536
export const SQL_PARAMETERS_MAX = 1_000
/** Parts of a parsed query and their depth; beyond it 400. Of deeper ones DuckDB can't be interrupted while it plans them. */
export const SQL_NODES_MAX = 20_000
export const SQL_DEPTH_MAX = 150
/** Rows of an answer: of JSON by default, where it then says that it is cut; and at most, in any format. */
export const SQL_ROWS = 10_000
export const SQL_ROWS_MAX = 10_000_000
/** Time of a query from its start to its last byte, by default and at most: it is interrupted then, and its process killed where that does not end it. */
export const SQL_TIME_MS = 30_000
export const SQL_TIME_MAX_MS = 300_000
export const SQL_KILL_AFTER_MS = 1_000
/** Processes for public queries, one query each at a time. One tenant has all but one of them at most. */
export const SQL_PROCESSES = 3
export const SQL_THREADS = 2
/** Priority of those processes, of 19, which is the least. */
export const SQL_NICENESS = 10
/** Memory that DuckDB takes for a query, and that its process takes in all: beyond either the query ends with 400. */
export const SQL_MEMORY_MIB = 512
export const SQL_RSS_MAX_MIB = 1_280
/** What sorts, joins and groups of one process put on the disk beyond that; beyond it the query ends with 400. */
export const SQL_SPILL_MIB = 1_024
/** How often the memory is looked at. */
export const SQL_WATCH_MS = 50
/** Queries that wait for a process: in all, of one tenant, and for how long; beyond it 503. */
export const SQL_WAITING_MAX = 64
export const SQL_WAITING_TENANT_MAX = 16
export const SQL_WAIT_MAX_MS = 10_000
/** Rows of one tenant that no segment holds yet and that are handed to a query; where there are more, the store is behind, and it is 503. */
export const SQL_FRESH_ROWS_MAX = 2_000_000
/** Bytes of an answer that are gathered before they are sent: a smaller answer is sent whole, or not at all. */
export const SQL_CHUNK_BYTES = 65_536
/** A process that does not come up within this is killed, and the query that waits for it gets 503. */
export const SQL_START_MAX_MS = 15_000

assert(COMMIT_PART_BYTES < PAYLOAD_MAX_BYTES, 'a part of a commit must fit a message')
assert(BLOCK_ROWS_MAX * (32 + DEVICE_CHARS_MAX + METRIC_CHARS_MAX) < PAYLOAD_MAX_BYTES, 'a block of the longest names must fit a message')
assert(TICK_INTERVAL_MS < QUIET_STEP_MAX_MS, 'ticks must come more often than the longest step of quiet time')
assert(COMMIT_RESULTS_MAX <= COMMIT_WAITING_RESULTS_MAX && COMMIT_MESSAGES_MAX <= COMMIT_WAITING_MESSAGES_MAX)
assert(HEARTBEAT_MS < ABSENT_AFTER_MS && ABSENT_AFTER_MS < DEAD_AFTER_MS, 'a heartbeat in time must never be overdue')
assert(HEARTBEAT_MS * 3 <= DEAD_AFTER_MS, 'a member must be able to miss two heartbeats')
assert(LIVE_CATCH_UP_OWED_MAX < LIVE_QUEUE_BYTES_MAX && LIVE_QUEUE_BYTES_MAX < LIVE_BYTES_MAX, 'one reader must not use up what there is for all')
assert(LIVE_SNAPSHOT_MAX * (DEVICE_CHARS_MAX + METRIC_CHARS_MAX + 160) < RELAY_EVENT_BYTES_MAX, 'the largest snapshot must pass an edge')
assert(BLOCK_LINGER_MS < COMMIT_INTERVAL_MS)
assert(NOTIFY_STATE_BYTES_MAX < PAYLOAD_MAX_BYTES, 'what is kept of a tenant must fit a message')
assert(SQL_PROCESSES > 1 && SQL_MEMORY_MIB < SQL_RSS_MAX_MIB && SQL_TIME_MS <= SQL_TIME_MAX_MS && SQL_ROWS <= SQL_ROWS_MAX)
