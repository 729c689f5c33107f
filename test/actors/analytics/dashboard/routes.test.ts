/** How the dashboard's files are served: headers, encodings, caching, and how much they weigh. */

import { readFileSync } from 'node:fs'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { chooseEncoding, loadAssets, withoutComments } from '../../../../actors/analytics/dashboard/assets.ts'
import { dashboardRoutes } from '../../../../actors/analytics/dashboard/routes.ts'

const app = dashboardRoutes()
const assets = loadAssets()
const url = (name: string) => `/assets/${assets.version}/${name}`

describe('the page', () => {
  test('allows nothing inline and nothing from elsewhere', async () => {
    const response = await app.request('/')
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'self';/)
    expect(response.headers.get('content-security-policy')).not.toMatch(/unsafe/)
    const html = await response.text()
    expect(html).not.toMatch(/<script(?![^>]* src=)/)
    expect(html).not.toMatch(/ style=|<style| on[a-z]+="/)
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
  })

  test('links to files that are all served', async () => {
    const html = await (await app.request('/')).text()
    const links = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((m) => m[1])
    expect(links.length).toBeGreaterThan(10)
    for (const link of links) expect((await app.request(link)).status, link).toBe(200)
  })

  test('is asked for anew each time, since it names the version of the rest', async () => {
    expect((await app.request('/')).headers.get('cache-control')).toBe('no-cache')
  })
})

describe('an asset', () => {
  test('of the current version is kept for ever, of another one not at all', async () => {
    expect((await app.request(url('style.css'))).headers.get('cache-control')).toContain('immutable')
    expect((await app.request('/assets/older/style.css')).headers.get('cache-control')).toBe('no-cache')
  })

  test('that the reader has already is not sent again', async () => {
    const etag = (await app.request(url('style.css'))).headers.get('etag')!
    const again = await app.request('/assets/older/style.css', { headers: { 'If-None-Match': etag } })
    expect(again.status).toBe(304)
    expect(await again.text()).toBe('')
  })

  test('comes in the encoding that was asked for, with the same content', async () => {
    const plain = await (await app.request(url('client/main.ts'))).text()
    for (const [accept, name, decode] of [['gzip, deflate', 'gzip', gunzipSync], ['gzip, br', 'br', brotliDecompressSync]] as const) {
      const response = await app.request(url('client/main.ts'), { headers: { 'Accept-Encoding': accept } })
      expect(response.headers.get('content-encoding')).toBe(name)
      expect(response.headers.get('vary')).toBe('Accept-Encoding')
      expect(decode(Buffer.from(await response.arrayBuffer())).toString()).toBe(plain)
    }
  })

  test('that is a client module is JavaScript without types', async () => {
    const response = await app.request(url('client/api.ts'))
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await response.text()).not.toMatch(/interface Api|: Promise<Response>/)
  })

  test('outside the lists does not exist', async () => {
    for (const name of ['routes.ts', '../routes.ts', '..%2Froutes.ts', 'client/../page.ts', 'client/none.ts', 'package.json']) {
      expect((await app.request(`/assets/${assets.version}/${name}`)).status, name).toBe(404)
    }
  })
})

test('modules are served without their comments, each line in its place, and hold no text of several lines that could look like one', async () => {
  const source = ['/** A module.', ' * more */', 'const a = 1 // stays', '  // goes', '/* b */ const b = `// stays`   ', '', '/**', ' * @example', ' */', 'const c = a / b /* stays */'].join('\n')
  expect(withoutComments(source).split('\n')).toEqual(['', '', 'const a = 1 // stays', '', ' const b = `// stays`', '', '', '', '', 'const c = a / b /* stays */'])
  const ours = assets.names.filter((name) => name.endsWith('.ts'))
  expect(ours.length).toBeGreaterThan(50)
  for (const name of ours) {
    let isText = false
    for (const line of readFileSync(new URL(`../../../../actors/analytics/dashboard/${name}`, import.meta.url), 'utf8').split('\n')) {
      const begins = /^\s*(\/\/|\/\*|\*)/.test(line)
      expect(isText && begins, `${name}: ${line}`).toBe(false)
      if (!begins && line.split('`').length % 2 === 0) isText = !isText
    }
    expect(isText, name).toBe(false)
    expect((await assets.get(name)!.encoded('identity')).toString().split('\n').filter((line) => /^\s*(\/\/|\/\*)/.test(line)), name).toEqual([])
  }
})

test('the whole dashboard weighs at most 150 kB compressed', async () => {
  let bytes = (await (await app.request('/', { headers: { 'Accept-Encoding': 'gzip' } })).arrayBuffer()).byteLength
  for (const name of assets.names) bytes += (await assets.get(name)!.encoded('gzip')).length
  expect(bytes).toBeLessThan(150_000)
})

test('an encoding of quality zero is refused', () => {
  expect(chooseEncoding('br;q=0, gzip')).toBe('gzip')
  expect(chooseEncoding('br; q=0.0, gzip;q=0')).toBe('identity')
  expect(chooseEncoding('gzip;q=0.5, br;q=0.1')).toBe('br')
  expect(chooseEncoding(undefined)).toBe('identity')
})
