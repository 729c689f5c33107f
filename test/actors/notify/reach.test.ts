/** Where alerts may be sent to: by name, by address, and never to what answers for the machine's own cloud. */

import { expect, it } from 'vitest'
import { hostOf, reachOf } from '../../../actors/notify/reach.ts'

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'hooks.example.org': ['203.0.113.7'], 'xhooks.example.org': ['203.0.113.7'], 'a.b.example.com': ['2001:db8::1', '203.0.113.8'], 'example.com': ['203.0.113.9'], 'lan.farm': ['10.20.3.4'], 'evil.example.org': ['169.254.169.254'],
  'half.example.org': ['169.254.169.254', '203.0.113.10'], localhost: ['::1', '127.0.0.1'],
}
const resolve = async (host: string) => {
  if (NAMES[host] === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
  return NAMES[host].map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
}
const passes = async (list: string | null, host: string): Promise<readonly string[] | string> => {
  try {
    return (await reachOf(list, resolve).addressesOf(new URL(`http://${host}/`).hostname)).map(({ address }) => address)
  } catch (error) {
    return (error as Error).name
  }
}

it('without a list is anywhere, the machine and its network too, but for link-local, metadata and what is no single host, however that is written', async () => {
  for (const host of ['hooks.example.org', 'lan.farm', 'localhost', '127.0.0.1', '192.168.1.20', '[::1]', '[fd00::7]', '[2001:db8::1]', '169.253.255.255']) expect([host, await passes(null, host)]).toEqual([host, expect.any(Array)])
  const never = [
    '169.254.169.254', '169.254.170.2', '0xa9.254.169.254', '2852039166', '0251.0376.0251.0376', '[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[64:ff9b::169.254.169.254]', '[2002:a9fe:a9fe::]', '[::169.254.169.254]', '[fe80::1]', '[febf::1]',
    '[fd00:ec2::254]', '100.100.100.200', '168.63.129.16', '0.0.0.0', '0.1.2.3', '[::]', '224.0.0.1', '255.255.255.255', '[ff02::1]', 'evil.example.org', 'evil.example.org.', 'EVIL.example.org',
  ]
  for (const host of never) expect([host, await passes(null, host)]).toEqual([host, 'ReachError'])
  // Of several addresses those that pass are used alone.
  expect(await passes(null, 'half.example.org')).toEqual(['203.0.113.10'])
  // A name that is not found is no matter of what may be reached.
  expect(await passes(null, 'nobody.example.org')).toBe('Error')
})

it('of a list is what it names, by name or by address; link-local by address alone', async () => {
  const list = 'hooks.example.org, *.example.com,10.20.0.0/16, 2001:db8:1::/48, 192.168.1.20, Evil.example.org, localhost'
  for (const host of ['hooks.example.org', 'a.b.example.com', 'lan.farm', '10.20.255.1', '[2001:db8:1:2::3]', '192.168.1.20', 'localhost']) expect([host, await passes(list, host)]).toEqual([host, expect.any(Array)])
  for (const host of ['example.com', 'xhooks.example.org', 'half.example.org', '203.0.113.7', '10.21.0.1', '[2001:db8:2::]', '192.168.1.21', '127.0.0.1', '169.254.169.254', 'evil.example.org']) expect([host, await passes(list, host)]).toEqual([host, 'ReachError'])
  expect(await passes('169.254.169.254', '169.254.169.254')).toEqual(['169.254.169.254'])
  expect(await passes('0.0.0.0/0', '127.0.0.1')).toEqual(['127.0.0.1'])
  expect(await passes('', 'hooks.example.org')).toBe('ReachError')
  // Names that no entry can allow are not looked up.
  expect(await passes('hooks.example.org', 'nobody.example.org')).toBe('ReachError')
})

it('is refused in plain words where the list is none', () => {
  for (const list of ['https://hooks.example.org', 'hooks.example.org/x', '10.0.0.0/33', '10.0.0/8', 'a b', '*', '*.*.org', '-x.org', '2001:db8::/129', 'hooks.example.org:443']) expect(() => reachOf(list), list).toThrow(/each entry must be a name, .*: current value is /)
})

it('is asked of the host that a target names, with its place', () => {
  expect(hostOf({ kind: 'webhook', url: 'https://Hooks.example.org:8443/T0/secret' })).toEqual({ host: 'hooks.example.org', pointer: '/target/webhook/url' })
  expect(hostOf({ kind: 'email', server: 'smtp://mail.example.org' })).toEqual({ host: 'mail.example.org', pointer: '/target/email/server' })
  expect(hostOf({ kind: 'mqtt', url: 'mqtts://[2001:db8::1]' })).toEqual({ host: '[2001:db8::1]', pointer: '/target/mqtt/url' })
  expect(hostOf({ kind: 'nats' })).toBe(null)
})
