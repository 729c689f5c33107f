/**
 * What comes live of the device that is shown: its readings, windows, anomalies, forecasts and alerts, and the word that says whether they come.
 *
 * Invariant: one stream at most is open.
 */

import type { Api } from '../api.ts'
import { h, setText } from '../dom.ts'
import { follow } from '../live.ts'
import type { StreamEvent, StreamState } from '../live.ts'
import type { AnomalyRow, ForecastEvent, ReadingRow, WindowRow } from '../shapes.ts'

const STATE_TEXT: Record<StreamState, string> = { idle: '', connecting: 'connecting', live: 'live', waiting: 'reconnecting', refused: 'not allowed' }

export interface StreamListener {
  /** `snapshot`: the last one of its series, as it was when the stream began. */
  onReading(reading: ReadingRow, how: { snapshot: boolean }): void
  onWindow(row: WindowRow): void
  onAnomaly(anomaly: AnomalyRow): void
  onForecast(forecast: ForecastEvent): void
  /** Something has become of an alert of it. */
  onAlert(): void
  /** It is live again after a break: what is shown may lack something. */
  onAgain(): void
}

export interface Stream {
  readonly element: HTMLElement
  /** Listens to a device in place of the one before. */
  listen(device: string): void
  stop(): void
}

export function createStream(api: Api, listener: StreamListener): Stream {
  const element = h('span', { class: 'stream', id: 'stream', 'data-state': 'idle' })
  let stop: () => void = () => {}

  function take({ event, data }: StreamEvent): void {
    if (event === 'reading') listener.onReading(JSON.parse(data) as ReadingRow, { snapshot: false })
    else if (event === 'snapshot') for (const row of (JSON.parse(data) as { latest: ReadingRow[] }).latest) listener.onReading(row, { snapshot: true })
    else if (event === 'anomaly') listener.onAnomaly(JSON.parse(data) as AnomalyRow)
    else if (event === 'window') listener.onWindow(JSON.parse(data) as WindowRow)
    else if (event === 'forecast') listener.onForecast(JSON.parse(data) as ForecastEvent)
    else if (event === 'alert') listener.onAlert()
  }

  return {
    element,
    listen(device) {
      stop()
      let broken = false
      stop = follow(api, '/v1/live', { device, kind: 'reading,window,anomaly,forecast,alert' }, {
        onEvent: take,
        onState: (state) => {
          element.dataset.state = state
          setText(element, STATE_TEXT[state])
          if (state === 'waiting') broken = true
          if (state !== 'live' || !broken) return
          broken = false
          listener.onAgain()
        },
      })
    },
    stop: () => stop(),
  }
}
