/** What the API answers, as far as the dashboard reads it. Times are epoch ms: every request asks for `time=ms`. */

/** A series as `/v1/series` lists it. */
export interface SeriesRow {
  readonly device: string
  readonly metric: string
  readonly count: number
  /** Null until a reading of it is stored. */
  readonly first: number | null
  /** Time of the last reading by event time, and its value. */
  readonly last: number
  readonly value: number
}

export interface ReadingRow {
  readonly device: string
  readonly metric: string
  readonly ts: number
  readonly value: number
}

export interface AnomalyRow {
  readonly device: string
  readonly metric: string
  readonly ts: number
  readonly value: number
  readonly score: number
  readonly expected: number | null
  readonly lower: number | null
  readonly upper: number | null
  readonly reason: string
  /** Of a row of `/v1/anomalies` or of a live event; a graph leaves them out. */
  readonly kind?: string | null
  readonly part?: string | null
  readonly useful?: boolean | null
}

/** An anomaly as `/v1/anomalies?why=true` has it. */
export interface WhyRow extends AnomalyRow {
  readonly residual: number | null
  readonly neighbours: { readonly kind: string | null; readonly devices: number; readonly unusual: number; readonly median: number | null }
}

/** A forecast as it comes live; times are when each hour begins. */
export interface ForecastEvent {
  readonly device: string
  readonly metric: string
  readonly model: string
  readonly made_at: number
  readonly coverage: number | null
  readonly error: number | null
  readonly forecast: readonly {
    readonly ts: number
    readonly mean: number
    readonly lower: number
    readonly upper: number
    readonly lower80: number
    readonly upper80: number
  }[]
}

export interface WindowRow {
  readonly device: string
  readonly metric: string
  readonly size: string
  readonly start: number
  readonly count: number
  readonly min: number | null
  readonly max: number | null
  readonly mean: number | null
  readonly p50: number | null
  readonly p95: number | null
  readonly stddev: number | null
  readonly closed_by: string | null
}

/** Columns ready to plot, at most a few points a pixel. */
export interface Graph {
  readonly from: number
  readonly to: number
  /** What the points are made of: readings, or windows of a size. */
  readonly source: string
  readonly stepMs: number
  readonly ts: readonly number[]
  readonly min: readonly (number | null)[]
  readonly max: readonly (number | null)[]
  readonly mean: readonly (number | null)[]
  /** Left out by an older store. */
  readonly p50?: readonly (number | null)[]
  readonly p95?: readonly (number | null)[]
  readonly gaps: readonly (readonly [from: number, to: number])[]
  readonly anomalies: {
    readonly ts: readonly number[]
    readonly value: readonly number[]
    readonly score: readonly number[]
    readonly expected: readonly (number | null)[]
    readonly lower: readonly (number | null)[]
    readonly upper: readonly (number | null)[]
    readonly reason: readonly string[]
  }
  /** The hours ahead by their middles; null where none are forecast, left out by an older store. */
  readonly forecast?: {
    readonly model: string
    readonly made_at: number
    readonly coverage: number | null
    readonly error: number | null
    readonly ts: readonly number[]
    readonly mean: readonly number[]
    readonly lower: readonly number[]
    readonly upper: readonly number[]
    readonly lower80: readonly number[]
    readonly upper80: readonly number[]
  } | null
}

export interface Ledger {
  readonly received: number
  readonly accepted: number
  readonly rejected: number
  readonly onTime: number
  readonly late: number
  readonly duplicate: number
  readonly expired: number
}

/** A ledger of a step of time, and of a device. */
export interface LedgerAt extends Ledger {
  readonly start: number
}
export interface LedgerOf extends Ledger {
  readonly device: string
}

export interface DeviceRow {
  readonly device: string
  readonly state: 'speaking' | 'silent' | 'past'
  readonly last: number
  readonly everyMs: number | null
  readonly series: number
  readonly metrics: readonly { readonly metric: string; readonly ts: number; readonly value: number }[]
  readonly anomalies: { readonly count: number; readonly newest: number; readonly metric: string; readonly ts: number; readonly value: number; readonly score: number; readonly reason: string } | null
  readonly hour: Ledger | null
}

export interface FleetSummary {
  readonly devices: number
  readonly series: number
  readonly speaking: number
  readonly silent: number
  readonly past: number
  readonly unusual: number
  readonly anomalies: number
  readonly hour: Ledger
  readonly metrics: readonly { readonly metric: string; readonly series: number }[]
}

export interface Devices {
  readonly summary: FleetSummary
  readonly found: number
  readonly devices: readonly DeviceRow[]
}

export interface Status {
  readonly accepted: number
  readonly processed: number
  readonly sealed: number
  readonly settled: boolean
  readonly lagMs: number
  readonly partitions: readonly {
    readonly partition: number
    readonly owner: string | null
    readonly runtime?: string | null
    readonly epoch?: number | null
    readonly position?: number | null
    readonly behind?: number | null
    readonly pending?: number | null
  }[]
  readonly members: readonly {
    readonly id: string
    readonly role: string
    readonly runtime?: string
    readonly pid?: number
    readonly url?: string | null
    readonly startedAt?: number
    readonly partitions?: readonly number[]
  }[]
}

export interface SeriesKey {
  readonly device: string
  readonly metric: string
}

/** What one unit more of a driver does to the series, and the standard error of that. */
export interface DriverEffect {
  readonly effect: number
  readonly error: number
}

/** A driver; its effects are left out until they were told. */
export interface DriverRow extends SeriesKey {
  readonly last_hour?: DriverEffect
  readonly last_6h?: DriverEffect
  readonly last_24h?: DriverEffect
}

/** What drives a series. */
export interface DriversOf extends SeriesKey {
  readonly gain: number | null
  readonly used: boolean
  readonly hours: number
  readonly learned_at: number | null
  readonly drivers: readonly DriverRow[]
  readonly mayEdit: boolean
}

/** Devices of one kind whose days run alike. */
export interface FleetGroup {
  readonly cluster: number
  readonly devices: number
  readonly level: number | null
  /** Of each hour of a UTC day, how far it is from the level. */
  readonly profile: readonly number[]
  readonly spread: number
  readonly members: readonly { readonly device: string; readonly level: number }[]
}

export interface FleetOutlier {
  readonly device: string
  readonly day: number
  readonly since: number
  readonly by: 'profile' | 'level'
  readonly distance: number
  readonly usual: number
}

export interface FleetKind {
  readonly sort: string
  readonly metric: string
  readonly devices: number
  readonly ungrouped: number
  readonly days: number
  readonly level: number
  readonly level_spread: number
  readonly groups: readonly FleetGroup[]
  readonly outliers: readonly FleetOutlier[]
}

export interface Fleet {
  readonly found: number
  readonly metrics: readonly { readonly metric: string; readonly kinds: number; readonly outliers: number }[]
  readonly kinds: readonly FleetKind[]
}

/** A step in the life of an alert. */
export interface AlertStep {
  readonly event: string
  readonly severity: string
  readonly at: number
  readonly value: number | null
  readonly message: string
  readonly person: string | null
}

/** An alert as `/v1/alerts` has it: what stands beside its history is that of its last step. */
export interface AlertRow extends AlertStep {
  readonly id: string
  readonly rule: string
  readonly device: string
  readonly metric: string
  readonly state: string
  readonly opened_at: number
  readonly history: readonly AlertStep[]
}

export interface Alerts {
  readonly alerts: readonly AlertRow[]
  readonly cursor: string | null
  /** Whether the key may answer them. */
  readonly mayAct: boolean
}

/** A step as it comes live. */
export interface AlertEvent extends AlertStep {
  readonly id: string
  readonly rule: string
  readonly device: string
  readonly metric: string
}

/** What people write into a rule, as far as it is read here; of one that is just being written any part may be something else. */
export interface RuleDocument {
  readonly name?: string
  readonly select: { readonly metric: string; readonly device?: string; readonly devices?: readonly string[]; readonly prefix?: string }
  readonly when: unknown
  readonly for?: string
  readonly severity?: string
  readonly steps?: readonly { readonly severity: string; readonly when: unknown; readonly for?: string }[]
  readonly enabled?: boolean
}

export interface RuleRow {
  readonly id: string
  readonly revision: number
  readonly in_force: boolean
  readonly rule: RuleDocument
}

export interface Rules {
  readonly rules: readonly RuleRow[]
  readonly mayEdit: boolean
}
