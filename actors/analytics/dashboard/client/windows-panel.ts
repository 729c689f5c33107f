/**
 * The panel of windows: rows of the span that is shown, of a size that the reader picks or that fits the span.
 *
 * Owns loading of windows and the choice of their size.
 */

import type { Api } from './api.ts'
import { byId, h, segments } from './dom.ts'
import type { Span } from './place.ts'
import { sameSeries } from './shapes.ts'
import type { SeriesKey, WindowRow } from './shapes.ts'
import { showWindows } from './tables.ts'

const HOUR_MS = 3_600_000
const ROWS_MAX = 120
/** Windows close in crowds: one question for all of them. */
const RELOAD_PAUSE_MS = 1_000

/** Sizes, each with the longest span that it is first shown for. */
const SIZES = [
  { value: '1m', label: '1m', title: 'One minute', ms: 60_000, spanMaxMs: 6 * HOUR_MS },
  { value: '15m', label: '15m', title: 'Fifteen minutes', ms: 900_000, spanMaxMs: 48 * HOUR_MS },
  { value: '1h', label: '1h', title: 'One hour', ms: HOUR_MS, spanMaxMs: 14 * 24 * HOUR_MS },
  { value: '1d', label: '1d', title: 'One day, by UTC', ms: 24 * HOUR_MS, spanMaxMs: Infinity },
] as const
type Size = (typeof SIZES)[number]

export interface WindowsPanel {
  /** Shows the newest windows of `span`. Never rejects: what goes wrong is said in the panel. */
  load(series: SeriesKey, span: Span, signal: AbortSignal): Promise<void>
  /** Takes notice of a window that was closed: where it belongs here, the rows are asked for anew. */
  note(row: WindowRow): void
  /** Says that it is loading. */
  clear(): void
}

export function createWindowsPanel(api: Api): WindowsPanel {
  let chosen: Size | null = null
  let shown: { series: SeriesKey; span: Span; signal: AbortSignal } | null = null
  let timer: ReturnType<typeof setTimeout> | undefined

  const buttons = segments(byId('sizes'), 'size', SIZES, (name) => {
    chosen = SIZES.find((s) => s.value === name)!
    void ask()
  })
  const size = () => chosen ?? SIZES.find((s) => shown === null || shown.span.to - shown.span.from <= s.spanMaxMs)!

  async function ask(): Promise<void> {
    if (!shown) return
    const asked = shown
    const { series, span, signal } = asked
    const { value, ms } = size()
    buttons.set(value)
    const from = Math.floor(Math.max(span.from, span.to - ROWS_MAX * ms) / ms) * ms
    try {
      const page = await api.get<{ windows: WindowRow[] }>('/v1/windows', { ...series, from, to: Math.ceil(span.to), size: value, limit: ROWS_MAX + 2 }, signal)
      if (asked === shown && value === size().value) showWindows(page.windows)
    } catch (error) {
      if (!signal.aborted) byId('windows').replaceChildren(h('p', { class: 'nothing' }, `Cannot show windows: ${(error as Error).message}.`))
    }
  }

  return {
    load(series, span, signal) {
      shown = { series, span, signal }
      return ask()
    },
    note(row) {
      if (!shown || !sameSeries(row, shown.series) || row.size !== size().value) return
      timer ??= setTimeout(() => {
        timer = undefined
        if (!shown || !sameSeries(row, shown.series)) return
        // The span may have moved on since it was loaded: the new window is to be in it.
        shown = { ...shown, span: { from: shown.span.from, to: Math.max(shown.span.to, row.start + 1) } }
        void ask()
      }, RELOAD_PAUSE_MS)
    },
    clear() {
      showWindows(null)
    },
  }
}
