/**
 * The dashboard's start: who reads, what is shown, and what changes with the address.
 *
 * Owns the page's life cycle: signed out → looking → empty or showing. Leaves each part of the page to its module.
 */

import { ApiError, createApi } from './api.ts'
import { createCatalog } from './catalog.ts'
import { byId, setText } from './dom.ts'
import { createFinder } from './finder.ts'
import { zone } from './format.ts'
import { createOverview } from './overview.ts'
import { fittingRange, placeQuery, readPlace, store, stored, takeKeyFromAddress } from './place.ts'
import type { Place, RangeName } from './place.ts'
import { createSeriesList } from './series-list.ts'
import { createSeriesView } from './series-view.ts'
import { sameSeries } from './shapes.ts'
import type { AnomalyRow, SeriesKey, Status } from './shapes.ts'
import { startTheme } from './theme.ts'

const CATALOG_EVERY_MS = 5_000
/** Many series are much to send. */
const CATALOG_EVERY_MANY_MS = 20_000
const MANY = 300
/** A series heard of within this time speaks. */
const SPEAKS_MS = 300_000
/** How long a hidden tab keeps its stream. */
const HIDDEN_MAX_MS = 20_000
/** While nothing is there yet, someone waits for the first reading to appear. */
const CATALOG_EVERY_EMPTY_MS = 1_000

let place: Place = readPlace(location.search)
let catalogTimer: ReturnType<typeof setTimeout> | undefined
let listAsked = false
let signedIn = false
/** The range that was found fitting when its series was chosen: it stays while the series does. */
let fitting: { series: SeriesKey; range: RangeName } | null = null

takeKeyFromAddress()
const api = createApi(() => stored('weir.key'))
const catalog = createCatalog(api)
const view = createSeriesView(api, catalog, {
  onPick: (series) => go({ ...place, series }),
  onRange: (range) => go({ ...place, range }),
  onRefused: refused,
  onReading: () => renderListSoon(),
})
const list = createSeriesList(api, catalog, (series) => go({ ...place, series }))
const overview = createOverview(api, {
  onRefused: refused,
  onConnected: (connected, why) => {
    byId('offline').hidden = connected
    setText(byId('offline'), connected ? '' : `${why.replace(/\.$/, '')}. Trying again; what is shown is as of the last answer.`)
  },
  seriesCount: () => ({ count: catalog.rows().length, partial: catalog.partial() }),
})
createFinder(catalog, (series) => {
  go({ ...place, series })
  byId('reading').focus({ preventScroll: false })
})
startTheme(() => {
  view.recolour()
  list.recolour()
  overview.recolour()
})

/** Goes to a place by the reader's will: it becomes a step of the history. */
function go(next: Place): void {
  place = next
  history.pushState(null, '', location.pathname + placeQuery(place))
  showPlace()
}

function showPlace(): void {
  if (place.series) {
    if (!sameSeries(place.series, fitting?.series ?? null)) fitting = { series: place.series, range: fittingRange(catalog.get(place.series)) }
    view.show(place.series, place.range ?? fitting!.range)
  }
  list.render(place.series, place.range)
}

function renderListSoon(): void {
  if (listAsked) return
  listAsked = true
  setTimeout(() => {
    listAsked = false
    if (signedIn) list.render(place.series, place.range)
  }, 250)
}

async function refreshCatalog(): Promise<void> {
  clearTimeout(catalogTimer)
  let answered = false
  try {
    if (!document.hidden || catalog.rows().length === 0) await catalog.refresh()
    answered = true
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return refused(error)
  }
  if (!signedIn) return
  const rows = catalog.rows()
  const empty = rows.length === 0
  // Silence is not emptiness: without an answer the page stays as it is.
  if (empty && !answered) {
    catalogTimer = setTimeout(() => void refreshCatalog(), CATALOG_EVERY_EMPTY_MS)
    return
  }
  byId('board').hidden = empty
  byId('empty').hidden = !empty
  if (!empty) {
    if (!place.series) {
      const series = await worthALook()
      if (!signedIn) return
      place = { ...place, series }
      history.replaceState(null, '', location.pathname + placeQuery(place))
    }
    showPlace()
  }
  catalogTimer = setTimeout(() => void refreshCatalog(), empty ? CATALOG_EVERY_EMPTY_MS : rows.length > MANY ? CATALOG_EVERY_MANY_MS : CATALOG_EVERY_MS)
}

/** What someone who asks for nothing in particular is shown: where something stood out lately, else the first series that speaks. */
async function worthALook(): Promise<SeriesKey> {
  const page = await api.get<{ anomalies: AnomalyRow[] }>('/v1/anomalies', { from: '-1h', limit: 1_000 }).catch(() => null)
  const rows = catalog.rows()
  const found = page?.anomalies.at(-1) ?? rows.find((row) => row.last > Date.now() - SPEAKS_MS) ?? rows[0]
  return { device: found.device, metric: found.metric }
}

function signIn(message = ''): void {
  signedIn = false
  clearTimeout(catalogTimer)
  overview.stop()
  view.stop()
  list.clear()
  byId('app').hidden = true
  byId('sign-out').hidden = true
  byId('offline').hidden = true
  byId('sign-in').hidden = false
  byId('health').dataset.state = 'unknown'
  setText(byId('health-text'), 'Not signed in')
  setText(byId('key-error'), message)
  byId<HTMLInputElement>('key').focus()
}

function refused(error: ApiError): void {
  if (!signedIn && !byId('sign-in').hidden) return
  store('weir.key', null)
  signIn(refusalText(error))
}

function refusalText(error: ApiError): string {
  if (error.status === 403) return 'This key may send readings, but not read them. Use one of the role analyst or admin.'
  return 'This key is not known here. Check that it was copied whole; it may also have been revoked.'
}

function enter(): void {
  signedIn = true
  byId('sign-in').hidden = true
  byId('app').hidden = false
  byId('sign-out').hidden = false
  setText(byId('curl'), curlLine('$WEIR_KEY'))
  overview.start()
  void refreshCatalog()
}

function curlLine(key: string): string {
  const reading = JSON.stringify({ device: 'field-1/probe-1', metric: 'soil_moisture', value: 23.4 })
  return `curl ${location.origin}/v1/readings \\\n  -H "Authorization: Bearer ${key}" \\\n  -H 'Content-Type: application/json' \\\n  -d '${reading}'`
}

byId('copy').addEventListener('click', () => {
  const line = curlLine(stored('weir.key') ?? '$WEIR_KEY')
  const said = byId('copied')
  if (!navigator.clipboard) {
    setText(byId('curl'), line)
    setText(said, 'Select it and copy: this page may not use the clipboard.')
    return
  }
  navigator.clipboard.writeText(line).then(
    () => setText(said, 'Copied, with your key in it.'),
    () => {
      setText(byId('curl'), line)
      setText(said, 'Select it and copy: this browser keeps the clipboard to itself.')
    },
  )
})

byId('sign-in-form').addEventListener('submit', async (event) => {
  event.preventDefault()
  const field = byId<HTMLInputElement>('key')
  const before = stored('weir.key')
  store('weir.key', field.value.trim())
  setText(byId('key-error'), '')
  try {
    await api.get<Status>('/v1/status')
    field.value = ''
    enter()
  } catch (error) {
    store('weir.key', before)
    const problem = error as ApiError
    setText(byId('key-error'), problem.status === 401 || problem.status === 403 ? refusalText(problem) : `${problem.message}. Try again in a moment.`)
    field.select()
  }
})

byId('sign-out').addEventListener('click', () => {
  store('weir.key', null)
  location.assign('/')
})

window.addEventListener('popstate', () => {
  const next = readPlace(location.search)
  place = next.series ? next : { ...next, series: place.series }
  if (signedIn) showPlace()
})
window.addEventListener('hashchange', () => {
  if (!location.hash.startsWith('#key=')) return
  takeKeyFromAddress()
  location.reload()
})
let hiding: ReturnType<typeof setTimeout> | undefined
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiding)
  if (document.hidden) hiding = setTimeout(() => view.pause(), HIDDEN_MAX_MS)
  else {
    view.resume()
    if (signedIn) void refreshCatalog()
  }
})
setInterval(() => {
  if (signedIn) view.tick()
}, 1_000)

setText(byId('zone'), zone())
if (stored('weir.key')) enter()
else signIn()

