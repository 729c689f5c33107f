/** Times as text: RFC 3339, to whole epoch milliseconds. */

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?(?:([Zz])|([+-])(\d\d):(\d\d))$/
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * Epoch ms of an RFC 3339 date and time, or NaN where the text is none. Fractions finer than a millisecond are cut off; a leap
 * second (`:60`) counts as the second after it.
 *
 * @example rfc3339('2026-01-01T01:00:00.5+01:00') // 1767225600500
 */
export function rfc3339(text: string): number {
  if (text.length > 48) return NaN
  const m = RFC3339.exec(text)
  if (m === null) return NaN
  const year = Number(m[1])
  const month = Number(m[2])
  const day = Number(m[3])
  const hour = Number(m[4])
  const minute = Number(m[5])
  const second = Number(m[6])
  if (!isDay(year, month, day)) return NaN
  if (hour > 23 || minute > 59 || second > 60) return NaN
  const ms = m[7] === undefined ? 0 : Number(m[7].slice(0, 3).padEnd(3, '0'))
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, ms)
  // Date.UTC takes years below 100 for those of the twentieth century; such years are out of range anyway.
  if (year < 100) return NaN
  if (m[8] !== undefined) return utc
  const offsetHours = Number(m[10])
  const offsetMinutes = Number(m[11])
  if (offsetHours > 23 || offsetMinutes > 59) return NaN
  const offsetMs = (offsetHours * 60 + offsetMinutes) * 60_000
  return m[9] === '-' ? utc + offsetMs : utc - offsetMs
}

/** Whether the calendar has the day; `month` from 1. */
export function isDay(year: number, month: number, day: number): boolean {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month >= 1 && month <= 12 && day >= 1 && day <= (month === 2 && leap ? 29 : DAYS[month - 1])
}
