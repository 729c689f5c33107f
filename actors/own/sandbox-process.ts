/**
 * The process that an author's code runs in (`weir-own`): asked by lines of JSON on its standard input, answering on its standard output.
 *
 * It is started without environment, credentials or rights (sandbox.ts), and this file takes away what is left before the author's code comes: timers, the
 * network's functions, and every import but `weir/actor` and the author's own files. On Deno the runtime itself refuses files, network, environment and processes. On Node it refuses
 * files, processes and addons, but not the network: there what is taken away here is a guard against accidents, and no wall against malice.
 *
 * - P1 Nothing of Weir is in reach here but the author's own states; who asks trusts no answer, and kills this process where it takes too long or too much.
 */

import process from 'node:process'
import { check } from './contract.ts'
import type { AnyActor } from './contract.ts'
import { Steps } from './steps.ts'
import type { StepEvent, StepMemory } from './steps.ts'

/** What is asked here. */
export type ToSandbox =
  /** The author's modules, by texts in which `weir-module:N` stands for what they import. */
  | { readonly k: 'load'; readonly texts: readonly string[] }
  | { readonly k: 'memory'; readonly memory: StepMemory }
  | { readonly k: 'step'; readonly id: number; readonly events: readonly StepEvent[]; readonly checked: readonly boolean[] }

const isDeno = 'deno' in process.versions
const { stdin, stdout } = process
const say = (message: object): void => void stdout.write(`${JSON.stringify(message)}\n`)
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 2_000)

/** On Node: the sources of what may be imported. */
const sources = new Map<string, string>()
const strip = isDeno ? null : await hooked()
const { createObjectURL } = URL
takeAway()
let steps: Steps | null = null
let turn: Promise<void> = Promise.resolve()
let rest = ''
stdin.setEncoding('utf8')
stdin.on('data', (text: string) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop()!
  for (const line of lines) turn = turn.then(() => take(JSON.parse(line) as ToSandbox))
})
stdin.on('end', () => process.exit(0))

async function take(message: ToSandbox): Promise<void> {
  if (message.k === 'load') {
    try {
      const actor = await load(message.texts)
      steps = new Steps(actor)
      const { name, about, reads, everyMs, view } = actor
      const has = { key: typeof actor.key === 'string' ? actor.key : 'function', tick: actor.tick !== undefined }
      say({ k: 'facts', facts: { name, about, reads, everyMs, view }, has })
    } catch (error) {
      say({ k: 'fault', id: 0, message: messageOf(error) })
    }
  } else if (message.k === 'memory') steps!.load(message.memory)
  else {
    const { id, events, checked } = message
    try {
      say({ k: 'answer', id, answers: events.map((event, i) => steps!.step(event, checked[i])) })
    } catch (error) {
      say({ k: 'fault', id, message: messageOf(error) })
    }
  }
}

/** The author's files as modules without a place: nothing is relative to them, and what they import is handed to them. */
async function load(texts: readonly string[]): Promise<AnyActor> {
  const urls: string[] = []
  for (const [i, text] of texts.entries()) {
    const linked = text.replace(/weir-module:(\d+)/g, (_, index: string) => urls[Number(index)])
    if (strip === null) urls.push(createObjectURL(new Blob([linked], { type: 'application/typescript' })))
    else {
      urls.push(`weir-module:${i}`)
      sources.set(urls[i], strip(text))
    }
  }
  const { default: actor } = (await import(urls.at(-1)!)) as { default: unknown }
  check(actor)
  return actor
}

/** On Node: refuses what an author's file may not import, and gives what makes JavaScript of it. */
async function hooked(): Promise<(text: string) => string> {
  const { registerHooks, stripTypeScriptTypes } = await import('node:module')
  registerHooks({
    resolve: (specifier) => {
      if (sources.has(specifier)) return { url: specifier, format: 'module', shortCircuit: true }
      throw new TypeError(`Cannot import ${specifier} as an actor may import weir/actor and files beside its own alone`)
    },
    load: (url) => ({ format: 'module', source: sources.get(url)!, shortCircuit: true }),
  })
  return (text) => stripTypeScriptTypes(text)
}

function takeAway(): void {
  const names = ['process', 'fetch', 'WebSocket', 'WebSocketStream', 'EventSource', 'XMLHttpRequest', 'Worker', 'SharedWorker', 'BroadcastChannel', 'caches', 'localStorage', 'sessionStorage', 'navigator', 'setTimeout', 'setInterval', 'setImmediate', 'requestAnimationFrame', 'require', 'module', 'global', 'prompt', 'alert', 'confirm']
  for (const name of names) {
    try {
      Reflect.deleteProperty(globalThis, name)
      if (name in globalThis) Object.defineProperty(globalThis, name, { value: undefined, configurable: false, writable: false })
    } catch {
      // What can't be taken away is refused by the runtime, or is there to no purpose.
    }
  }
  const quiet = (): void => {}
  globalThis.console = { log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet, trace: quiet, table: quiet, dir: quiet, assert: quiet } as unknown as Console
}
