/** What a plot's card says of the day's advice: its state in a word, and what to do in a few. Pure. */

export interface PlotDay {
  readonly key: string
  /** YYYY-MM-DD, where the plot is. */
  readonly day: string
  readonly advice?: string
  readonly water_on?: string | null
  readonly water_mm?: number | null
  readonly least_mm?: number | null
  readonly most_mm?: number | null
  readonly litres?: number | null
  readonly reasons: readonly string[]
  readonly depletion_mm: number
  readonly deviation_mm?: number | null
  readonly ready_mm: number
  readonly total_mm: number
  readonly seen_mm?: number | null
  readonly rain_mm?: number | null
  readonly irrigation_mm?: number | null
  readonly stage?: string
  readonly outlook: readonly (readonly [day: string, depletionMm: number, deviationMm: number, readyMm: number, totalMm: number])[]
  readonly nitrogen?: string | null
  readonly grade?: string | null
}

export interface PlotEntry {
  readonly id: string
  readonly plot: { readonly name: string; readonly crop: string | { readonly name: string }; readonly areaHa: number }
  readonly advice: PlotDay | null
}

export type PlotMood = 'well' | 'soon' | 'thirsty' | 'resting' | 'unknown'

const DAY_MS = 86_400_000
const daysBetween = (from: string, to: string): number => Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS)

/** All plots in a sentence. */
export function summary(plots: readonly PlotEntry[], advised: boolean): string {
  if (plots.length === 0) return 'None yet. An admin writes them down with PUT /v1/plots/{id}.'
  if (!advised) return 'Nobody advises yet: run a worker with --actors farm.'
  const moods = plots.map(({ advice }) => moodOf(advice))
  const due = moods.filter((mood) => mood === 'thirsty' || mood === 'soon').length
  if (moods.every((mood) => mood === 'unknown')) return 'The first advice comes an hour after midnight.'
  return due === 0 ? 'None wants water for now.' : due === 1 ? 'One wants water.' : `${due} want water.`
}

/** The advice of a day is for the evening of the next. */
export function moodOf(advice: PlotDay | null): PlotMood {
  if (advice === null) return 'unknown'
  if (advice.stage === 'before planting' || advice.stage === 'harvested') return 'resting'
  if (advice.depletion_mm > advice.ready_mm) return 'thirsty'
  return advice.water_on != null && daysBetween(advice.day, advice.water_on) <= 2 ? 'soon' : 'well'
}

export const MOOD_WORDS: Readonly<Record<PlotMood, string>> = { well: 'Has water', soon: 'Water soon', thirsty: 'Thirsty', resting: 'Resting', unknown: 'Not known yet' }

/** When and how much, in large letters. */
export function deed(advice: PlotDay | null): { when: string; much: string } {
  if (advice === null) return { when: 'No advice yet', much: 'It comes an hour after midnight, where the plot is.' }
  if (advice.water_on == null || !(Number(advice.water_mm) > 0)) return { when: 'No water needed', much: moodOf(advice) === 'resting' ? String(advice.advice ?? '') : `for at least ${advice.outlook.length} days` }
  const ahead = daysBetween(advice.day, advice.water_on)
  const when = ahead <= 1 ? 'This evening' : ahead === 2 ? 'Tomorrow evening' : `${new Date(advice.water_on).toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' })} evening`
  return { when, much: `${Math.round(Number(advice.water_mm))} mm · ${Number(Number(advice.litres).toPrecision(3)).toLocaleString('en')} litres` }
}

/** How full the root zone is, 0 to 1, and where thirst begins. */
export function fullness({ depletion_mm: lacking, ready_mm: ready, total_mm: total }: Pick<PlotDay, 'depletion_mm' | 'ready_mm' | 'total_mm'>): { full: number; thirst: number } {
  const part = (mm: number) => (total > 0 ? Math.min(1, Math.max(0, 1 - mm / total)) : 0)
  return { full: part(lacking), thirst: part(ready) }
}
