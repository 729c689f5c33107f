/**
 * Tabs that one test after the other looks through: with a window of its own for each, Chromium takes nearly four times as long to show a page.
 *
 * Invariant: a tab is given as a new one would be. It holds no page, storage, route, emulation or problem of the test before; a test that fails keeps its own.
 */

import type { Browser, BrowserContextOptions } from 'playwright-core'
import { openPage } from './browser.ts'
import type { Watched } from './browser.ts'

export class Tabs {
  readonly #browser: Browser
  /** Of which storage is cleared. */
  readonly #origin: string
  /** By their options. */
  #free = new Map<string, Watched[]>()

  constructor(browser: Browser, origin: string) {
    this.#browser = browser
    this.#origin = origin
  }

  /** `close` gives it back. */
  async open(options: BrowserContextOptions): Promise<Watched> {
    const key = JSON.stringify(options)
    const tab = this.#free.get(key)?.pop() ?? (await openPage(this.#browser, options))
    tab.problems.length = 0
    return { page: tab.page, problems: tab.problems, close: () => this.#giveBack(key, tab, options) }
  }

  async #giveBack(key: string, tab: Watched, { colorScheme = 'light', reducedMotion = 'no-preference', viewport }: BrowserContextOptions): Promise<void> {
    const { page } = tab
    await page.unrouteAll({ behavior: 'ignoreErrors' })
    await page.mouse.move(0, 0)
    await page.goto('about:blank')
    await page.emulateMedia({ colorScheme, reducedMotion })
    if (viewport) await page.setViewportSize(viewport)
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('Storage.clearDataForOrigin', { origin: this.#origin, storageTypes: 'local_storage' })
    await cdp.detach()
    const free = this.#free.get(key)
    if (free) free.push(tab)
    else this.#free.set(key, [tab])
  }
}
