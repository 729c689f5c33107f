/**
 * The page as it stands before its scripts fill it: landmarks, headings, forms, empty places.
 *
 * Owns the structure and the words that do not change. Leaves looks to style.css and everything that moves to client/.
 * What a script fills is found by its id.
 */

import { html } from 'hono/html'
import type { Assets } from './assets.ts'

/** The whole page, its links leading to this version of the assets. */
export function page(assets: Assets) {
  const base = `/assets/${assets.version}`
  const modules = assets.names.filter((name) => name.startsWith('client/') && !name.endsWith('/early.ts'))
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="Readings as they come, and what stands out in them">
<title>Weir</title>
<link rel="icon" href="${base}/mark.svg" type="image/svg+xml">
<script src="${base}/client/early.ts"></script>
<link rel="stylesheet" href="${base}/uplot.css">
<link rel="stylesheet" href="${base}/style.css">
${modules.map((name) => html`<link rel="modulepreload" href="${base}/${name}">\n`)}<script type="module" src="${base}/client/main.ts"></script>
</head>
<body>
<a class="skip" href="#reading">Skip to the chart</a>

<header class="top">
  <a class="brand" href="/"><img src="${base}/mark.svg" alt="" width="28" height="28"><span>Weir</span></a>
  <p id="health" class="health" data-state="unknown"><span class="dot" aria-hidden="true"></span><span id="health-text">Not connected</span></p>
  <div class="top-actions">
    <button id="theme" type="button" class="quiet" aria-label="Colours: Auto"><span aria-hidden="true">◐</span> <span id="theme-text">Auto</span></button>
    <button id="sign-out" type="button" class="quiet" hidden>Sign out</button>
  </div>
</header>

<div id="announce" class="unseen" aria-live="polite"></div>
<p id="offline" class="banner" role="status" hidden></p>
<noscript><p class="banner">This page needs JavaScript; the same numbers are at <code>/v1/status</code> and <code>/v1/latest</code>.</p></noscript>

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

<main id="app" hidden>
  <section id="overview" class="overview card" aria-label="Overview">
    <dl class="figures">
      <div class="lead"><dt>Readings a second</dt><dd><span id="rate">–</span></dd><canvas id="rate-line" width="160" height="36" aria-hidden="true"></canvas></div>
      <div><dt>Accepted</dt><dd id="accepted">–</dd></div>
      <div><dt>Series</dt><dd id="series-count">–</dd></div>
      <div><dt>Behind by</dt><dd id="lag">–</dd></div>
      <div id="anomaly-figure"><dt>Anomalies, last hour</dt><dd id="anomaly-count">–</dd></div>
    </dl>
    <div class="fates">
      <h2 class="small">What became of them</h2>
      <div id="fate-bar" class="fate-bar" aria-hidden="true"></div>
      <ul id="fates" class="fate-list"></ul>
    </div>
    <details id="operator" class="operator">
      <summary>Partitions and processes</summary>
      <div id="operator-body" class="operator-body"></div>
    </details>
  </section>

  <section id="empty" class="card empty" hidden>
    <h1>Nothing has been measured yet</h1>
    <p>Send a first reading, from any machine that can reach this one; it appears here by itself.</p>
    <pre tabindex="0" aria-label="Command that sends a first reading"><code id="curl"></code></pre>
    <p><button id="copy" type="button" class="primary">Copy the line</button> <span id="copied" role="status" class="muted"></span></p>
    <p class="muted">Or start Weir with <code>npm start -- --demo</code> to have it fed with real weather and a simulated farm.</p>
  </section>

  <div id="board" class="board" hidden>
    <nav class="side card" aria-label="Series">
      <div class="finder">
        <label for="find">Find a series</label>
        <input id="find" type="text" role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list" autocomplete="off"
          autocapitalize="off" spellcheck="false" placeholder="device or metric">
        <ul id="found" role="listbox" aria-label="Series found" hidden></ul>
        <p id="found-count" class="unseen" role="status"></p>
      </div>
      <div id="series-scroll" class="series-scroll">
        <ul id="series-list" class="series-list"></ul>
        <p id="series-more" class="muted small" hidden></p>
      </div>
    </nav>

    <section id="reading" class="reading" tabindex="-1" aria-labelledby="title">
      <div class="card chart-card">
        <div class="chart-head">
          <div>
            <h1 id="title">Choose a series</h1>
            <p class="now"><span id="now-value" class="now-value"></span> <span id="now-age" class="muted"></span> <span id="stream" class="stream" data-state="idle"></span></p>
          </div>
          <div class="chart-tools">
            <fieldset id="ranges" class="segments"><legend class="unseen">Range</legend></fieldset>
            <button id="reset-zoom" type="button" class="quiet" hidden>Reset zoom</button>
          </div>
        </div>
        <div id="chart" class="chart" role="group" aria-roledescription="chart" aria-label="Chart" aria-describedby="chart-hint" tabindex="0"></div>
        <p id="chart-note" class="chart-note muted small"></p>
        <p id="chart-hint" class="chart-note muted small">Drag to zoom, double-click to reset. With the keyboard: arrows move along the line, + and − zoom, 0 resets.</p>
        <p id="chart-read" class="unseen" role="status"></p>
        <div id="linked" class="linked"></div>
      </div>
      <div class="panels">
        <div class="card panel">
          <h2 id="anomalies-title">Anomalies <span id="anomalies-count" class="count"></span></h2>
          <div id="anomalies" class="table-scroll" tabindex="0" role="region" aria-labelledby="anomalies-title"></div>
        </div>
        <div class="card panel">
          <div class="panel-head">
            <h2 id="windows-title">Windows</h2>
            <fieldset id="sizes" class="segments"><legend class="unseen">Window size</legend></fieldset>
          </div>
          <div id="windows" class="table-scroll" tabindex="0" role="region" aria-labelledby="windows-title"></div>
        </div>
      </div>
    </section>
  </div>
</main>

<footer class="foot muted small"><span>Times are this browser's: <span id="zone"></span></span><a href="/docs">API</a></footer>
</body>
</html>`
}
