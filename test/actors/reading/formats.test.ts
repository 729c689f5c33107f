import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Packr } from 'msgpackr'
import { BODY_DEPTH_MAX, LINES_BROKEN_MAX } from '../../../runtime/limits.ts'
import { formatOf, MEDIA_TYPES_TOLD } from '../../../actors/reading/formats.ts'
import type { Format } from '../../../actors/reading/formats.ts'
import type { Reading } from '../../../actors/reading/input.ts'
import { guardMsgpack } from '../../../runtime/msgpack-guard.ts'
import { nameOf } from '../../../actors/reading/parse-senml.ts'
import { json, NOW_MS, read } from './read.ts'

const packr = new Packr({ useRecords: false, variableMapSize: true })
const pack = (value: unknown) => new Uint8Array(packr.pack(value))
const good = { device: 'field-7/probe-2', metric: 'soil_moisture', ts: NOW_MS, value: 23.4 }

const reading: fc.Arbitrary<Reading> = fc.record({
  device: fc.stringMatching(/^[A-Za-z0-9.:_/-]{1,20}$/),
  metric: fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.]{0,9}$/),
  ts: fc.integer({ min: 946_684_800_000, max: NOW_MS + 86_400_000 }),
  value: fc.double({ min: -1e100, max: 1e100, noNaN: true }).map((v) => v + 0),
})

const column = <K extends keyof Reading>(readings: Reading[], name: K) => readings.map((r) => r[name])
const columns = (readings: Reading[]) => ({ device: column(readings, 'device'), metric: column(readings, 'metric'), ts: column(readings, 'ts'), value: column(readings, 'value') })

const WAYS: [string, Format, (readings: Reading[]) => string | Uint8Array][] = [
  ['an array', 'json', (rs) => JSON.stringify(rs)],
  ['an object of readings', 'json', (rs) => JSON.stringify({ readings: rs })],
  ['columns of JSON', 'json', (rs) => JSON.stringify(columns(rs))],
  ['times as text', 'json', (rs) => JSON.stringify(rs.map((r) => ({ ...r, ts: new Date(r.ts).toISOString() })))],
  ['a byte order mark', 'json', (rs) => `\ufeff${JSON.stringify(rs)}`],
  ['values', 'json', (rs) => JSON.stringify(rs.map(({ device, metric, ts, value }) => ({ device, ts, values: { [metric]: value } })))],
  ['lines of JSON', 'ndjson', (rs) => rs.map((r) => JSON.stringify(r)).join('\n')],
  ['lines of JSON with returns and blanks', 'ndjson', (rs) => rs.map((r) => ` ${JSON.stringify(r)}\r\n\r\n`).join('')],
  ['msgpack rows', 'msgpack', (rs) => pack(rs)],
  ['msgpack rows in an object', 'msgpack', (rs) => pack({ readings: rs })],
  ['msgpack columns', 'msgpack', (rs) => pack(columns(rs))],
  ['msgpack timestamps', 'msgpack', (rs) => new Uint8Array(new Packr({ useRecords: false }).pack(rs.map((r) => ({ ...r, ts: new Date(r.ts) }))))],
]

describe('a valid reading', () => {
  test.each(WAYS)('is the same whatever carries it: %s', (_, format, encode) => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 20 }), (readings) => {
        const result = read(format, encode(readings))
        expect(result.rejected).toEqual([])
        expect(result.readings).toEqual(readings)
      }),
      { numRuns: 60 },
    )
  })

  test('is the same in line protocol, but for −0 and the device chosen by its tag', () => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 20 }), (readings) => {
        const result = read('lines', readings.map((r) => `m,device=${r.device} ${r.metric}=${r.value} ${r.ts}000000`).join('\n'))
        expect(result.rejected).toEqual([])
        expect(result.readings).toEqual(readings)
      }),
      { numRuns: 60 },
    )
  })

  test('is the same in SenML, in seconds', () => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 20 }), (readings) => {
        const named = readings.map((r) => ({ ...r, device: `d${r.device.replace(/[/:_.]+$/, '')}` }))
        const result = read('senml+json', JSON.stringify(named.map((r) => ({ bn: `${r.device}/`, n: r.metric, t: r.ts / 1000, v: r.value }))))
        expect(result.rejected).toEqual([])
        expect(result.readings).toEqual(named)
      }),
      { numRuns: 60 },
    )
  })
})

describe('whatever bytes come', () => {
  const formats: Format[] = ['json', 'ndjson', 'msgpack', 'senml+json', 'senml+cbor', 'lines']

  test('no format throws, and none of them changes what objects inherit', () => {
    fc.assert(
      fc.property(fc.constantFrom(...formats), fc.uint8Array({ maxLength: 200 }), (format, bytes) => {
        read(format, bytes)
        expect(Object.keys(Object.prototype)).toEqual([])
      }),
      { numRuns: 1500 },
    )
  })

  test('any JSON value is readings or verdicts', () => {
    fc.assert(
      fc.property(fc.constantFrom<Format>('json', 'ndjson', 'senml+json'), fc.json({ maxDepth: 4 }), (format, text) => {
        const { readings, rejectedCount } = read(format, text)
        for (const r of readings) expect(Number.isFinite(r.value) && Number.isInteger(r.ts)).toBe(true)
        if (format === 'ndjson') expect(readings.length + rejectedCount).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
  })

  test('any msgpack value that a guard lets pass is readings or verdicts', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: false, withBigInt: false }), (value) => {
        read('msgpack', pack(value))
      }),
      { numRuns: 300 },
    )
  })

  test('cut or bent msgpack is refused or judged, never thrown', () => {
    const body = pack([good, { ...good, values: { a: 1 } }])
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
        const bent = cut ? body.slice(0, at) : body.slice()
        if (!cut) bent[at] = byte
        read('msgpack', bent)
      }),
      { numRuns: 1500 },
    )
  })
})

test('bodies made to be slow are judged in one pass', () => {
  const size = 1024 * 1024
  const bodies: [Format, string][] = [
    ['lines', `m a=${'1'.repeat(size)}x`],
    ['lines', 'm a=1\n'.repeat(size / 6)],
    ['lines', 'm a="1\n'.repeat(size / 7)],
    ['lines', `${','.repeat(size)} a=1`],
    ['lines', `m ${'a=1,'.repeat(size / 4)}b=1`],
    ['lines', `${'\\'.repeat(size)} a=1`],
    ['senml+json', `[{"bn":"${'/'.repeat(size / 2)}a"},${'{"n":"b","v":1},'.repeat(size / 32)}{"n":"b","v":1}]`],
    ['ndjson', '\n'.repeat(size)],
    ['ndjson', '{\n'.repeat(size / 2)],
    ['json', `[${'{},'.repeat(size / 3)}{}]`],
    ['json', `{"device":"a","values":{${Array.from({ length: 100_000 }, (_, i) => `"m${i}":${i}`).join()}}}`],
  ]
  for (const [format, body] of bodies) {
    const { readings, rejectedCount } = read(format, body)
    expect(readings.length + rejectedCount).toBeGreaterThanOrEqual(format === 'ndjson' && body.startsWith('\n') ? 0 : 1)
  }
})

describe('JSON', () => {
  test.each(['{nope', '', '[1,2', '{"device":', 'NaN', "{'a':1}"])('that is none is refused: %j', (text) => {
    const { refusal, rejectedCount } = read('json', text)
    expect(refusal).toMatch(/can't be parsed/)
    expect(rejectedCount).toBe(1)
  })

  test.each(['1', '"a"', 'null', 'true'])('that is %s is refused', (text) => {
    expect(read('json', text).refusal).toMatch(/^the body must be a reading/)
  })

  test('nested 100,000 deep is refused before it is parsed', () => {
    for (const text of ['['.repeat(100_000), '['.repeat(100_000) + ']'.repeat(100_000), '{"a":'.repeat(100_000)]) {
      expect(read('json', text).refusal).toMatch(/nested at most 32 deep/)
    }
  })

  test('may hold any brackets within its strings', () => {
    expect(json([{ ...good, note: '[[[['.repeat(50) + '\\"{{{' }]).readings).toEqual([good])
  })

  test('of names like __proto__ and constructor is harmless', () => {
    const text = '[{"__proto__":{"device":"evil","metric":"m","value":1}},{"device":"a","values":{"__proto__":1,"constructor":2,"m":3}},{"device":"constructor","metric":"toString","value":4}]'
    const { readings, rejected } = read('json', text)
    expect(readings.map((r) => [r.device, r.metric, r.value])).toEqual([['a', 'constructor', 2], ['a', 'm', 3], ['constructor', 'toString', 4]])
    expect(rejected.map((r) => r.index)).toEqual([0, 1])
    expect(({} as Record<string, unknown>).device).toBeUndefined()
  })

  test('with a member twice has the last one', () => {
    expect(read('json', '{"device":"a","device":"b","metric":"m","value":1}').readings[0].device).toBe('b')
  })

  test('of bytes that are no UTF-8 loses that reading alone', () => {
    const body = Buffer.concat([Buffer.from('[{"device":"a'), Buffer.from([0xff, 0xfe]), Buffer.from(`","metric":"m","value":1},${JSON.stringify(good)}]`)])
    const { readings, rejected } = read('json', body)
    expect(readings).toEqual([good])
    expect(rejected[0].reason).toMatch(/^Device must be/)
  })
})

describe('NDJSON', () => {
  test('loses a bad line alone', () => {
    const { readings, rejected } = read('ndjson', `${JSON.stringify(good)}\n{nope\n${'['.repeat(5000)}\n\n${JSON.stringify({ ...good, value: 1 })}`)
    expect(readings.map((r) => r.value)).toEqual([23.4, 1])
    expect(rejected.map((r) => r.index)).toEqual([1, 2])
    expect(rejected[1].reason).toMatch(/nested at most/)
  })

  test('with more broken lines than are worth parsing is refused as a whole', () => {
    const { readings, refusal } = read('ndjson', `${JSON.stringify(good)}\n${'{\n'.repeat(LINES_BROKEN_MAX + 1)}`)
    expect(readings).toEqual([])
    expect(refusal).toMatch(/lines are no JSON/)
  })

  test('of nothing but blank lines holds no reading', () => {
    expect(read('ndjson', '\n \r\n\n')).toMatchObject({ readings: [], rejectedCount: 0 })
  })
})

describe('columns', () => {
  test('may have one device, one metric and one time for all rows', () => {
    const { readings } = read('msgpack', pack({ device: 'a', metric: 'm', ts: NOW_MS, value: [1, 2.5, true] }))
    expect(readings).toEqual([1, 2.5, 1].map((value) => ({ device: 'a', metric: 'm', ts: NOW_MS, value })))
  })

  test('without times are of now', () => {
    expect(json({ device: ['a'], metric: 'm', value: [1] }).readings).toEqual([{ device: 'a', metric: 'm', ts: NOW_MS, value: 1 }])
  })

  test('of different lengths are refused as a whole', () => {
    expect(json({ device: ['a', 'b'], metric: 'm', value: [1] }).refusal).toMatch(/"device" has 2 rows, "value" has 1/)
    expect(json({ device: ['a', 'b'], metric: 'm', value: 1 }).refusal).toMatch(/"value" must be an array/)
  })

  test('are judged row by row', () => {
    const { readings, rejected } = read('msgpack', pack({ device: ['a', 'b c', 'd'], metric: 'm', ts: [NOW_MS, NOW_MS, null], value: [1, 2, 3] }))
    expect(readings.map((r) => r.device)).toEqual(['a'])
    expect(rejected.map((r) => r.index)).toEqual([1, 2])
  })
})

describe('msgpack', () => {
  const refusals: [string, number[], RegExp][] = [
    ['an array of 2^32 − 1 values', [0xdd, 0xff, 0xff, 0xff, 0xff], /4294967295 values follow/],
    ['a map of 2^32 − 1 pairs', [0xdf, 0xff, 0xff, 0xff, 0xff], /8589934590 values follow/],
    ['a string of 2^32 − 1 bytes', [0xdb, 0xff, 0xff, 0xff, 0xff], /4294967295 bytes follow/],
    ['bytes of 2^32 − 1', [0xc6, 0xff, 0xff, 0xff, 0xff], /4294967295 bytes follow/],
    ['a record of msgpackr', [0xd4, 0x72, 0x40], /extension types/],
    ['an extension of 2^32 − 1 bytes', [0xc9, 0xff, 0xff, 0xff, 0xff, 0x01], /extension types/],
    ['the byte that stands for nothing', [0xc1], /stands for nothing/],
    ['two values', [0x01, 0x02], /1 bytes follow it/],
    ['nothing', [], /ends after 0 bytes/],
    ['a number cut off', [0xcb, 0x40], /ends after 2 bytes/],
    ['a key that is a map', [0x81, 0x80, 0x01], /keys of msgpack maps must be strings/],
    ['a key that is a number', [0x81, 0x01, 0x01], /keys of msgpack maps must be strings/],
  ]
  test.each(refusals)('of %s is refused', (_, bytes, reason) => {
    const { refusal } = read('msgpack', Uint8Array.from(bytes))
    expect(refusal).toMatch(reason)
  })

  test('nested 100,000 deep is refused', () => {
    expect(guardMsgpack(new Uint8Array(100_000).fill(0x91), BODY_DEPTH_MAX)).toMatch(/nested at most/)
  })

  test('of NaN and infinities loses those readings alone', () => {
    const { readings, rejected } = read('msgpack', pack([NaN, Infinity, -Infinity, 1].map((value) => ({ ...good, value }))))
    expect(readings.map((r) => r.value)).toEqual([1])
    expect(rejected.map((r) => r.index)).toEqual([0, 1, 2])
  })

  test('of 64-bit integers is understood', () => {
    const body = Buffer.from([0x84, ...pack('device'), ...pack('a'), ...pack('metric'), ...pack('m'), ...pack('ts'), 0xcf, 0, 0, 0, 0, 0, 0, 0, 0, ...pack('value'), 0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe])
    const at = body.indexOf(0xcf)
    body.writeBigUInt64BE(BigInt(NOW_MS), at + 1)
    expect(read('msgpack', body).readings).toEqual([{ device: 'a', metric: 'm', ts: NOW_MS, value: -2 }])
  })

  test('with a key __proto__ is harmless', () => {
    read('msgpack', Uint8Array.from([0x81, ...pack('__proto__'), ...pack({ device: 'evil' })]))
    expect(({} as Record<string, unknown>).device).toBeUndefined()
  })
})

describe('SenML', () => {
  const senml = (pack: unknown) => read('senml+json', JSON.stringify(pack))

  test('keeps base name, time and value from record to record', () => {
    const { readings } = senml([
      { bn: 'urn:dev:ow:10e2073a0108006:', bt: NOW_MS / 1000, bu: 'A', bver: 5, bv: 100, n: 'voltage', u: 'V', v: 20.5 },
      { n: 'current', t: -5, v: 1.5 },
      { n: 'open', t: -4, vb: true },
    ])
    expect(readings).toEqual([
      { device: 'urn:dev:ow:10e2073a0108006', metric: 'voltage', ts: NOW_MS, value: 120.5 },
      { device: 'urn:dev:ow:10e2073a0108006', metric: 'current', ts: NOW_MS - 5000, value: 101.5 },
      { device: 'urn:dev:ow:10e2073a0108006', metric: 'open', ts: NOW_MS - 4000, value: 1 },
    ])
  })

  test('counts times below 2^28 from now, and has now where there is none', () => {
    expect(senml([{ n: 'a/t', v: 1, t: -60 }, { n: 'a/t', v: 2 }]).readings.map((r) => r.ts)).toEqual([NOW_MS - 60_000, NOW_MS])
  })

  test.each([
    ['urn:dev:ow:10e2073a0108006:', 'voltage', 'urn:dev:ow:10e2073a0108006', 'voltage'],
    ['', 'urn:dev:mac:0024befffe804ff1', 'urn:dev:mac:0024befffe804ff1', 'value'],
    ['', 'urn:dev:mac:0024befffe804ff1_temp', 'urn:dev:mac:0024befffe804ff1', 'temp'],
    ['', 'field-7/probe-2/ec', 'field-7/probe-2', 'ec'],
    ['', 'probe', 'probe', 'value'],
    ['site/', '7', 'site/7', 'value'],
    ['site/', 'p1/temp', 'site/p1', 'temp'],
  ])('name %j + %j is device %j, metric %j', (base, name, device, metric) => {
    expect(nameOf(base, name)).toEqual([device, metric])
  })

  test('rejects text, data and sums, each for itself', () => {
    const { readings, rejected } = senml([{ n: 'a/b', vs: 'x' }, { n: 'a/b', vd: 'eA' }, { n: 'a/b', s: 3 }, { n: 'a/b', v: '7' }, { n: 'a/b', v: 1 }, 7])
    expect(readings).toHaveLength(1)
    expect(rejected.map((r) => r.index)).toEqual([0, 1, 2, 3, 5])
  })

  test('that must be understood and is not is refused as a whole', () => {
    expect(senml([{ n: 'a/b', v: 1 }, { n: 'a/b', v: 1, foo_: 1 }]).refusal).toMatch(/has to be understood/)
    expect(senml([{ n: 'a/b', v: 1 }, { n: 'a/b', v: 1, foo_: 1 }]).readings).toEqual([])
    expect(senml([{ bver: 11, n: 'a/b', v: 1 }]).refusal).toMatch(/version/)
    expect(senml({ n: 'a/b', v: 1 }).refusal).toMatch(/must be an array/)
  })

  test('reads the CBOR example of RFC 8428, section 6', () => {
    const hex =
      '87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067766f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f93e00a3006763757272656e74062002fb3ff999999999999aa3006763757272656e74060002fb3ffb333333333333'
    const { readings, rejected } = read('senml+cbor', Buffer.from(hex, 'hex'))
    expect(rejected).toEqual([])
    expect(readings.map((r) => r.metric)).toEqual(['voltage', ...Array.from({ length: 6 }, () => 'current')])
    expect(readings.map((r) => r.value)).toEqual([120.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7])
    expect(readings[0]).toMatchObject({ device: 'urn:dev:ow:10e2073a0108006', ts: 1276020076001 })
    expect(readings.map((r) => (r.ts - 1276020076001) / 1000)).toEqual([0, -5, -4, -3, -2, -1, 0])
  })

  test('of CBOR reads decimal fractions, indefinite lengths and half floats', () => {
    const hex = `9fbf0063612f6202c482211906b3ffbf0063612f6302f93e00ffff`
    expect(read('senml+cbor', Buffer.from(hex, 'hex')).readings.map((r) => [r.metric, r.value])).toEqual([['b', 17.15], ['c', 1.5]])
  })

  test.each(['9bffffffffffffffff', 'bbffffffffffffffff', '7bffffffffffffffff', '81'.repeat(100_000), 'ff', '9f', '1c', 'a1ff', '8201', '0102', '', '61ff', '5f01ff'])('of CBOR that lies is refused: %.20s', (hex) => {
    expect(read('senml+cbor', Buffer.from(hex, 'hex')).refusal).toMatch(/\.$/)
  })
})

describe('line protocol', () => {
  const lines = (text: string, precision: 'ns' | 'us' | 'ms' | 's' = 'ns') => read('lines', text, { precision })

  test('takes the device from its tag, and each field as a metric', () => {
    expect(lines(`weather,device=x,site=n temperature=20.5,up=t,n=3i,m=4u ${NOW_MS}000000`).readings).toEqual([
      { device: 'x', metric: 'temperature', ts: NOW_MS, value: 20.5 },
      { device: 'x', metric: 'up', ts: NOW_MS, value: 1 },
      { device: 'x', metric: 'n', ts: NOW_MS, value: 3 },
      { device: 'x', metric: 'm', ts: NOW_MS, value: 4 },
    ])
  })

  test("keeps apart what Telegraf's hosts speak of", () => {
    const { readings } = lines('cpu,host=web1,cpu=cpu0 usage_idle=98.1\ncpu,cpu=cpu1,host=web1 usage_idle=97\ndisk,host=web1,path=/var used=1i')
    expect(readings.map((r) => [r.device, r.metric])).toEqual([
      ['web1/cpu0', 'cpu.usage_idle'],
      ['web1/cpu1', 'cpu.usage_idle'],
      ['web1//var', 'disk.used'],
    ])
  })

  test('takes the measurement where no tag names a device', () => {
    expect(lines('greenhouse temp=20').readings[0].device).toBe('greenhouse')
    expect(lines('green\\ house,row=a\\ b temp=20').readings[0].device).toBe('green_house/a_b')
  })

  test.each([
    ['s', NOW_MS / 1000],
    ['ms', NOW_MS],
    ['us', `${NOW_MS}999`],
    ['ns', `${NOW_MS}999999`],
  ] as const)('has times in %s', (precision, time) => {
    expect(lines(`m v=1 ${time}`, precision).readings[0].ts).toBe(NOW_MS)
  })

  test('rejects text, and loses neither the other fields of the line nor the other lines', () => {
    const { readings, rejected } = lines('m a="x, y=z",b=2\n# comment\n\nnonsense\nm =1\nm a=1e400\nm a=1 soon\nm c=3')
    expect(readings.map((r) => r.metric)).toEqual(['b', 'c'])
    expect(rejected.map((r) => r.index)).toEqual([0, 1, 2, 3, 4])
    expect(rejected[0].reason).toMatch(/^Field "a": value must be a number or a boolean: current value is "x, y=z"/)
    expect(rejected[4].reason).toMatch(/a time in line protocol is an integer/)
  })

  test('takes line breaks within quotes for text, unless the quotes never close', () => {
    expect(lines('m a="1\n2",b=2\nm c=3').readings.map((r) => r.metric)).toEqual(['b', 'c'])
    expect(lines('m a="1\nm c=3').readings.map((r) => r.metric)).toEqual(['c'])
  })
})

test('media types are known by name, in any case, with or without parameters', () => {
  for (const type of MEDIA_TYPES_TOLD.split(', ')) expect(formatOf(type)).not.toBeNull()
  expect(formatOf('Application/JSON; charset=utf-8')).toBe('json')
  expect(formatOf('application/vnd.msgpack')).toBe('msgpack')
  expect(formatOf('text/plain')).toBeNull()
  expect(formatOf('')).toBeNull()
  expect(formatOf('__proto__')).toBeNull()
})
