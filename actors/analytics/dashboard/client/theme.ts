/** Light, dark, or as the system has it. */

import { byId, setText } from './dom.ts'
import { store, stored } from './keep.ts'

const THEMES = ['auto', 'light', 'dark'] as const
const TEXT = { auto: ['◐', 'Auto'], light: ['☀', 'Light'], dark: ['☾', 'Dark'] } as const

/** Wires the button; `onChange` is called after each change, the system's own included. */
export function startTheme(onChange: () => void): void {
  const button = byId('theme')
  let theme = THEMES.find((t) => t === stored('weir.theme')) ?? 'auto'
  const apply = () => {
    if (theme === 'auto') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
    const [icon, label] = TEXT[theme]
    setText(button.firstElementChild as HTMLElement, icon)
    setText(byId('theme-text'), label)
    button.setAttribute('aria-label', `Colours: ${label}`)
  }
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]
    store('weir.theme', theme === 'auto' ? null : theme)
    apply()
    onChange()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange)
  apply()
}
