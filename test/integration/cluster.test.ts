/**
 * Weir on a log of three replicas: an edge, workers and a store, all of them processes of their own, on three real servers with the
 * rights and the cluster section of deploy/nats.conf. Whatever befalls the servers, the lake holds in the end exactly what was
 * acknowledged, and no partition is left failed.
 */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RESULTS } from '../../runtime/topology.ts'
import { startTestCluster } from '../support/cluster.ts'
import type { ClusterNode, TestCluster } from '../support/cluster.ts'
import { doctor } from '../support/doctor.ts'
import { Fleet } from '../support/fleet.ts'
import type { FleetProcess } from '../support/fleet.ts'
import { Senders } from '../support/senders.ts'
import { notTested, replicatedServer } from '../support/servers.ts'
import type { Found } from '../support/servers.ts'

/** Names of clients that write to the log all the time. */
const BUSY = /^weir-(edge|worker)/

const CURRENT_WITHIN_MS = 30_000

let server: Found
let fleet: Fleet<TestCluster> | undefined
let senders: Senders
let [edge, one, two, store]: FleetProcess[] = []

beforeEach(async () => {
  server = await replicatedServer()
  if (server.binary === null) return
  fleet = await installed(server.binary.path)
  edge = fleet.startEdge()
  one = fleet.startWorker('one')
  two = fleet.startWorker('two')
  store = fleet.startStore('north')
  await fleet.fact('all are there', () => fleet!.urlOf(edge!) !== null && fleet!.urlOf(store!) !== null && fleet!.sharedBy(one!, two!))
  senders = new Senders(fleet, [edge])
  await moreAcknowledged()
}, 300_000)

afterEach(async () => {
  senders?.giveUp()
  await fleet?.remove()
})

/** An installation on a cluster of its own. Servers that met may go on for ever to say that they know no peer for a replica: then others are started. */
async function installed(binary: string): Promise<Fleet<TestCluster>> {
  for (let triesLeft = 2; ; triesLeft--) {
    const cluster = await startTestCluster({ binary })
    try {
      return await Fleet.installOn(cluster, { connection: await cluster.connect('watcher'), partitions: 8, replicas: 3 })
    } catch (error) {
      await cluster.stop()
      if (triesLeft === 0 || !String(error).includes('no suitable peers')) throw error
      console.log(`the servers are started anew, as they can't make a stream of three replicas: ${String(error)}`)
    }
  }
}

async function moreAcknowledged(count = 1_000): Promise<void> {
  const from = senders.account.acknowledged
  await fleet!.fact(`${count} more readings are acknowledged`, () => senders.account.acknowledged >= from + count)
}

async function led(stream: string): Promise<ClusterNode> {
  return fleet!.fact(`${stream} has a leader`, () => fleet!.nats.leaderOf(stream))
}

/**
 * Until a server has what the others have. One that came back may wait for ever for what the others believe to have sent (a defect of
 * nats-server, github.com/nats-io/nats-server/pull/8555): then it is started again, as deploy/README.md tells its operator to.
 */
async function caughtUp(node: ClusterNode): Promise<void> {
  for (let tries = 0; tries < 3; tries++) {
    if (await node.current(CURRENT_WITHIN_MS)) return
    console.log(`${node.name} did not catch up within ${CURRENT_WITHIN_MS} ms, and is started again`)
    await node.end()
    await node.start()
  }
  await node.healthy()
}

describe('on three replicas', () => {
  test('the lake holds exactly what was acknowledged, whatever befalls the servers', async (context) => {
    if (server.binary === null || fleet === undefined) return notTested(context, 'three replicas', server.reason)
    const there = fleet
    const cluster = there.nats
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
      await there.fact('the workers share the partitions', () => there.sharedBy(one!, two!))
      const away = new RegExp(`^!! {2}server ${leader.name} of the cluster is away.*→ start it`, 'm')
      await there.fact('the doctor names it', async () => away.test(await doctor(cluster.urlOf('admin'))))
      await leader.start()
      await leader.healthy()
    })
    await timed('a server cut off with its clients', async () => {
      // One that a worker or the edge uses.
      const cut = await there.fact('a server with clients', async () => {
        for (const node of cluster.nodes) if ((await node.clients()).some((name) => BUSY.test(name))) return node
        return null
      })
      const before = (await cut.clients()).filter((name) => BUSY.test(name))
      cut.cutOff()
      await there.fact(`${before.join(', ')} leave the server that is cut off`, async () => !(await cut.clients()).some((name) => BUSY.test(name)))
      await moreAcknowledged()
      // It catches up while readings go on; the next fault does not wait for that.
      cut.heal()
    })
    await timed('kill -9 of all three', async () => {
      await Promise.all(cluster.nodes.map((node) => node.kill()))
      await Promise.all(cluster.nodes.map((node) => node.start()))
    })
    await timed('a rolling restart', async () => {
      for (const node of cluster.nodes) {
        await caughtUp(node)
        await node.end()
        await node.start()
        await caughtUp(node)
      }
    })
    await senders.stop()
    await there.fact('the workers share the partitions', () => there.sharedBy(one!, two!))
    expect(await there.faultsOf(store!, senders.account)).toEqual([])
    for (const process of there.started) {
      expect(process.output(), process.role).not.toMatch(/partition stopped|permission/i)
      expect(await there.end(process, 'SIGTERM'), process.output()).toBe(0)
    }
    console.log(`${senders.account.acknowledged} readings acknowledged, ${senders.retries} retries`)
  })
})
