/**
 * What is said of an anomaly: its score, the band that was expected, and the reason as a sentence. What is one, detector.ts decides.
 *
 * - V1 The score is L / (L + `ALARM_LIKELIHOOD`), L = −log10 of the likelihood: at least one half, and below 1.
 * - V2 `lower` and `upper` hold 99.9 % of normally distributed residuals.
 */

/** −log10 of the likelihood below which a reading is an anomaly. */
export const ALARM_LIKELIHOOD = 6.5
/** Deviations to either side that hold 99.9 % of a normal distribution. */
const BAND = 3.29

/** What the detector found last. */
export interface Verdict {
  kind: 'spike' | 'stuck'
  score: number
  expected: number
  lower: number
  upper: number
  /** Distance from the expected value in deviations, or readings at rest. */
  size: number
  /** Readings that the value usually rests. */
  usual: number
  /** −log10 of the likelihood that the score comes from, and what one deviation was. */
  likelihood: number
  deviation: number
  /** What a spike was weighed by: the forecast that was believed, the distance of the short-term mean, the mean excess, the peak to exceed. */
  believed: 'slow' | 'fast'
  shortDistance: number
  excess: number
  peak: number
}

/** One for all, overwritten by the next anomaly: who wants to keep it copies it. */
export const verdict: Verdict = {
  kind: 'spike',
  score: 0,
  expected: 0,
  lower: 0,
  upper: 0,
  size: 0,
  usual: 0,
  likelihood: 0,
  deviation: 0,
  believed: 'slow',
  shortDistance: 0,
  excess: 0,
  peak: 0,
}

/** Writes down an anomaly. `likelihood` is −log10 of it, at least `ALARM_LIKELIHOOD`; `size` and `usual` as in `Verdict`. */
export function report(kind: Verdict['kind'], likelihood: number, expected: number, deviation: number, size: number, usual: number): void {
  verdict.kind = kind
  verdict.score = likelihood / (likelihood + ALARM_LIKELIHOOD)
  verdict.expected = expected
  verdict.lower = expected - BAND * deviation
  verdict.upper = expected + BAND * deviation
  verdict.size = size
  verdict.usual = usual
  verdict.likelihood = likelihood
  verdict.deviation = deviation
}

/** Writes down what a spike is weighed by; `excess` and `peak` as they were before it. */
export function weigh(believed: Verdict['believed'], shortDistance: number, excess: number, peak: number): void {
  verdict.believed = believed
  verdict.shortDistance = shortDistance
  verdict.excess = excess
  verdict.peak = peak
}

/** The verdict on `value` as a sentence. */
export function reasonOf(value: number): string {
  const v = verdict
  if (v.kind === 'stuck') {
    const usual = v.usual < 1.5 ? 'reading' : `${Math.round(v.usual)} readings`
    return `${short(value)} has not changed for ${v.size} readings, though it usually changes every ${usual}`
  }
  const side = value < v.expected ? 'below' : 'above'
  const usual = `${short(v.lower)} to ${short(v.upper)} would be usual`
  return `${short(value)} is ${short(Number(v.size.toFixed(1)))} deviations ${side} the expected ${short(v.expected)}; ${usual}`
}

/** A number in few characters: three significant places, more where the whole part has more. */
function short(n: number): string {
  const magnitude = Math.abs(n)
  if (magnitude >= 1e6 || (magnitude < 1e-3 && magnitude > 0)) return String(Number(n.toPrecision(3)))
  return String(Number(n.toFixed(magnitude >= 100 ? 1 : magnitude >= 1 ? 2 : 4)))
}
