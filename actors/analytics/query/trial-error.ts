/** A trial that would look at more than it may. */

export class TrialError extends Error {
  constructor(must: string, current: number) {
    super(`Cannot try this rule as ${must}: current number is ${current}. Ask for a shorter time, or for fewer devices`)
    this.name = 'TrialError'
  }
}
