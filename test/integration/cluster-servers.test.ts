/** What a cluster of servers must be for Weir, on three real ones: new enough, each of them; and what is said of it while one is away. */

import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { ensureInstallation, readInstallation } from '../../runtime/installation.ts'
import type { InstallationOptions } from '../../runtime/installation.ts'
import { RESULTS } from '../../runtime/topology.ts'
import { startTestCluster } from '../support/cluster.ts'
import type { TestCluster } from '../support/cluster.ts'
import { doctor } from '../support/doctor.ts'
import { notTested, oldServer, replicatedServer } from '../support/servers.ts'
import { eventually } from '../support/system.ts'

const options: InstallationOptions = { partitions: 2, replicas: 3, bytesMax: -1, firstMessage: new Uint8Array([1]), clock: systemClock }

let cluster: TestCluster | null = null
afterEach(async () => {
  await cluster?.stop()
  cluster = null
})

test('replicas are refused where any server of the cluster is too old for them, whichever one is asked', async (context) => {
  const [old, newer] = [await oldServer(), await replicatedServer()]
  if (old.binary === null) return notTested(context, 'a cluster with a server that is too old', old.reason)
  if (newer.binary === null) return notTested(context, 'a cluster with a server that is too old', newer.reason)
  cluster = await startTestCluster({ binary: [newer.binary.path, newer.binary.path, old.binary.path] })
  for (const node of cluster.nodes) {
    const connection = await cluster.connect('test', node)
    // Each of them knows all of them a moment after they have met.
    await eventually('all servers are known', async () => (await connection.servers()).length === 3)
    const message = `Cannot use nats-server with 3 replicas as the version of each must be at least 2.10.23: current value is ${old.binary.version} of n3.`
    await expect(ensureInstallation(connection, options)).rejects.toThrow(message)
  }
})

test('an installation waits for a server that comes later; the doctor says where copies are, and that nobody leads them', async (context) => {
  const { binary, reason } = await replicatedServer()
  if (binary === null) return notTested(context, 'three replicas', reason)
  cluster = await startTestCluster({ binary: binary.path, started: 2 })
  const [, two, three] = cluster.nodes
  const connection = await cluster.connect()
  const early = await ensureInstallation(connection, { ...options, withinMs: 500 }).catch((error: Error) => error)
  expect(early).toMatchObject({ code: 'unavailable', message: expect.stringContaining('no suitable peers') })
  const installed = ensureInstallation(connection, { ...options, withinMs: 90_000 })
  await three!.start()
  expect((await installed).partitions).toBe(2)
  expect((await readInstallation(connection, { clock: systemClock })).partitions).toBe(2)

  const url = cluster.urlOf('admin')
  await eventually('each stream has three copies', async () => /^ok {2}each stream has 3 copies, on n1, n2, n3$/m.test(await doctor(url)))
  await Promise.all([two!.kill(), three!.kill()])
  await eventually('no server leads', async () => /^!! {2}no server leads .*→ .*start the servers that are away/m.test(await doctor(url)))
  await two!.start()
  await eventually('a server leads again', async () => (await connection.log.info(RESULTS)).copies?.some(({ state }) => state === 'leads'))
})
