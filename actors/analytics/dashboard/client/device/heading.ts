/** The head of a device's page: its name, what is known of it in a line, and whether it is live. */

import { h, setText } from '../dom.ts'

export interface Heading {
  readonly element: HTMLElement
  /** Names another device. */
  name(device: string): void
  say(about: string): void
}

export function createHeading(stream: HTMLElement): Heading {
  const title = h('h1', { id: 'title' })
  const about = h('span', { class: 'muted', id: 'device-about' })
  return {
    element: h('div', { class: 'page-head' },
      h('p', { class: 'crumbs' }, h('a', { href: '/' }, 'Fleet')), title,
      h('p', { class: 'lead-in' }, about, ' ', stream)),
    name(device) {
      const at = device.lastIndexOf('/') + 1
      title.replaceChildren(h('span', { class: 'title-path' }, device.slice(0, at)), device.slice(at) || 'No device')
      document.title = `${device || 'No device'} · Weir`
    },
    say: (text) => setText(about, text),
  }
}
