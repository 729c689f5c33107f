/**
 * What is found of the reading at hand on its way through the parts of the ensemble.
 *
 * Numbers stand here, and are not passed from function to function, as the engine makes an object on the heap of each double that it passes
 * to or takes from a function which it does not inline: there were a dozen of them a reading, and they cost as much as the arithmetic.
 *
 * - W1 A number that a reading has nothing to say of is NaN where that differs from 0.
 */

/** One for all, overwritten by the next reading. Each begins as a fraction, so that the engine holds all of them as doubles. */
export const seen = {
  /** Event time, epoch ms, and value. */
  ts: 0.5,
  value: 0.5,
  /** One over the count of readings of the series, this one included. */
  least: 0.5,
  /** The value less the last. */
  moved: 0.5,
  /** Usual intervals in the silence before it. */
  silence: 0.5,
  /** By the autoregression: what was expected, the value less it, and the deviation of such errors, at least the gauge's step. */
  expected: 0.5,
  error: 0.5,
  deviation: 0.5,
  /** What the slow mean learns of it. */
  slowRate: 0.5,
  /** Distance from the mean of its half-hour and of its hour, NaN where unknown; and the hour's blended deviation. */
  slotMiss: 0.5,
  hourMiss: 0.5,
  hourDeviation: 0.5,
  /** Mean squares of the changes of late over those of long, and the logarithm of that to base two. */
  scatterRatio: 0.5,
  scatterLog: 0.5,
  /** The greatest of the parts' surprises, each by its weight. */
  surprise: 0.5,
}
