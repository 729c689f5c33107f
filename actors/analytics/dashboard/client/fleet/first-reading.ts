/** What is shown while nothing has been measured: the line that sends a first reading, to be copied. */

import { h, setText } from '../dom.ts'
import { stored } from '../keep.ts'

export function firstReading(): HTMLElement {
  const code = h('code', { id: 'curl' }, curlLine('$WEIR_KEY'))
  const said = h('span', { role: 'status', class: 'muted', id: 'copied' })
  const copy = async () => {
    const line = curlLine(stored('weir.key') ?? '$WEIR_KEY')
    try {
      await navigator.clipboard.writeText(line)
      setText(said, 'Copied, with your key in it.')
    } catch {
      setText(code, line)
      setText(said, 'Select it and copy: this browser keeps the clipboard to itself.')
    }
  }
  return h('section', { class: 'card empty', id: 'empty', 'aria-label': 'A first reading' },
    h('pre', { tabindex: 0, role: 'region', 'aria-label': 'Command that sends a first reading' }, code),
    h('p', {}, h('button', { type: 'button', class: 'primary', id: 'copy', onclick: () => void copy() }, 'Copy the line'), ' ', said),
    h('p', { class: 'muted' }, 'Or start Weir with ', h('code', {}, 'npm start -- --demo'), ' to have it fed with real weather and a simulated farm.'))
}

function curlLine(key: string): string {
  const reading = JSON.stringify({ device: 'field-1/probe-1', metric: 'soil_moisture', value: 23.4 })
  return `curl ${location.origin}/v1/readings \\\n  -H "Authorization: Bearer ${key}" \\\n  -H 'Content-Type: application/json' \\\n  -d '${reading}'`
}
