/**
 * The page at `/docs`: shows `/openapi.json` as a list of paths with their parameters and answers. Asks nobody else for anything.
 */

import { createHash } from 'node:crypto'

const STYLE = `
:root {
  color-scheme: light dark;
  --line: color-mix(in srgb, currentColor 18%, transparent);
  --soft: color-mix(in srgb, currentColor 62%, transparent);
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem }
h1 { margin: 0 0 0.25rem }
details { border-top: 1px solid var(--line); padding: 0.6rem 0 }
summary { cursor: pointer }
code, pre { font: 14px/1.5 ui-monospace, monospace }
pre { overflow: auto; border: 1px solid var(--line); padding: 0.6rem; border-radius: 6px }
.verb { display: inline-block; width: 3.5rem; font-weight: 700 }
.soft, td:last-child { color: var(--soft) }
table { border-collapse: collapse; width: 100% }
td { padding: 0.2rem 0.8rem 0.2rem 0; vertical-align: top }
`

const SCRIPT = `
const make = (tag, props, ...children) => {
  const element = Object.assign(document.createElement(tag), props)
  element.append(...children)
  return element
}
const main = document.querySelector('main')

/** An example of a schema: its own, else one made of its parts. */
const sampler = (schemas) => function sample(schema, depth = 0) {
  const s = schema?.$ref ? schemas[schema.$ref.split('/').pop()] : (schema ?? {})
  if (s.example !== undefined) return s.example
  const one = (s.anyOf ?? s.oneOf)?.[0]
  if (one) return sample(one, depth)
  if (s.enum) return s.enum[0]
  if (s.properties && depth < 5) return Object.fromEntries(Object.entries(s.properties).map(([name, of]) => [name, sample(of, depth + 1)]))
  const type = Array.isArray(s.type) ? s.type[0] : s.type
  if (type === 'array') return depth < 5 ? [sample(s.items, depth + 1)] : []
  return { string: 'text', boolean: true, integer: 0, number: 0 }[type] ?? null
}

/** In words, what a parameter may be. */
function form({ enum: words, minimum, maximum }) {
  if (words) return 'One of ' + words.join(', ') + '.'
  if (minimum === undefined) return ''
  return maximum === undefined ? 'At least ' + minimum + '.' : 'From ' + minimum + ' to ' + maximum + '.'
}

function operation(path, verb, op, sample) {
  const body = make('div', {})
  if (op.description) body.append(make('p', { textContent: op.description }))
  const row = (p) => {
    const name = make('td', {}, make('code', { textContent: p.name + (p.required ? ' *' : '') }))
    return make('tr', {}, name, make('td', { textContent: [p.description ?? p.schema?.description, form(p.schema ?? {})].filter(Boolean).join(' ') }))
  }
  if (op.parameters?.length) body.append(make('table', {}, ...op.parameters.map(row)))
  const given = op.requestBody?.content?.['application/json']
  if (given) body.append(make('p', { textContent: 'Body' }), make('pre', { textContent: JSON.stringify(sample(given.schema), null, 2) }))
  for (const [code, answer] of Object.entries(op.responses)) {
    const types = Object.keys(answer.content ?? {}).join(', ')
    const soft = make('span', { className: 'soft', textContent: '  ' + types })
    body.append(make('p', {}, make('strong', { textContent: code + ' ' }), answer.description, soft))
    const schema = answer.content?.['application/json']?.schema
    if (schema && code < 300) body.append(make('pre', { textContent: JSON.stringify(sample(schema), null, 2) }))
  }
  const head = make('summary', {}, make('span', { className: 'verb', textContent: verb.toUpperCase() }))
  head.append(make('code', { textContent: path }), make('span', { className: 'soft', textContent: '  ' + (op.summary ?? '') }))
  return make('details', {}, head, body)
}

try {
  const answer = await fetch('openapi.json')
  if (!answer.ok) throw new Error('openapi.json is answered with ' + answer.status)
  const doc = await answer.json()
  const sample = sampler(doc.components.schemas)
  main.append(make('p', { className: 'soft', textContent: doc.info.description }))
  for (const [path, verbs] of Object.entries(doc.paths)) {
    for (const [verb, op] of Object.entries(verbs)) main.append(operation(path, verb, op, sample))
  }
} catch (error) {
  main.append(make('p', { textContent: 'The description could not be shown: ' + error.message }))
}
`

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Lets nothing but this page's own script and style run. */
export const DOCS_CSP = [
  "default-src 'none'",
  "connect-src 'self'",
  `script-src ${hash(SCRIPT)}`,
  `style-src ${hash(STYLE)}`,
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export function docsPage(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Weir: interface</title>
<style>${STYLE}</style>
</head>
<body><h1>Weir</h1><main></main><script type="module">${SCRIPT}</script></body>
</html>`
}
