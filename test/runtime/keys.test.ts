import { beforeEach, describe, expect, test } from 'vitest'
import { Keyring } from '../../runtime/keys.ts'
import { KEY_CACHE_MAX } from '../../runtime/limits.ts'
import { MemoryWorld } from '../../runtime/memory-log.ts'
import { BUCKET_KEYS } from '../../runtime/topology.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'

let clock: ManualClock
let world: MemoryWorld
const open = async () => Keyring.open(await world.connect().kv(BUCKET_KEYS), clock)

beforeEach(() => {
  clock = new ManualClock()
  world = new MemoryWorld({ clock })
})

describe('a key', () => {
  test('is known by its secret, whatever scheme carries it', async () => {
    const keys = await open()
    const { secret, record } = await keys.create({ role: 'device', tenant: 'acme', prefixes: ['field-7/'], quota: 100 })
    expect(secret).toMatch(/^weir_device_[0-9a-f]{48}$/)
    for (const scheme of ['Bearer', 'bearer', 'Token']) {
      expect(keys.authenticate(`${scheme} ${secret}`)).toMatchObject({ id: record.id, tenant: 'acme', role: 'device', prefixes: ['field-7/'], quota: 100 })
    }
  })

  test.each([undefined, null, '', 'Bearer', 'Bearer ', 'Basic aGVsbG8=', 'Bearer unknown-secret', `Bearer ${'x'.repeat(300)}`, 'Bearer a b c d e f g h'])('is not %j', async (header) => {
    expect((await open()).authenticate(header)).toBeNull()
  })

  test('is stored by the hash of its secret alone', async () => {
    const keys = await open()
    const { secret } = await keys.create({ role: 'admin' })
    const kv = await world.connect().kv(BUCKET_KEYS)
    for (const name of await kv.keys()) {
      expect(name).not.toContain(secret)
      expect(new TextDecoder().decode((await kv.get(name))!.value)).not.toContain(secret)
    }
    expect(JSON.stringify(keys.list())).not.toContain(secret)
  })

  test('made in one process is known in another, and so is its end', async () => {
    const [a, b] = [await open(), await open()]
    const { secret, record } = await a.create({ role: 'analyst' })
    await settle()
    expect(b.authenticate(`Bearer ${secret}`)?.id).toBe(record.id)
    await a.revoke(record.id)
    await settle()
    expect(b.authenticate(`Bearer ${secret}`)).toBeNull()
    expect(a.authenticate(`Bearer ${secret}`)).toBeNull()
  })

  test('is known after a restart', async () => {
    const { secret } = await (await open()).create({ role: 'device' })
    expect((await open()).authenticate(`Bearer ${secret}`)).not.toBeNull()
  })

  test('keeps its id when it is rotated, and its old secret ends at once', async () => {
    const keys = await open()
    const first = await keys.create({ role: 'device', prefixes: ['a/'] })
    const second = await keys.rotate(first.record.id)
    expect(second.record).toMatchObject({ id: first.record.id, role: 'device', prefixes: ['a/'] })
    expect(keys.authenticate(`Bearer ${first.secret}`)).toBeNull()
    expect(keys.authenticate(`Bearer ${second.secret}`)).not.toBeNull()
  })

  test('that is rotated with a grace has two secrets until it ends', async () => {
    const keys = await open()
    const first = await keys.create({ role: 'device' })
    const second = await keys.rotate(first.record.id, { graceMs: 60_000 })
    await clock.advance(59_999)
    expect(keys.authenticate(`Bearer ${first.secret}`)).not.toBeNull()
    await clock.advance(1)
    expect(keys.authenticate(`Bearer ${first.secret}`)).toBeNull()
    expect(keys.authenticate(`Bearer ${second.secret}`)).not.toBeNull()
  })

  test('that is revoked loses every secret, grace or not, and can not be rotated', async () => {
    const keys = await open()
    const first = await keys.create({ role: 'device' })
    const second = await keys.rotate(first.record.id, { graceMs: 60_000 })
    await keys.revoke(first.record.id)
    for (const { secret } of [first, second]) expect(keys.authenticate(`Bearer ${secret}`)).toBeNull()
    await expect(keys.rotate(first.record.id)).rejects.toMatchObject({ code: 'config' })
  })

  test('that does not exist can be neither rotated nor revoked', async () => {
    const keys = await open()
    await expect(keys.rotate('nope')).rejects.toMatchObject({ code: 'config' })
    await expect(keys.revoke('nope')).rejects.toMatchObject({ code: 'config' })
  })

  test.each([{ tenant: 'a b' }, { tenant: '' }, { role: 'king' as never }, { prefixes: ['a b'] }, { prefixes: [''] }, { quota: 0 }, { quota: Infinity }])('can not be made with %j', async (wrong) => {
    await expect((await open()).create({ role: 'device', ...wrong })).rejects.toMatchObject({ code: 'config' })
  })

  test('stays known while strangers fill the memory of headers', async () => {
    const keys = await open()
    const { secret } = await keys.create({ role: 'device' })
    for (let i = 0; i < KEY_CACHE_MAX + 10; i++) keys.authenticate(`Bearer ${' '.repeat(i % 50)}${secret}`)
    expect(keys.authenticate(`Bearer ${secret}`)).not.toBeNull()
  })
})

describe('the admin key', () => {
  const secret = 'a-secret-of-my-own'

  test('is installed once', async () => {
    const keys = await open()
    expect((await keys.ensureAdminKey({ secret })).created).toBe(true)
    expect((await keys.ensureAdminKey({ secret })).created).toBe(false)
    expect((await (await open()).ensureAdminKey({ secret })).created).toBe(false)
    expect(keys.authenticate(`Bearer ${secret}`)).toMatchObject({ role: 'admin', tenant: 'default' })
    expect(keys.list()).toHaveLength(1)
  })

  test('is refused where it is too short, revoked, or of another role', async () => {
    const keys = await open()
    await expect(keys.ensureAdminKey({ secret: 'short' })).rejects.toMatchObject({ code: 'config' })
    const device = await keys.create({ role: 'device' })
    await expect(keys.ensureAdminKey({ secret: device.secret })).rejects.toMatchObject({ code: 'config' })
    const { record } = await keys.ensureAdminKey({ secret })
    await keys.revoke(record.id)
    await expect(keys.ensureAdminKey({ secret })).rejects.toMatchObject({ code: 'config' })
  })
})

test('bytes of strangers in the bucket are no key, and hide none', async () => {
  const kv = await world.connect().kv(BUCKET_KEYS)
  await kv.set('noise', new TextEncoder().encode('{nope'))
  await kv.set('shape', new TextEncoder().encode('{"id":7}'))
  const keys = await open()
  const { secret } = await keys.create({ role: 'device' })
  expect(keys.list()).toHaveLength(1)
  expect(keys.authenticate(`Bearer ${secret}`)).not.toBeNull()
})
