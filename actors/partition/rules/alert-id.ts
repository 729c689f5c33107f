/**
 * Names of alerts: the rule, a hash of tenant and series, and the log's time at the opening. The same log gives the same names, whoever replays it.
 */

/** FNV-1a, 32 bits, over UTF-16 units, from `seed` on. */
function hash(text: string, seed: number): string {
  let h = seed
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return (h >>> 0).toString(36).padStart(7, '0')
}

export function alertId({ tenant, rule, device, metric, openedMs }: { tenant: string; rule: string; device: string; metric: string; openedMs: number }): string {
  const series = `${tenant}\n${device}\n${metric}`
  return `${rule}.${hash(series, 0x811c9dc5)}${hash(series, 0x1b873593)}.${openedMs.toString(36)}`
}
