/** SELECTs and readings drawn from a seed, for laws of kept views. */

export type Random = () => number

/** Marsaglia's xorshift32: the same numbers for the same seed. */
export function randomOf(seed: number): Random {
  let x = (seed * 2_654_435_761) >>> 0 || 1
  return () => {
    x ^= x << 13
    x >>>= 0
    x ^= x >>> 17
    x ^= x << 5
    x >>>= 0
    return x / 2 ** 32
  }
}

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]
const some = <T>(random: Random, from: readonly T[], share: number): T[] => from.filter(() => random() < share)

const CONDITIONS = [
  "metric = 'moisture'", 'value > 20', 'value <= 15 OR value IS NULL', "device LIKE 'probe-%'", 'hour(ts) BETWEEN 6 AND 18', "metric IN ('moisture', 'rain') AND NOT value < 0",
  "ts >= TIMESTAMP '2026-03-01 06:00:00'", 'isfinite(value)', 'received_at - ts < INTERVAL 1 HOUR', 'value % 2 >= 1', 'NOT isnan(value) AND abs(value) < 1e6', 'false',
]
const ARGUMENTS = ['value', 'value * 2 + 1', 'abs(value)', 'CASE WHEN value > 10 THEN value END', 'nullif(value, 0)', 'round(value)::BIGINT', 'greatest(value, 5)', 'value::DECIMAL(18, 3)', 'hour(ts)']
const KEYS = [
  'device', 'metric', "time_bucket(INTERVAL '1 hour', ts)", "time_bucket(INTERVAL '15 minutes', ts)", "date_trunc('day', ts)", 'hour(ts)', 'value > 10', "CASE WHEN value > 20 THEN 'wet' ELSE 'dry' END",
  'dayofweek(ts)', 'upper(metric)', "split_part(device, '-', 2)", 'tenant', "time_bucket(INTERVAL '7 minutes', ts, TIMESTAMP '2026-01-01 00:01:00')",
]

function aggregate(random: Random): string {
  const x = pick(random, ARGUMENTS)
  const filter = random() < 0.25 ? ` FILTER (WHERE ${pick(random, CONDITIONS)})` : ''
  const made = pick(random, [
    'count(*)', `count(${x})`, `count_if(${pick(random, CONDITIONS)})`, `sum(${x})`, `avg(${x})`, `mean(${x})`, `min(${x})`, `max(${x})`, 'min(device)', 'max(ts)',
    'arg_max(value, (ts, value))', 'arg_min(value, (ts, value))', 'max_by(device, (ts, device))', `var_samp(${x})`, `stddev(${x})`, `stddev_pop(${x})`, `var_pop(${x})`,
    'bool_or(value > 30)', 'bool_and(value > 5)', 'bit_or(hour(ts))', 'bit_xor(minute(ts))', `max(DISTINCT ${x})`, 'sum(1)',
  ])
  return `${made}${filter}`
}

function shown(random: Random): string {
  const a = aggregate(random)
  return pick(random, [a, a, a, 'max(value) - min(value)', `coalesce(avg(value), 0) / 2`, 'CASE WHEN count(*) > 3 THEN sum(value) END', 'round(avg(value), 1)', 'count(*) * 100.0 / greatest(count(value), 1)'])
}

const HAVING = ['count(*) > 1', 'max(value) > 10', 'avg(value) IS NOT NULL AND count(*) < 100', 'sum(value) > 0 OR min(value) < 0']

/** A SELECT of those that are kept. */
export function drawSelect(random: Random): string {
  const source = random()
  const where = random() < 0.5 ? ` WHERE ${some(random, CONDITIONS, 0.12).concat(pick(random, CONDITIONS.slice(0, -1))).join(' AND ')}` : ''
  const columns = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, i) => `${shown(random)} AS c${i}`)
  const having = random() < 0.3 ? ` HAVING ${pick(random, HAVING)}` : ''
  if (source < 0.15) {
    const gap = pick(random, ["INTERVAL '10 minutes'", 'INTERVAL 1 HOUR', "INTERVAL '90 seconds'"])
    const keys = ['device', 'metric', 'session_start', ...some(random, ['session_end', 'tenant'], 0.5)]
    const length = keys.includes('session_end') ? ['session_end - session_start AS lasted'] : []
    return `SELECT ${[...keys, ...length, ...columns].join(', ')} FROM readings_sessions(${gap})${where} GROUP BY ${keys.join(', ')}${having}`
  }
  const isHopping = source < 0.35
  const from = isHopping ? `readings_hopping(${pick(random, ["INTERVAL '15 minutes', INTERVAL '1 hour'", "INTERVAL '10 minutes', INTERVAL '25 minutes'", "INTERVAL '1 hour', INTERVAL '1 hour'", "INTERVAL '1 hour', INTERVAL '20 minutes'"])})` : pick(random, ['readings', 'readings', 'readings r'])
  const keys = [...new Set([...some(random, KEYS, 0.25), ...(isHopping ? ['window_start'] : [])])]
  const named = keys.map((key, i) => `${key} AS k${i}`)
  if (keys.length === 0) return `SELECT ${columns.join(', ')} FROM ${from}${where}${having}`
  const how = random()
  const groups = how < 0.4 ? 'ALL' : how < 0.6 ? keys.map((_, i) => i + 1).join(', ') : how < 0.8 ? keys.map((_, i) => `k${i}`).join(', ') : keys.join(', ')
  return `SELECT ${[...named, ...columns].join(', ')} FROM ${from}${where} GROUP BY ${groups}${having}`
}

export interface DrawnReading {
  readonly device: string
  readonly metric: string
  readonly tsMs: number
  readonly value: number | null
  readonly receivedMs: number
}

/** Readings of a few hours, in disorder; some at one time, some of special values. */
export function drawReadings(random: Random, count: number): DrawnReading[] {
  const begin = Date.UTC(2026, 2, 1)
  const special = [0, -1, -0.5, 1e9, 15, 20]
  return Array.from({ length: count }, () => {
    const tsMs = begin + Math.floor(random() * 720) * 60_000 * (random() < 0.3 ? 1 : 0.25) + (random() < 0.5 ? 0 : Math.floor(random() * 60_000))
    return {
      device: `${pick(random, ['probe', 'mast'])}-${Math.floor(random() * 4)}`,
      metric: pick(random, ['moisture', 'rain', 'temperature']),
      tsMs: Math.floor(tsMs),
      value: random() < 0.1 ? pick(random, special) : Math.round(random() * 40 * 64) / 64,
      receivedMs: Math.floor(tsMs + random() * 7_200_000),
    }
  })
}
