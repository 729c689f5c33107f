/**
 * Weir on a log of three replicas: an edge, workers and a store, all of them processes of their own, on three real servers with the
 * rights and the cluster section of deploy/nats.conf. Whatever befalls the servers, the lake holds in the end exactly what was
 * acknowledged, and no partition is left failed.
 */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeSettings } from '../../actors/reading/input.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ensureInstallation } from '../../runtime/installation.ts'
import { Keyring } from '../../runtime/keys.ts'
import type { Connection } from '../../runtime/log.ts'
import { BUCKET_KEYS, RESULTS } from '../../runtime/topology.ts'
import { startTestCluster } from '../support/cluster.ts'
import type { ClusterNode, TestCluster } from '../support/cluster.ts'
import { doctor } from '../support/doctor.ts'
import { Processes, Senders } from '../support/processes.ts'
import type { Process } from '../support/processes.ts'
import { notTested, replicatedServer } from '../support/servers.ts'
import type { Found } from '../support/servers.ts'

const PARTITIONS = 8
/** Names of clients that write to the log all the time. */
const BUSY = /^weir-(edge|worker)/

let server: Found
let cluster: TestCluster
let connection: Connection
let processes: Processes
let senders: Senders
let [edge, one, two, store]: Process[] = []

beforeEach(async () => {
  server = await replicatedServer()
  if (server.binary === null) return
  cluster = await startTestCluster({ binary: server.binary.path })
  connection = await cluster.connect('watcher')
  const settings = encodeSettings({ latenessMs: 2_000, idleMs: 4_000, retentionMs: 0 })
  await ensureInstallation(connection, { partitions: PARTITIONS, replicas: 3, bytesMax: -1, firstMessage: settings, clock: systemClock })
  const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
  const { secret } = await keyring.create({ tenant: 'default', role: 'admin' })
  keyring.close()
  processes = new Processes({ connection, partitions: PARTITIONS, urlOf: (role) => cluster.urlOf(role) })
  edge = processes.start('edge')
  one = processes.worker('one')
  two = processes.worker('two')
  store = processes.store('north')
  await processes.fact('all are there', () => processes.urlOf(edge!) !== null && processes.urlOf(store!) !== null && processes.sharedBy(one!, two!))
  senders = new Senders({ secret, urls: () => [processes.urlOf(edge!) ?? edgeUrl] })
  await moreAcknowledged()
  edgeUrl = processes.urlOf(edge!)
}, 240_000)
let edgeUrl: string | null = null

afterEach(async () => {
  senders?.giveUp()
  await processes?.stop()
  await cluster?.stop()
})

async function moreAcknowledged(count = 1_000): Promise<void> {
  const from = senders.account.acknowledged
  await processes.fact(`${count} more readings are acknowledged`, () => senders.account.acknowledged >= from + count)
}

async function led(stream: string): Promise<ClusterNode> {
  return processes.fact(`${stream} has a leader`, () => cluster.leaderOf(stream))
}

describe('on three replicas', () => {
  test('the lake holds exactly what was acknowledged, whatever befalls the servers', async (context) => {
    if (server.binary === null) notTested(context, 'three replicas', server.reason)
    const timed = async (what: string, run: () => Promise<void>) => {
      const beganMs = performance.now()
      senders.gapMs = 0
      await run()
      await moreAcknowledged()
      console.log(`${what}: ${Math.round(performance.now() - beganMs)} ms, of which nothing was acknowledged for ${Math.round(senders.gapMs)} ms`)
    }

    await timed('kill -9 of the leader of RESULTS', async () => {
      const leader = await led(RESULTS)
      await leader.kill()
      await moreAcknowledged()
      await processes.fact('the workers share the partitions', () => processes.sharedBy(one!, two!))
      const away = new RegExp(`^!! {2}server ${leader.name} of the cluster is away.*→ start it`, 'm')
      await processes.fact('the doctor names it', async () => away.test(await doctor(cluster.urlOf('admin'))))
      await leader.start()
      await leader.healthy()
    })
    await timed('a server cut off with its clients', async () => {
      // One that a worker or the edge uses.
      const cut = await processes.fact('a server with clients', async () => {
        for (const node of cluster.nodes) if ((await node.clients()).some((name) => BUSY.test(name))) return node
        return null
      })
      const before = (await cut.clients()).filter((name) => BUSY.test(name))
      cut.cutOff()
      await processes.fact(`${before.join(', ')} leave the server that is cut off`, async () => !(await cut.clients()).some((name) => BUSY.test(name)))
      await moreAcknowledged()
      cut.heal()
      await cut.healthy()
    })
    await timed('kill -9 of all three', async () => {
      await Promise.all(cluster.nodes.map((node) => node.kill()))
      await Promise.all(cluster.nodes.map((node) => node.start()))
    })
    await timed('a rolling restart', async () => {
      for (const node of cluster.nodes) {
        await node.healthy()
        await node.end()
        await node.start()
        await node.healthy()
      }
    })
    await senders.stop()
    await processes.fact('the workers share the partitions', () => processes.sharedBy(one!, two!))
    await processes.settledAndRight(store!, 'north', senders)
    for (const process of processes.started) {
      expect(process.output(), process.role).not.toMatch(/partition stopped|permission/i)
      expect(await processes.end(process, 'SIGTERM'), process.output()).toBe(0)
    }
    console.log(`${senders.account.acknowledged} readings acknowledged, ${senders.retries} retries`)
  })
})
