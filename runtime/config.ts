/**
 * Flags of a command: from its argument list and its environment to one typed object, and the `--help` that says so.
 *
 * Owns the forms of values (durations, byte sizes, yes and no), the name of each flag's variable, and the wording of what
 * is wrong. Leaves the meaning of every flag to the command that declares it.
 *
 * Invariants
 * - C1 A flag `someName` is `--some-name` on the command line and `WEIR_SOME_NAME` in the environment; the command line wins, then
 *   the environment, then the default. An empty variable counts as unset.
 * - C2 Nothing is guessed: an unknown flag, a value of another form and a value out of range all end the command with exit code 2.
 */

import { parseArgs } from 'node:util'

interface FlagBase {
  /** One line for `--help`, without the default, which is added to it. */
  readonly help: string
}
interface StringFlag extends FlagBase {
  readonly type: 'string'
  readonly default: string | null
  /** The only values allowed, where there is such a list. */
  readonly choices?: readonly string[]
}
interface NumberFlag extends FlagBase {
  readonly type: 'number'
  readonly default: number | null
  readonly min?: number
  readonly max?: number
  /** Whole numbers only. */
  readonly integer?: boolean
}
interface BooleanFlag extends FlagBase {
  readonly type: 'boolean'
  readonly default: boolean
}
interface DurationFlag extends FlagBase {
  readonly type: 'duration'
  /** As a person writes it (`'5s'`), or a number of milliseconds. */
  readonly default: string | number | null
}
interface BytesFlag extends FlagBase {
  readonly type: 'bytes'
  /** As a person writes it (`'10GiB'`), or a number of bytes. */
  readonly default: string | number | null
}
/** What a command declares of one flag. */
export type Flag = StringFlag | NumberFlag | BooleanFlag | DurationFlag | BytesFlag
/** Flags by their name in camelCase. */
export type FlagSpec = Readonly<Record<string, Flag>>

type ValueOf<F extends Flag> = F extends { type: 'boolean' }
  ? boolean
  : F extends { type: 'string' }
    ? (F extends { choices: readonly (infer Choice)[] } ? Choice : string) | (F['default'] extends string ? never : null)
    : F['default'] extends string | number
      ? number
      : number | null

/** The flags of a spec as values: durations in milliseconds, sizes in bytes. `_` holds the arguments that are not flags. */
export type Flags<S extends FlagSpec> = { readonly [K in keyof S]: ValueOf<S[K]> } & { readonly _: readonly string[] }

/** Variables of a process, as `process.env` has them. */
export type Env = Readonly<Record<string, string | undefined>>

/** Arguments of a command beside its flags. None are allowed unless they are declared. */
export interface Arguments {
  /** For the usage line: `create|list|rotate|revoke [id]`. */
  readonly usage: string
  readonly min?: number
  readonly max: number
}

/** Something wrong in what the user wrote; the message says what. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024, kb: 1000, kib: 1024,
  m: 1024 ** 2, mb: 1000 ** 2, mib: 1024 ** 2,
  g: 1024 ** 3, gb: 1000 ** 3, gib: 1024 ** 3,
  t: 1024 ** 4, tb: 1000 ** 4, tib: 1024 ** 4,
}

/** Milliseconds of `5s`, `100ms`, `1h30m`, `7d`, or of `0`; null for anything else. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim()
  if (trimmed === '0') return 0
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(trimmed)) return null
  let totalMs = 0
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) totalMs += Number(amount) * DURATION_MS[unit!]!
  return Math.round(totalMs)
}

/** Bytes of `512`, `64KiB`, `10GB`, `1.5g`; null for anything else. Bare letters are powers of 1024. */
export function parseBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  if (match === null) return null
  const factor = BYTES[match[2]!.toLowerCase() || 'b']
  return factor === undefined ? null : Math.round(Number(match[1]) * factor)
}

/** `90000` as `1m30s`: a duration in the form that {@link parseDuration} reads. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0'
  const units = Object.entries(DURATION_MS).filter(([unit]) => unit !== 'w').sort(([, a], [, b]) => b - a)
  let rest = Math.round(ms)
  let text = ''
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** `keepSuperseded` as `WEIR_KEEP_SUPERSEDED`. */
export const variableOf = (name: string): string => `WEIR_${kebab(name).replaceAll('-', '_').toUpperCase()}`

function valueOf(where: string, flag: Flag, text: string): string | number | boolean {
  const wrong = (must: string) => new UsageError(`Cannot use ${where} as it must be ${must}: current value is ${JSON.stringify(text)}`)
  switch (flag.type) {
    case 'string':
      if (flag.choices !== undefined && !flag.choices.includes(text)) throw wrong(`one of ${flag.choices.join(', ')}`)
      return text
    case 'boolean':
      if (/^(1|true|yes|on)$/i.test(text)) return true
      if (/^(0|false|no|off)$/i.test(text)) return false
      throw wrong('true or false')
    case 'duration': {
      const ms = parseDuration(text)
      if (ms === null) throw wrong('a duration such as 5s, 100ms, 24h or 7d')
      return ms
    }
    case 'bytes': {
      const bytes = parseBytes(text)
      if (bytes === null) throw wrong('a size such as 512MiB, 10GiB or 1000000')
      return bytes
    }
    case 'number': {
      const number = text.trim() === '' ? NaN : Number(text)
      const kind = flag.integer ? 'a whole number' : 'a number'
      const { min, max } = flag
      const from = min === undefined ? '' : max === undefined ? ` of at least ${min}` : ` from ${min}`
      const to = max === undefined ? '' : min === undefined ? ` of at most ${max}` : ` to ${max}`
      const range = from + to
      if (!Number.isFinite(number) || (flag.integer && !Number.isInteger(number))) throw wrong(kind + range)
      if ((min !== undefined && number < min) || (max !== undefined && number > max)) throw wrong(kind + range)
      return number
    }
  }
}

function defaultOf(name: string, flag: Flag): string | number | boolean | null {
  if (typeof flag.default === 'string' && flag.type !== 'string') return valueOf(`--${kebab(name)}`, flag, flag.default)
  return flag.default
}

const PLACEHOLDER = { string: 'TEXT', number: 'N', boolean: '', duration: 'TIME', bytes: 'SIZE' } as const

function shownDefault(flag: Flag): string {
  if (flag.default === null || flag.default === '' || flag.default === false) return ''
  const shown = flag.type === 'duration' && typeof flag.default === 'number' ? formatDuration(flag.default) : String(flag.default)
  return `default ${shown}, `
}

/** The text of `--help`: usage, summary, and each flag with its default and its variable. */
export function helpText(command: string, summary: string, spec: FlagSpec, args?: Arguments): string {
  const lines = [`Usage: weir ${command}${args ? ` ${args.usage}` : ''} [flags]`, '', summary, '', 'Flags:']
  const heads = Object.entries(spec).map(([name, flag]) => {
    const value = flag.type === 'string' && flag.choices ? flag.choices.join('|') : PLACEHOLDER[flag.type]
    return `  --${kebab(name)}${value ? ` ${value}` : ''}`
  })
  const width = Math.min(30, Math.max(8, ...heads.map((head) => head.length)) + 2)
  Object.entries(spec).forEach(([name, flag], index) => {
    const head = heads[index]!
    const lead = head.length + 2 > width ? `${head}\n${' '.repeat(width)}` : head.padEnd(width)
    lines.push(`${lead}${flag.help} (${shownDefault(flag)}${variableOf(name)})`)
  })
  lines.push(`${'  --help'.padEnd(width)}say this`, '')
  if (Object.values(spec).some((flag) => flag.type === 'duration')) lines.push('TIME is written as 100ms, 5s, 10m, 24h or 7d.')
  if (Object.values(spec).some((flag) => flag.type === 'bytes')) lines.push('SIZE is written as 1000000, 512MiB or 10GiB.')
  return lines.join('\n').trimEnd() + '\n'
}

/** The known name nearest to `name`, when it is near enough to be a slip of the hand. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const distance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, j) => j)
    for (let i = 1; i <= a.length; i++) {
      const next = [i]
      for (let j = 1; j <= b.length; j++) next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
      row = next
    }
    return row[b.length]!
  }
  return known.map((other) => ({ other, far: distance(name, other) })).sort((a, b) => a.far - b.far).find(({ far }) => far <= 2)?.other
}

/**
 * Reads the flags of `spec`; `'help'` when `--help` is among the arguments. Pure: for commands, {@link readFlags} is the one to call.
 * Throws `UsageError` at anything that is not as declared (C2).
 */
export function parseFlags<const S extends FlagSpec>(spec: S, argv: readonly string[], env: Env, args?: Arguments): Flags<S> | 'help' {
  const names = new Map(Object.keys(spec).map((name) => [kebab(name), name]))
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = { help: { type: 'boolean', short: 'h' } }
  for (const [flagName, name] of names) options[flagName] = { type: spec[name]!.type === 'boolean' ? 'boolean' : 'string' }
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true })

  const values: Record<string, unknown> = {}
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'option' && token.name === 'help') return 'help'
  }
  for (const [name, flag] of Object.entries(spec)) {
    const fromEnv = env[variableOf(name)]
    values[name] = fromEnv === undefined || fromEnv === '' ? defaultOf(name, flag) : valueOf(variableOf(name), flag, fromEnv)
  }
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const negated = token.name.startsWith('no-') ? names.get(token.name.slice(3)) : undefined
    if (negated !== undefined && spec[negated]!.type === 'boolean' && token.value === undefined) {
      values[negated] = false
      continue
    }
    const name = names.get(token.name)
    if (name === undefined || !token.rawName.startsWith('--')) {
      const near = nearest(token.name, [...names.keys()])
      throw new UsageError(`Cannot use ${token.rawName} as it must be a flag of this command${near ? `: did you mean --${near}?` : ''}`)
    }
    const flag = spec[name]!
    if (flag.type === 'boolean') values[name] = token.value === undefined ? true : valueOf(token.rawName, flag, token.value)
    else if (token.value === undefined || (token.value.startsWith('--') && !token.inlineValue)) {
      throw new UsageError(`Cannot use ${token.rawName} as it must be followed by a value: ${flag.help}`)
    } else values[name] = valueOf(token.rawName, flag, token.value)
  }
  const { min = 0, max = 0 } = args ?? {}
  if (positionals.length > max) {
    throw new UsageError(`Cannot use ${JSON.stringify(positionals[max])} as arguments must be ${args ? args.usage : 'flags only'}`)
  }
  if (positionals.length < min) {
    throw new UsageError(`Cannot go on as arguments must be ${args!.usage}: current number of them is ${positionals.length}`)
  }
  return { ...values, _: positionals } as unknown as Flags<S>
}

/**
 * The flags of a command. `--help` prints and exits 0; anything wrong prints what, and exits 2.
 *
 * @example
 * const flags = readFlags('edge', 'Takes readings in.', { port: { type: 'number', default: 8080, help: 'port to listen on' } }, argv, env)
 * flags.port // number
 */
export function readFlags<const S extends FlagSpec>(
  command: string,
  summary: string,
  spec: S,
  argv: readonly string[],
  env: Env,
  args?: Arguments,
): Flags<S> {
  try {
    const flags = parseFlags(spec, argv, env, args)
    if (flags !== 'help') return flags
    process.stdout.write(helpText(command, summary, spec, args))
    process.exit(0)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`weir ${command}: ${error.message}\nSee weir ${command} --help\n`)
    process.exit(2)
  }
}
