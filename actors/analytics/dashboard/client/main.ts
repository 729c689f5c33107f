/**
 * The dashboard's start: who reads, which page is shown, and what changes with the address.
 *
 * Owns the life cycle (signed out → signed in → a page), links and the history. Leaves each page to its folder; its module is loaded when it is first
 * opened.
 */

import { createAlertWatch } from './alerts/watch.ts'
import { ApiError, createApi, isRefusal } from './api.ts'
import { byId, h, setText } from './dom.ts'
import { zone } from './format.ts'
import { store, stored, takeKeyFromAddress } from './keep.ts'
import { createMonitor } from './monitor.ts'
import { address } from './page.ts'
import type { Context, OpenPage, Page } from './page.ts'
import { pageAt, partOf } from './pages.ts'
import type { PageInfo } from './pages.ts'
import { startTheme } from './theme.ts'
import { createUnits } from './units.ts'

/** How long a hidden tab keeps its streams. */
const HIDDEN_MAX_MS = 20_000

let signedIn = false
let current: { info: PageInfo; page: Page } | null = null
/** Grows with each change of the page, so that a module that comes late opens nothing. */
let turn = 0

takeKeyFromAddress()
const api = createApi(() => stored('weir.key'), refused)
const monitor = createMonitor(api)
const alerts = createAlertWatch(api)
const units = createUnits(api)
const context: Context = {
  api,
  monitor,
  alerts,
  units,
  go(href) {
    history.pushState(null, '', href)
    void showPlace(true)
  },
  note(href, how) {
    if (href === location.pathname + location.search) return
    if (how === 'push') history.pushState(null, '', href)
    else history.replaceState(null, '', href)
  },
}

/** Shows the page of the address. `moved`: by a link, so that reading goes on at the page's begin. */
async function showPlace(moved: boolean): Promise<void> {
  leadOldAddresses()
  const info = pageAt(location.pathname) ?? pageAt('/')!
  const query = new URLSearchParams(location.search)
  const mine = ++turn
  const host = byId('page')
  showNavigation(info)
  if (current?.info === info) {
    // Perhaps another page was on its way, and is not wanted any more.
    host.removeAttribute('aria-busy')
    return current.page.show(query)
  }
  host.setAttribute('aria-busy', 'true')
  let module: { open: OpenPage }
  try {
    module = (await import(`./${info.name}/page.ts`)) as { open: OpenPage }
  } catch {
    if (mine !== turn) return
    leavePage()
    host.removeAttribute('aria-busy')
    return setText(host, 'This page could not be loaded. Check the connection, and load it anew.')
  }
  if (mine !== turn || !signedIn) return
  leavePage()
  host.removeAttribute('aria-busy')
  host.dataset.page = info.name
  document.title = `${info.label} · Weir`
  current = { info, page: module.open(host, context) }
  current.page.show(query)
  if (!moved) return
  scrollTo(0, 0)
  host.focus({ preventScroll: true })
}

/** Which page it is, in the navigation; beneath, on smaller screens, those of its part. */
function showNavigation(info: PageInfo): void {
  const part = partOf(info)
  const strip = byId('part')
  strip.hidden = part.length === 0
  strip.replaceChildren(...part.map(({ name, path, label }) => h('a', { href: path, 'data-page': name }, label)))
  for (const link of document.querySelectorAll<HTMLAnchorElement>('#nav a, #part a')) {
    if (link.dataset.page === info.name) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
    link.toggleAttribute('data-within', link.dataset.page === info.under)
  }
}

function leavePage(): void {
  current?.page.leave()
  current = null
  byId('page').replaceChildren()
}

/** Before there were pages, a series was chosen at the root: such links still lead to it. */
function leadOldAddresses(): void {
  const query = new URLSearchParams(location.search)
  const device = query.get('device')
  if (location.pathname !== '/' || device === null) return
  history.replaceState(null, '', address('/device', { id: device, metrics: query.get('metric'), range: query.get('range') }))
}

function signIn(message = ''): void {
  signedIn = false
  turn++
  monitor.stop()
  alerts.stop()
  leavePage()
  document.body.dataset.signedIn = 'no'
  byId('page').hidden = true
  byId('part').hidden = true
  byId('sign-in').hidden = false
  setText(byId('key-error'), message)
  byId<HTMLInputElement>('key').focus()
}

function refused(error: ApiError): void {
  if (!signedIn) return
  store('weir.key', null)
  signIn(refusalText(error))
}

function refusalText(error: ApiError): string {
  if (error.status === 403) return 'This key may send readings, but not read them. Use one of the role analyst or admin.'
  return 'This key is not known here. Check that it was copied whole; it may also have been revoked.'
}

async function enter(): Promise<void> {
  signedIn = true
  document.body.dataset.signedIn = 'yes'
  byId('sign-in').hidden = true
  byId('page').hidden = false
  monitor.start()
  alerts.start()
  // Values are shown in their units from the first moment on; without an answer, as bare numbers.
  await units.load().catch(() => {})
  if (signedIn) await showPlace(false)
}

byId('sign-in-form').addEventListener('submit', async (event) => {
  event.preventDefault()
  const field = byId<HTMLInputElement>('key')
  const before = stored('weir.key')
  store('weir.key', field.value.trim())
  setText(byId('key-error'), '')
  try {
    await api.get('/v1/status')
    field.value = ''
    await enter()
  } catch (error) {
    store('weir.key', before)
    setText(byId('key-error'), isRefusal(error) ? refusalText(error) : `${(error as Error).message}. Try again in a moment.`)
    field.select()
  }
})

byId('sign-out').addEventListener('click', () => {
  store('weir.key', null)
  location.assign('/')
})

// Links between pages load nothing anew; with a modifier they open as the browser has it.
document.addEventListener('click', (event) => {
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href]') : null
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  if (link.origin !== location.origin || link.target !== '' || link.hasAttribute('download') || pageAt(link.pathname) === null || link.hash !== '') return
  event.preventDefault()
  if (signedIn) context.go(link.pathname + link.search)
})
window.addEventListener('popstate', () => {
  if (signedIn) void showPlace(false)
})
window.addEventListener('hashchange', () => {
  if (!location.hash.startsWith('#key=')) return
  takeKeyFromAddress()
  location.reload()
})

let hiding: ReturnType<typeof setTimeout> | undefined
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiding)
  if (document.hidden) hiding = setTimeout(() => current?.page.pause?.(), HIDDEN_MAX_MS)
  else current?.page.resume?.()
})
setInterval(() => {
  if (!document.hidden) current?.page.tick?.()
}, 1_000)

startTheme(() => current?.page.recolour?.())
setText(byId('zone'), zone())
if (stored('weir.key')) void enter()
else signIn()
