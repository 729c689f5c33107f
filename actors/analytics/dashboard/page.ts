/**
 * The page as it stands before its scripts fill it: head, navigation, the form that asks for a key, and the place of the page.
 *
 * Owns the frame around all pages, and which modules a page asks for at once. Leaves looks to style/ and all that moves to client/.
 */

import { html, raw } from 'hono/html'
import type { Assets } from './assets.ts'
import { PAGES } from './client/pages.ts'
import type { PageInfo } from './client/pages.ts'

/** Drawn on a field of 20 by 20, as lines. */
const ICONS: Readonly<Record<string, string>> = {
  fleet: 'M3 5h14M3 10h14M3 15h8M16 15h.01',
  plots: 'M10 3c3 3.6 5 6 5 8.6a5 5 0 0 1-10 0C5 9 7 6.6 10 3z',
  alerts: 'M5 14V9a5 5 0 0 1 10 0v5l1.5 1.5h-13zM8.6 18h2.8',
  rules: 'M3 6h7M15 6h2M3 14h2M10 14h7M12.5 3.5v5M7.5 11.5v5',
  patterns: 'M2 8c2.7-6 5.3-6 8 0s5.3 6 8 0M2 14c2.7-6 5.3-6 8 0s5.3 6 8 0',
  explore: 'M4 5l4 4-4 4M10 14h6',
  system: 'M3 11h3l2-6 4 11 2-5h3',
  units: 'M3 14V6h14v8zM6 6v3M9 6v4M12 6v3M15 6v4',
}

/** The whole page, its links leading to this version of the assets. */
export function page(assets: Assets, info: PageInfo) {
  const base = `/assets/${assets.version}`
  const modules = assets.needed(['client/main.ts', `client/${info.name}/page.ts`])
  const nav = PAGES.filter((p) => p.listed).map(
    ({ name, path, label, under }) =>
      html`<a href="${path}" data-page="${name}"${under ? raw(' class="wide-only"') : ''}${name === info.name ? raw(' aria-current="page"') : ''}><svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true"><path d="${ICONS[name]}"/></svg><span>${label}</span>${name === 'alerts' ? raw('<span id="nav-alerts" class="nav-count" hidden><span>0</span><span class="unseen"> critical open</span></span>') : ''}</a>`,
  )
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<meta name="description" content="Readings as they come, and what stands out in them">
<title>${info.label} · Weir</title>
<link rel="icon" href="${base}/mark.svg" type="image/svg+xml">
<script src="${base}/client/early.ts"></script>
<link rel="stylesheet" href="${base}/style.css">
${modules.map((name) => html`<link rel="modulepreload" href="${base}/${name}">\n`)}<script type="module" src="${base}/client/main.ts"></script>
</head>
<body data-signed-in="unknown">
<a class="skip" href="#page">Skip to the page</a>

<header class="top">
  <a class="brand" href="/"><img src="${base}/mark.svg" alt="" width="28" height="28"><span>Weir</span></a>
  <nav id="nav" class="nav" aria-label="Pages">${nav}</nav>
  <p id="health" class="health" data-state="unknown"><span class="dot" aria-hidden="true"></span><span><span id="health-text">Not connected</span> <span id="health-detail" class="wide-only"></span></span></p>
  <div class="top-actions">
    <button id="theme" type="button" class="quiet" aria-label="Colours: Auto"><span aria-hidden="true">◐</span><span id="theme-text">Auto</span></button>
    <button id="sign-out" type="button" class="quiet">Sign out</button>
  </div>
</header>

<div id="announce" class="unseen" aria-live="polite"></div>
<p id="offline" class="banner" role="status" hidden></p>
<noscript><p class="banner">This page needs JavaScript; the same numbers are at <code>/v1/status</code> and <code>/v1/devices</code>.</p></noscript>

<main id="sign-in" class="sign-in" hidden>
  <form id="sign-in-form" class="card">
    <h1>Sign in with a key</h1>
    <p class="muted">A key of the role <em>analyst</em> or <em>admin</em>. The first admin key is printed when Weir starts, and kept in <code>admin.key</code> in its data folder.</p>
    <input type="text" name="username" autocomplete="username" value="weir" readonly hidden>
    <label for="key">Key</label>
    <input id="key" name="key" type="password" autocomplete="current-password" spellcheck="false" required aria-describedby="key-error">
    <p id="key-error" class="error" role="alert"></p>
    <button type="submit" class="primary">Show the readings</button>
  </form>
</main>

<nav id="part" class="part" aria-label="Pages of this part" hidden></nav>
<main id="page" class="page" tabindex="-1" hidden></main>

<footer class="foot muted small"><span>Times are this browser's: <span id="zone"></span></span><a href="/docs">API</a></footer>
</body>
</html>`
}
