/** A process that does nothing but live by the rules of runtime/process.ts, in the manner that its argument names. */

import process from 'node:process'
import { OperatingError } from '../../runtime/errors.ts'
import { runProcess } from '../../runtime/process.ts'

const mode = process.argv[2]
const say = (level: string) => (_: object, message: string) => void process.stdout.write(`${level} ${message}\n`)

await runProcess({
  title: 'weir-sleeper',
  logger: { info: say('info'), warn: say('warn'), error: say('error') },
  drainMs: mode === 'hangs-briefly' ? 50 : 10_000,
  start: async () => {
    if (mode === 'fails') throw new OperatingError('config', 'Cannot listen')
    if (mode === 'throws') setTimeout(() => Promise.reject(new Error('thrown')), 1)
    process.on('SIGUSR2', () => process.stdout.write('still here\n'))
    const alive = setInterval(() => {}, 1000)
    process.stdout.write('up\n')
    return {
      done: mode === 'finishes' ? Promise.resolve() : undefined,
      stop: async () => {
        if (mode === 'drains-slowly') await new Promise((resolve) => setTimeout(resolve, 200))
        if (mode?.startsWith('hangs')) await new Promise(() => {})
        clearInterval(alive)
        process.stdout.write('stopped\n')
      },
    }
  },
})
