/** A real headless Chromium for the tests of the dashboard, and pages that keep account of what went wrong in them. */

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium'
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Starts Chromium. Fails in plain words where there is none, since a dashboard that was not looked at is not tested. */
export async function startBrowser(): Promise<Browser> {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(`Cannot test the dashboard as Chromium must be at ${EXECUTABLE}: run \`npm test\`, which installs it, or name yours in CHROMIUM`)
  }
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-software-rasterizer', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  })
}

export interface Watched {
  readonly page: Page
  /** Console errors, uncaught exceptions and violations of the content policy, in order. */
  readonly problems: string[]
  close(): Promise<void>
}

/** A page in a profile of its own. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', timezoneId: 'UTC', ...options })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || /content security policy/i.test(message.text())) problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(String(error)))
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI}`))
  })
  return { page, problems, close: () => context.close() }
}

/**
 * What axe-core finds wrong with the page as it stands, a line a finding; WCAG 2.2 A and AA, and best practices. `within`: only in that part of it, where
 * the rest has been looked at as it is: a device's tables cost it a second of a processor each time.
 */
export function accessibilityFaults(page: Page, within?: string): Promise<string[]> {
  return axeFaults(page, {}, within)
}

/** The same by the rules that look at colours: all that another theme can change of a page that has been looked at whole. */
export function colourFaults(page: Page, within?: string): Promise<string[]> {
  return axeFaults(page, { runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } }, within)
}

async function axeFaults(page: Page, rules: object, within = 'html'): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE)
  // Of what is in order, nothing but that is wanted: telling of each element how it passed takes longer than looking at it.
  return page.evaluate(async ([part, options]) => {
    if (document.querySelector(part) === null) throw new Error(`Cannot look at ${part} as it must be in the page`)
    const { axe } = globalThis as unknown as { axe: { run(part: string, options: object): Promise<{ violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[] }> } }
    const { violations } = await axe.run(part, options)
    return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${v.help}: ${n.html.slice(0, 160)} ${n.failureSummary ?? ''}`))
  }, [within, { ...rules, resultTypes: ['violations'] }] as const)
}

/** Whether the page is wider than the screen. */
export function overflows(page: Page): Promise<boolean> {
  return page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
}
