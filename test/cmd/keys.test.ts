import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { main } from '../../cmd/keys.ts'
import { systemClock } from '../../runtime/clock.ts'
import { Keyring } from '../../runtime/keys.ts'
import { BUCKET_KEYS } from '../../runtime/topology.ts'
import { startTestNats } from '../support/nats.ts'
import type { TestNats } from '../support/nats.ts'

let nats: TestNats
beforeAll(async () => {
  nats = await startTestNats()
})
afterAll(() => nats?.stop())

/** What the command prints on its two streams, and its exit code. */
async function run(...argv: string[]): Promise<{ out: string; err: string; code: number }> {
  let out = ''
  let err = ''
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((out += text)))
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean((err += text)))
  try {
    await main(argv, { WEIR_NATS: nats.url })
    return { out, err, code: Number(process.exitCode ?? 0) }
  } finally {
    stdout.mockRestore()
    stderr.mockRestore()
    process.exitCode = undefined
  }
}

test('weir keys makes, lists, rotates and ends keys that an edge then knows', async () => {
  const keyring = await Keyring.open(await (await nats.connect()).kv(BUCKET_KEYS), systemClock)
  const made = JSON.parse((await run('create', '--role', 'device', '--prefix', 'a/, b/', '--quota', '50', '--json')).out)
  expect(made).toMatchObject({ role: 'device', tenant: 'default', prefixes: ['a/', 'b/'], quota: 50 })
  await vi.waitUntil(() => keyring.authenticate(`Bearer ${made.secret}`) !== null)

  const listed = await run('list')
  expect(listed.out).toContain(made.id)
  expect(listed.out).not.toContain(made.secret)

  const rotated = JSON.parse((await run('rotate', made.id, '--json')).out)
  expect(rotated.id).toBe(made.id)
  await vi.waitUntil(() => keyring.authenticate(`Bearer ${made.secret}`) === null && keyring.authenticate(`Bearer ${rotated.secret}`) !== null)

  expect((await run('revoke', made.id)).out).toMatch(/revoked/)
  await vi.waitUntil(() => keyring.authenticate(`Bearer ${rotated.secret}`) === null)
  keyring.close()
})

test('weir keys says what is wrong', async () => {
  expect(await run('destroy')).toMatchObject({ code: 2, err: expect.stringMatching(/must be one of create, list, rotate, revoke/) })
  expect(await run('revoke')).toMatchObject({ code: 2, err: expect.stringMatching(/followed by the id/) })
  expect(await run('revoke', 'nope')).toMatchObject({ code: 1, err: expect.stringMatching(/id of a key: current value is nope/) })
  expect(await run('create', '--prefix', 'a b')).toMatchObject({ code: 1, err: expect.stringMatching(/prefix/) })
})
