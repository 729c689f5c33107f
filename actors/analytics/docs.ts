/**
 * The page at `/docs`: shows `/openapi.json` as a list of paths with their parameters and answers. Asks nobody else for anything.
 */

import { createHash } from 'node:crypto'

const STYLE = `
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent);--soft:color-mix(in srgb,currentColor 62%,transparent)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:2rem 1rem}
h1{margin:0 0 .25rem}details{border-top:1px solid var(--line);padding:.6rem 0}summary{cursor:pointer}
code,pre{font:14px/1.5 ui-monospace,monospace}.verb{display:inline-block;width:3.5rem;font-weight:700}.soft,td:last-child{color:var(--soft)}
table{border-collapse:collapse;width:100%}td{padding:.2rem .8rem .2rem 0;vertical-align:top}pre{overflow:auto;border:1px solid var(--line);padding:.6rem;border-radius:6px}`

const SCRIPT = `
const make=(tag,props,...children)=>{const e=Object.assign(document.createElement(tag),props);e.append(...children);return e}
const main=document.querySelector('main')
try{
  const answer=await fetch('openapi.json');if(!answer.ok)throw new Error('openapi.json: '+answer.status)
  const doc=await answer.json()
  const deref=s=>s&&s.$ref?doc.components.schemas[s.$ref.split('/').pop()]:s
  const sample=(s,depth=0)=>{s=deref(s)||{};if(s.example!==undefined)return s.example;if(s.anyOf||s.oneOf)return sample((s.anyOf||s.oneOf)[0],depth)
    if(s.enum)return s.enum[0];if(s.properties&&depth<5)return Object.fromEntries(Object.entries(s.properties).map(([k,v])=>[k,sample(v,depth+1)]))
    if(s.type==='array')return depth<5?[sample(s.items,depth+1)]:[];const t=Array.isArray(s.type)?s.type[0]:s.type
    return t==='string'?'text':t==='boolean'?true:t==='integer'||t==='number'?0:null}
  main.append(make('p',{className:'soft',textContent:doc.info.description}))
  for(const [path,verbs] of Object.entries(doc.paths))for(const [verb,op] of Object.entries(verbs)){
    const body=make('div',{});if(op.description)body.append(make('p',{textContent:op.description}))
    if(op.parameters?.length)body.append(make('table',{},...op.parameters.map(p=>make('tr',{},make('td',{},make('code',{textContent:p.name})),make('td',{textContent:p.description||p.schema?.description||''})))))
    const given=op.requestBody?.content?.['application/json'];if(given)body.append(make('p',{textContent:'Body'}),make('pre',{textContent:JSON.stringify(sample(given.schema),null,2)}))
    for(const [code,r] of Object.entries(op.responses)){
      body.append(make('p',{},make('strong',{textContent:code+' '}),r.description,make('span',{className:'soft',textContent:'  '+Object.keys(r.content||{}).join(', ')})))
      const s=r.content?.['application/json']?.schema;if(s&&code<300)body.append(make('pre',{textContent:JSON.stringify(sample(s),null,2)}))}
    main.append(make('details',{},make('summary',{},make('span',{className:'verb',textContent:verb.toUpperCase()}),make('code',{textContent:path}),make('span',{className:'soft',textContent:'  '+(op.summary||'')})),body))}
}catch(error){main.append(make('p',{textContent:'The description could not be shown: '+error.message}))}`

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Lets nothing but this page's own script and style run. */
export const DOCS_CSP = `default-src 'none'; connect-src 'self'; script-src ${hash(SCRIPT)}; style-src ${hash(STYLE)}; base-uri 'none'; frame-ancestors 'none'`

export function docsPage(): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Weir: interface</title>
<style>${STYLE}</style></head><body><h1>Weir</h1><main></main><script type="module">${SCRIPT}</script></body></html>`
}
