import { describe, expect, expectTypeOf, test } from 'vitest'
import { formatDuration, helpText, parseBytes, parseDuration, parseFlags, UsageError } from '../../runtime/config.ts'
import type { FlagSpec } from '../../runtime/config.ts'

const spec = {
  port: { type: 'number', default: 8080, min: 0, max: 65_535, integer: true, help: 'port to listen on' },
  host: { type: 'string', default: '127.0.0.1', help: 'address to listen on' },
  nats: { type: 'string', default: null, help: 'outer servers' },
  lateness: { type: 'duration', default: '5s', help: 'how long a window waits' },
  keepSuperseded: { type: 'duration', default: 3_600_000, help: 'how long old files stay' },
  bytesMax: { type: 'bytes', default: '10GiB', help: 'size of the log' },
  demo: { type: 'boolean', default: false, help: 'feeds it as well' },
  sync: { type: 'string', default: 'interval', choices: ['interval', 'always'], help: 'when the log syncs' },
} as const satisfies FlagSpec

const read = (argv: string[], env: Record<string, string> = {}) => {
  const flags = parseFlags(spec, argv, env)
  if (flags === 'help') throw new Error('help was not asked for')
  return flags
}

describe('flags', () => {
  test('without arguments are their defaults, durations in milliseconds and sizes in bytes', () => {
    const flags = read([])
    expect(flags).toEqual({
      port: 8080, host: '127.0.0.1', nats: null, lateness: 5_000, keepSuperseded: 3_600_000, bytesMax: 10 * 1024 ** 3, demo: false, sync: 'interval', _: [],
    })
    expectTypeOf(flags.port).toEqualTypeOf<number>()
    expectTypeOf(flags.nats).toEqualTypeOf<string | null>()
    expectTypeOf(flags.demo).toEqualTypeOf<boolean>()
    expectTypeOf(flags.lateness).toEqualTypeOf<number>()
  })

  test('take the command line before the environment, and the environment before the default', () => {
    const env = { WEIR_PORT: '1', WEIR_KEEP_SUPERSEDED: '2m', WEIR_DEMO: 'yes', WEIR_HOST: '' }
    expect(read([], env)).toMatchObject({ port: 1, keepSuperseded: 120_000, demo: true, host: '127.0.0.1' })
    expect(read(['--port=2', '--keep-superseded', '90s', '--no-demo'], env)).toMatchObject({ port: 2, keepSuperseded: 90_000, demo: false })
  })

  test('that are unknown, in argument or form, are errors that say what must be', () => {
    const cases: [string[], Record<string, string>, RegExp][] = [
      [['--prot', '1'], {}, /--prot.*did you mean --port/],
      [['-p'], {}, /-p.*flag of this command/],
      [['--port', 'x'], {}, /--port.*whole number from 0 to 65535.*"x"/],
      [['--port', '1.5'], {}, /whole number/],
      [['--port', '70000'], {}, /from 0 to 65535/],
      [['--port'], {}, /followed by a value/],
      [['--host', '--demo'], {}, /--host.*followed by a value/],
      [['--lateness', '5'], {}, /duration such as 5s/],
      [['--bytes-max', 'much'], {}, /size such as/],
      [['--sync', 'never'], {}, /one of interval, always/],
      [['--demo=perhaps'], {}, /true or false/],
      [['stray'], {}, /stray.*flags only/],
      [[], { WEIR_PORT: 'x' }, /WEIR_PORT.*whole number/],
    ]
    for (const [argv, env, message] of cases) {
      expect(() => read(argv, env)).toThrow(UsageError)
      expect(() => read(argv, env)).toThrow(message)
    }
  })

  test('leave declared arguments in order, and hold them to their number', () => {
    const args = { usage: 'create|revoke [id]', min: 1, max: 2 }
    const flags = parseFlags(spec, ['create', '--port', '1', 'id'], {}, args)
    expect(flags).toMatchObject({ _: ['create', 'id'], port: 1 })
    expect(() => parseFlags(spec, [], {}, args)).toThrow(/create\|revoke/)
    expect(() => parseFlags(spec, ['a', 'b', 'c'], {}, args)).toThrow(/"c"/)
  })

  test('help wins over everything else that is written', () => {
    expect(parseFlags(spec, ['--prot', '--help'], { WEIR_PORT: 'x' })).toBe('help')
  })

  test('are named by help, each with its default and its variable', () => {
    const text = helpText('edge', 'Takes readings in.', spec)
    expect(text).toMatch(/^Usage: weir edge \[flags\]/)
    expect(text).toMatch(/--port N +port to listen on \(default 8080, WEIR_PORT\)/)
    expect(text).toMatch(/--keep-superseded TIME\s+how long old files stay \(default 1h, WEIR_KEEP_SUPERSEDED\)/)
    expect(text).toMatch(/--nats TEXT +outer servers \(WEIR_NATS\)/)
  })
})

test('a duration that is written is read back', () => {
  for (const ms of [0, 1, 999, 1_000, 90_000, 3_600_000, 86_400_000, 604_800_000, 694_861_001]) expect(parseDuration(formatDuration(ms))).toBe(ms)
  expect([parseDuration('1.5h'), parseDuration('1h30m'), parseDuration('1w'), parseDuration('5'), parseDuration('-5s'), parseDuration('')]).toEqual([
    5_400_000, 5_400_000, 604_800_000, null, null, null,
  ])
})

test('sizes are bytes, decimal and binary units told apart', () => {
  expect([parseBytes('512'), parseBytes('1kB'), parseBytes('1KiB'), parseBytes('1.5g'), parseBytes('10 GiB'), parseBytes('1x'), parseBytes('-1')]).toEqual([
    512, 1000, 1024, 1.5 * 1024 ** 3, 10 * 1024 ** 3, null, null,
  ])
})
