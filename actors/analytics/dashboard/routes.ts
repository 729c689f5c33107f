/**
 * Where the dashboard is served: its pages at `/`, `/device` and so on, its files below `/assets/`.
 *
 * Owns headers: security, caching, encoding. Needs no key, since the page holds no data: its scripts fetch that from the API,
 * with the key that the reader gives them.
 */

import { Hono } from 'hono'
import type { Context } from 'hono'
import { chooseEncoding, loadAssets, makeAsset } from './assets.ts'
import type { Asset, Assets } from './assets.ts'
import { PAGES } from './client/pages.ts'
import { page } from './page.ts'

/** Nothing from elsewhere and nothing inline; the page can't be framed, and gives its address to nobody. */
const SECURITY = {
  'Content-Security-Policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const

/**
 * The dashboard's routes: a page each of PAGES, and `GET /assets/<version>/<name>`. Mount them at the root of the app.
 *
 * @example app.route('/', dashboardRoutes())
 */
export function dashboardRoutes(): Hono {
  const routes = new Hono()
  let loaded: { assets: Assets; pages: ReadonlyMap<string, Asset> } | null = null
  const load = () => {
    if (loaded) return loaded
    const assets = loadAssets()
    const pages = new Map(PAGES.map((info) => [info.path, makeAsset('text/html; charset=utf-8', String(page(assets, info)))]))
    return (loaded = { assets, pages })
  }

  for (const { path } of PAGES) routes.get(path, (c) => send(c, load().pages.get(path)!, 'no-cache'))

  routes.get('/favicon.ico', (c) => c.redirect(`/assets/${load().assets.version}/mark.svg`, 302))

  routes.get('/assets/:version/:name{.+}', (c) => {
    const { version, name } = c.req.param()
    const { assets } = load()
    const asset = assets.get(name)
    if (!asset) return c.notFound()
    // A page of another version may still ask; it gets what there is, but must not keep it.
    return send(c, asset, version === assets.version ? 'public, max-age=31536000, immutable' : 'no-cache')
  })

  return routes
}

async function send(c: Context, asset: Asset, cacheControl: string): Promise<Response> {
  const encoding = chooseEncoding(c.req.header('Accept-Encoding'))
  const headers: Record<string, string> = {
    ...SECURITY,
    'Content-Type': asset.type,
    'Cache-Control': cacheControl,
    ETag: asset.etag,
    Vary: 'Accept-Encoding',
  }
  if (c.req.header('If-None-Match')?.includes(asset.etag)) return c.body(null, 304, headers)
  if (encoding !== 'identity') headers['Content-Encoding'] = encoding
  return c.body(await asset.encoded(encoding), 200, headers)
}
