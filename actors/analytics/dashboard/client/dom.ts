/** Making and finding elements, without markup in strings: text from devices never becomes markup. */

type Child = Node | string | number | null | undefined | false

/** Attributes; a function is a listener of the event named after `on`; null and false leave the attribute out. */
type Attributes = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>

/** @example h('button', { type: 'button', onclick: save }, 'Save') */
export function h<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key.slice(2), value as EventListener)
    else if (value === true) element.setAttribute(key, '')
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, String(value))
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(typeof child === 'number' ? String(child) : child)
  return element
}

/** An element of a drawing. @example svg('path', { d: 'M0 0h9', class: 'day-line' }) */
export function svg<K extends keyof SVGElementTagNameMap>(name: K, attributes: Record<string, string | number> = {}, ...children: (Node | string)[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
  element.append(...children)
  return element
}

type ButtonKind = 'primary' | 'quiet' | 'as-link' | 'as-link one-line'

/** @example button('quiet', 'Edit', edit, { 'aria-label': 'Edit ec' }) */
export function button(kind: ButtonKind, words: string, onPress: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h('button', { type: 'button', class: kind, ...attributes, onclick: () => onPress() }, words)
}

/** The head of a table: a column a name, or a name with its class. */
export function tableHead(heads: readonly (string | readonly [name: string, kind: string])[]): HTMLTableSectionElement {
  const cells = heads.map((head) => (typeof head === 'string' ? h('th', { scope: 'col' }, head) : h('th', { scope: 'col', class: head[1] || null }, head[0])))
  return h('thead', {}, h('tr', {}, ...cells))
}

/** The element of the page with this id. A missing one is a bug of the page. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id)
  if (!element) throw new Error(`Cannot find #${id} in the page`)
  return element as T
}

/** Sets the text where it differs, so that a reader's selection and live regions are left in peace. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

let announcement: ReturnType<typeof setTimeout> | undefined

/** Says `text` politely to a screen reader; of several at once, the last. */
export function announce(text: string): void {
  clearTimeout(announcement)
  announcement = setTimeout(() => setText(byId('announce'), text), 400)
}

/** The colour behind a variable of the style sheet, as the browser resolves it at this moment. */
export function colour(name: string): string {
  let probe = document.getElementById('colour-probe')
  if (!probe) document.body.append((probe = h('span', { id: 'colour-probe', hidden: true })))
  probe.style.color = `var(--${name})`
  return getComputedStyle(probe).color
}

/** A radio group drawn as a row of segments: arrows move within it, as the browser does for radios. */
export function segments(fieldset: HTMLElement, name: string, options: readonly { value: string; label: string; title?: string }[], onPick: (value: string) => void) {
  for (const option of options) {
    const input = h('input', { type: 'radio', name, value: option.value, id: `${name}-${option.value}`, onchange: () => onPick(option.value) })
    fieldset.append(input, h('label', { for: `${name}-${option.value}`, title: option.title }, option.label))
  }
  return {
    set(value: string | null) {
      for (const input of fieldset.querySelectorAll('input')) input.checked = input.value === value
    },
  }
}
