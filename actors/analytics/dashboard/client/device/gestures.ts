/**
 * Hands on a chart: one finger or the mouse's button pans, two fingers pinch, the wheel zooms, a tap reads, a double tap goes back.
 *
 * Owns telling gestures apart. Leaves what they mean to chart.ts. Moves up and down stay the page's, so that one can scroll past a chart; the wheel is
 * the page's too, unless a key is held with it or the chart has the focus.
 */

import { panned, zoomed } from './place.ts'
import type { Span } from './place.ts'

export interface Hands {
  span(): Span
  /** The span that the gesture wants; `done` once the hand rests. */
  onSpan(span: Span, done: boolean): void
  /** Where the pointer is, in px of the field; null once it has left. */
  onPoint(x: number | null): void
  onTap(x: number, y: number, reach: number): void
  onReset(): void
  /** Whether the chart has the focus. */
  focused(): boolean
}

/** A hand that moves less is still tapping. */
const TAP_PX = 6
const REACH_MOUSE_PX = 10
const REACH_FINGER_PX = 24
const DOUBLE_TAP_MS = 320
const WHEEL_RESTS_MS = 220

/** Watches `field` until the answer is called. */
export function watchHands(field: HTMLElement, hands: Hands): () => void {
  const fingers = new Map<number, { x: number; y: number }>()
  let begin: { span: Span; x: number; y: number; moved: boolean } | null = null
  /** The moments under two fingers. */
  let pinch: { a: number; b: number; at: readonly [number, number] } | null = null
  let last: Span | null = null
  let tapAt = -Infinity
  let wheel: ReturnType<typeof setTimeout> | undefined
  const ended = new AbortController()
  const { signal } = ended

  const place = (event: MouseEvent) => {
    const box = field.getBoundingClientRect()
    return { x: event.clientX - box.left, y: event.clientY - box.top }
  }
  const momentAt = ({ from, to }: Span, x: number) => from + (x / field.clientWidth) * (to - from)
  const want = (span: Span, done: boolean) => {
    last = span
    hands.onSpan(span, done)
  }

  function onDown(event: PointerEvent): void {
    if (event.pointerType === 'mouse' && event.button !== 0) return
    fingers.set(event.pointerId, place(event))
    last = null
    if (fingers.size === 1) begin = { span: hands.span(), ...place(event), moved: false }
    if (fingers.size === 2) {
      const ids = [...fingers.keys()] as [number, number]
      const [a, b] = ids.map((id) => momentAt(hands.span(), fingers.get(id)!.x))
      pinch = { a, b, at: ids }
    }
  }

  function onMove(event: PointerEvent): void {
    const { x, y } = place(event)
    if (!fingers.has(event.pointerId)) {
      if (event.pointerType === 'mouse') hands.onPoint(x)
      return
    }
    fingers.set(event.pointerId, { x, y })
    if (pinch && fingers.size === 2) return onPinch(pinch)
    if (!begin || fingers.size > 1) return
    if (!begin.moved && Math.abs(x - begin.x) < TAP_PX && Math.abs(y - begin.y) < TAP_PX) return
    if (!begin.moved) {
      begin.moved = true
      field.setPointerCapture(event.pointerId)
      field.classList.add('is-held')
      hands.onPoint(null)
    }
    want(panned(begin.span, (begin.x - x) / field.clientWidth), false)
  }

  function onPinch({ a, b, at }: NonNullable<typeof pinch>): void {
    const [x1, x2] = at.map((id) => fingers.get(id)!.x)
    if (Math.abs(x2 - x1) < 12) return
    const msPerPx = (b - a) / (x2 - x1)
    if (msPerPx <= 0) return
    const from = Math.round(a - x1 * msPerPx)
    want(zoomed({ from, to: Math.round(from + field.clientWidth * msPerPx) }, 1), false)
  }

  function onUp(event: PointerEvent): void {
    if (!fingers.delete(event.pointerId)) return
    field.classList.remove('is-held')
    const { x, y } = place(event)
    if (pinch && fingers.size < 2) {
      pinch = null
      begin = null
    }
    if (fingers.size > 0) return
    if (last) hands.onSpan(last, true)
    else if (begin && event.type === 'pointerup') onTap(x, y, event)
    begin = null
    last = null
  }

  function onTap(x: number, y: number, event: PointerEvent): void {
    if (event.timeStamp - tapAt < DOUBLE_TAP_MS) {
      tapAt = -Infinity
      return hands.onReset()
    }
    tapAt = event.timeStamp
    hands.onTap(x, y, event.pointerType === 'mouse' ? REACH_MOUSE_PX : REACH_FINGER_PX)
  }

  function onWheel(event: WheelEvent): void {
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY)
    if (!sideways && !event.ctrlKey && !event.metaKey && !event.shiftKey && !hands.focused()) return
    event.preventDefault()
    const span = hands.span()
    const linePx = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 18 : 1
    const next = sideways && !event.shiftKey
      ? panned(span, (event.deltaX * linePx) / field.clientWidth)
      : zoomed(span, Math.exp((event.deltaY || event.deltaX) * linePx * 0.0016), momentAt(span, place(event).x))
    want(next, false)
    clearTimeout(wheel)
    wheel = setTimeout(() => hands.onSpan(next, true), WHEEL_RESTS_MS)
  }

  field.addEventListener('pointerdown', onDown, { signal })
  field.addEventListener('pointermove', onMove, { signal })
  for (const type of ['pointerup', 'pointercancel'] as const) field.addEventListener(type, onUp, { signal })
  field.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && hands.onPoint(null), { signal })
  field.addEventListener('wheel', onWheel, { signal, passive: false })
  return () => {
    ended.abort()
    clearTimeout(wheel)
  }
}
