/** A line without axes, for a glance: the last hour beside a series, the last minutes of a rate. */

import { colour } from './dom.ts'

/** Draws `values` over the whole canvas; nulls leave gaps. */
export function drawSpark(canvas: HTMLCanvasElement, values: readonly (number | null)[], options: { fill: boolean; zeroBased: boolean }): void {
  const ratio = devicePixelRatio || 1
  const width = canvas.clientWidth || canvas.width
  const height = canvas.clientHeight || canvas.height
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio)
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio)
  const context = canvas.getContext('2d')
  if (!context) return
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  const present = values.filter((v) => v !== null)
  if (present.length < 2) return
  const low = options.zeroBased ? 0 : Math.min(...present)
  const high = Math.max(...present, low + 1e-9)
  const x = (i: number) => 1 + (i / (values.length - 1)) * (width - 2)
  const y = (v: number) => (high - low < 1e-6 ? (options.zeroBased ? height - 2 : height / 2) : height - 2 - ((v - low) / (high - low)) * (height - 4))

  context.beginPath()
  let drawing = false
  values.forEach((v, i) => {
    if (v === null) drawing = false
    else if (drawing) context.lineTo(x(i), y(v))
    else {
      context.moveTo(x(i), y(v))
      drawing = true
    }
  })
  context.lineWidth = 1.5
  context.lineJoin = 'round'
  context.strokeStyle = colour('water')
  context.stroke()
  if (!options.fill) return
  context.lineTo(x(values.length - 1), height)
  context.lineTo(x(0), height)
  context.fillStyle = colour('water-soft')
  context.fill()
}
