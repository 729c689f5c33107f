/** The dashboard as its tests meet it: the whole system with real processes, a real browser, and what both are asked again and again. */

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'
import { ADMIN_KEY, eventually, startSystem } from '../support/system.ts'
import type { System } from '../support/system.ts'
import { startBrowser } from './browser.ts'
import type { Watched } from './browser.ts'
import { Tabs } from './tabs.ts'

export { ADMIN_KEY, eventually }

/** Patience for what a busy machine takes its time for. */
const WAIT_MS = 30_000
export const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }
const WINDOW = { width: 1280, height: 900 }
const WIDE: BrowserContextOptions = { viewport: { width: 1440, height: 900 } }

/** Looks at a page in a wide window and on a phone, in two profiles at the same time. */
export const inBothSizes = (look: (size: 'wide' | 'phone', options: BrowserContextOptions) => Promise<void>): Promise<unknown> =>
  Promise.all([look('wide', { ...WIDE, colorScheme: 'light', reducedMotion: 'reduce' }), look('phone', { ...PHONE, colorScheme: 'light', reducedMotion: 'reduce' })])

/** The probe that most tests look at. */
export const PROBE = 'field-7/probe-2'
/** Masts of an orchard, which measured for a week. */
export const ORCHARD = (n: number) => `orchard/mast-${n}`

export class Site {
  readonly system: System
  readonly browser: Browser
  /** Where screenshots are left to be looked at; of a test that is just run nobody looks at them, and none is taken. */
  readonly #shots = process.env.WEIR_SCREENSHOTS ?? null

  readonly #tabs: Tabs
  #analystKey: string | null = null

  private constructor(system: System, browser: Browser) {
    this.system = system
    this.browser = browser
    this.#tabs = new Tabs(browser, system.url)
  }

  static async start(): Promise<Site> {
    const browser = await startBrowser()
    try {
      return new Site(await startSystem({ flags: ['--actors', 'farm'] }), browser)
    } catch (error) {
      await browser.close()
      throw error
    }
  }

  async stop(): Promise<void> {
    await this.browser.close()
    await this.system.remove()
  }

  /** A page at `path`, signed in with `key`. All pages have the size of a window unless `options` say another. */
  async open(path: string, { key = ADMIN_KEY, ...options }: BrowserContextOptions & { key?: string } = {}): Promise<Watched> {
    // A dot that breathes would have Chromium draw all the time, at a tenth of a core for each page that is open.
    const watched = await this.#tabs.open({ viewport: WINDOW, reducedMotion: 'reduce', ...options })
    await watched.page.goto(`${this.system.url}${path}#key=${key}`)
    return watched
  }

  async post(readings: readonly object[]): Promise<void> {
    const response = await this.system.fetch('/v1/readings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(readings) })
    expect(response.status, await response.text()).toBe(202)
  }

  /** What a `weir` command prints, of the system's own data folder. */
  weir(...words: string[]): string {
    return execFileSync(process.execPath, [join(import.meta.dirname, '../../cmd/weir.ts'), ...words, '--data', this.system.dataDir, '--json'], { encoding: 'utf8' })
  }

  makeKey(role: string): { id: string; secret: string } {
    return JSON.parse(this.weir('keys', 'create', '--role', role)) as { id: string; secret: string }
  }

  /** A key of the role analyst, one for all tests that only read with it. */
  get analystKey(): string {
    return (this.#analystKey ??= this.makeKey('analyst').secret)
  }

  async shoot(page: Page, name: string): Promise<void> {
    if (this.#shots) await page.screenshot({ path: join(this.#shots, `${name}.png`), fullPage: true })
  }

  /** Of what is on the screen alone: what stands fixed there is not drawn well in a picture of the whole page. */
  async shootScreen(page: Page, name: string): Promise<void> {
    if (this.#shots) await page.screenshot({ path: join(this.#shots, `${name}.png`) })
  }
}

/** Words as a person reads them: a space that does not break is one. */
export const text = async (page: Page, selector: string) => (await page.locator(selector).first().innerText()).replaceAll('\u00a0', ' ')

/** Waits until the element says what is expected. */
export const says = (page: Page, selector: string, expected: RegExp | string) =>
  eventually(`${selector} says ${expected}`, async () => {
    const now = await text(page, selector)
    return typeof expected === 'string' ? now === expected : expected.test(now)
  }, WAIT_MS)

/** Waits until the address of the page holds `part`. */
export const addressHolds = (page: Page, part: string) => page.waitForURL((url) => url.href.includes(part), { waitUntil: 'commit' })

/** Waits until `attribute` of the element is what is expected. */
export const has = (page: Page, selector: string, attribute: string, expected: RegExp | string) =>
  eventually(`${attribute} of ${selector} is ${expected}`, async () => {
    const now = await page.locator(selector).first().getAttribute(attribute)
    return typeof expected === 'string' ? now === expected : now !== null && expected.test(now)
  }, WAIT_MS)
