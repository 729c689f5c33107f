/** Sorting a few dozens of doubles in place, which what is open is asked for at each close. */

/** Up to so many numbers insertion is sooner done than the engine's own sort begins. */
const INSERTION_MAX = 64

/** Sorts the numbers of [from, until); those in order already are only looked at. */
export function ascend(numbers: Float64Array, from: number, until: number): void {
  let i = from + 1
  while (i < until && numbers[i - 1] <= numbers[i]) i++
  if (i < until && until - from > INSERTION_MAX) {
    numbers.subarray(from, until).sort()
    return
  }
  for (; i < until; i++) {
    const v = numbers[i]
    let j = i - 1
    while (j >= from && numbers[j] > v) {
      numbers[j + 1] = numbers[j]
      j--
    }
    numbers[j + 1] = v
  }
}
