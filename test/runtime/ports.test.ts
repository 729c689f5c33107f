import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { portHolder, portState } from '../../runtime/ports.ts'

test('a port is taken while someone listens on it, and that one has a name', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await portState('127.0.0.1', port)).toBe('taken')
  expect(await portHolder(port)).toContain(`(process id ${process.pid})`)
  server.close()
  await once(server, 'close')
  expect(await portState('127.0.0.1', port)).toBe('free')
  expect(await portHolder(port)).toBe(null)
})

test('an address that this machine does not have is absent', async () => {
  expect(await portState('192.0.2.1', 0)).toBe('absent')
})
