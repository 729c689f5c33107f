/**
 * Three real nats-servers on loopback that form a cluster, by the configuration of deploy/nats.conf: each can be killed, frozen, ended in
 * good order, started again, or cut off from the others while its clients still reach it.
 *
 * Between any two servers stands a gate of ours: a TCP proxy that the one dials to reach the other. A closed gate carries nothing and
 * breaks nothing, as a network that is cut: connections stand, and what is sent waits. It needs no rights, so it works wherever tests do.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../runtime/clock.ts'
import type { Connection } from '../../runtime/log.ts'
import { connectNats } from '../../runtime/nats-log.ts'
import { inboxPrefix } from '../../runtime/nats-roles.ts'
import type { NatsRole } from '../../runtime/nats-roles.ts'
import { endServer, freePort, sampleConfig, stopped } from './nats.ts'

export interface ClusterNode {
  readonly name: string
  readonly port: number
  readonly folder: string
  readonly alive: boolean
  /** Names of the clients that are connected to it. */
  clients(): Promise<string[]>
  /** Until it says that it has what the others have, or else until it has not said so for this long: false. */
  current(withinMs: number): Promise<boolean>
  /** Until it says that it has what the others have; throws where that takes too long. */
  healthy(): Promise<void>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM: it hands over what it leads, and ends. */
  end(): Promise<void>
  /** Starts it again on the same ports and folder; resolves once it listens. */
  start(): Promise<void>
  /** SIGSTOP, and SIGCONT. */
  pause(): Promise<void>
  resume(): void
  /** Closes, and opens again, all gates between it and the others. */
  cutOff(): void
  heal(): void
}

export interface TestCluster {
  readonly nodes: readonly ClusterNode[]
  /** Addresses of all servers, `first` at the head, with the credentials of a role. */
  urlOf(role: NatsRole, first?: ClusterNode): string
  /** Connects as the admin. */
  connect(name?: string, first?: ClusterNode): Promise<Connection>
  /** The server that leads a stream, by what the others say; null while none does. */
  leaderOf(stream: string): Promise<ClusterNode | null>
  /** Ends all of it, and removes its folders. */
  stop(): Promise<void>
}

const SIZE = 3

interface Jsz {
  readonly account_details?: readonly { readonly stream_detail?: readonly { readonly name: string; readonly cluster?: { readonly leader?: string } }[] }[]
}

/** A server that does not answer its monitor in this time is asked again. */
const ANSWER_MS = 5_000
const HEALTHY_WITHIN_MS = 120_000

class Gate {
  /** The port that it leads to. */
  to = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #open = true

  constructor() {
    this.#server = createServer((from) => {
      const on = connect(this.to, '127.0.0.1')
      for (const [a, b] of [[from, on], [on, from]] as const) {
        this.#sockets.add(a)
        a.on('data', (chunk) => {
          if (!b.write(chunk)) a.pause()
        })
        b.on('drain', () => this.#open && a.resume())
        a.on('error', () => {})
        a.on('close', () => {
          this.#sockets.delete(a)
          b.destroy()
        })
        if (!this.#open) a.pause()
      }
    })
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as { port: number }).port
  }

  set open(open: boolean) {
    this.#open = open
    for (const socket of this.#sockets) {
      if (open) socket.resume()
      else socket.pause()
    }
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

export interface TestClusterOptions {
  /** The program of every server, or of each in turn. */
  readonly binary: string | readonly string[]
  /** Of the three, those that are started at once; all by default. */
  readonly started?: number
  /** Whether messages are on disk before they are acknowledged. */
  readonly syncAlways?: boolean
}

/** Starts the servers; resolves once they have met, and one of them leads the others. */
export async function startTestCluster(options: TestClusterOptions): Promise<TestCluster> {
  for (let triesLeft = 3; ; triesLeft--) {
    try {
      return await startOnce(options)
    } catch (error) {
      // A port that was free may be someone else's by the time that a server wants it.
      if (triesLeft === 0 || !String(error).includes('address already in use')) throw error
    }
  }
}

async function startOnce({ binary, started = SIZE, syncAlways = false }: TestClusterOptions): Promise<TestCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-cluster-'))
  // gates[i][j] is what i dials to reach j.
  const gates = Array.from({ length: SIZE }, (_, i) => Array.from({ length: SIZE }, (_, j) => (i === j ? null : new Gate())))
  const dials = await Promise.all(gates.map((row) => Promise.all(row.map((gate) => gate?.listen() ?? 0))))
  const ports = await distinctPorts(3 * SIZE)
  const places = Array.from({ length: SIZE }, (_, i) => ({ name: `n${i + 1}`, client: ports[i]!, cluster: ports[SIZE + i]!, monitor: ports[2 * SIZE + i]! }))
  for (const row of gates) for (const [j, gate] of row.entries()) if (gate !== null) gate.to = places[j]!.cluster
  const connections: Connection[] = []

  const nodes = places.map(({ name, client, cluster, monitor }, i): ClusterNode => {
    const own = join(folder, name)
    let child: ChildProcess | null = null
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      const running = child
      child = null
      await endServer(running, signal)
    }
    const assertLives = async () => {
      if (child === null || child.exitCode !== null) throw new Error(`nats-server ended: ${await readFile(join(own, 'nats.log'), 'utf8')}`)
    }
    const unhealthyAfter = async (withinMs: number): Promise<string | null> => {
      const endMs = performance.now() + withinMs
      for (;;) {
        const answer = await fetch(`http://127.0.0.1:${monitor}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS) }).then(
          async (r) => ({ status: r.status, text: await r.text() }),
          (error) => ({ status: 0, text: String(error) }),
        )
        if (answer.status === 200) return null
        await assertLives()
        if (performance.now() > endMs) return answer.text
        await systemClock.sleep(20)
      }
    }
    const gatesOfIt = () => [...gates[i]!, ...gates.map((row) => row[i]!)].filter((gate) => gate !== null)
    return {
      name,
      port: client,
      folder: own,
      get alive() {
        return child !== null
      },
      async clients() {
        const answer = await fetch(`http://127.0.0.1:${monitor}/connz`, { signal: AbortSignal.timeout(ANSWER_MS) })
        return ((await answer.json()) as { connections: { name?: string }[] }).connections.map((c) => c.name ?? '')
      },
      current: async (withinMs) => (await unhealthyAfter(withinMs)) === null,
      async healthy() {
        const said = await unhealthyAfter(HEALTHY_WITHIN_MS)
        if (said !== null) throw new Error(`Not within ${HEALTHY_WITHIN_MS} ms: ${name} is healthy; it says ${said}`)
      },
      kill: () => end('SIGKILL'),
      end: () => end('SIGTERM'),
      async start() {
        await mkdir(own, { recursive: true })
        const routes = dials[i]!.filter((port) => port > 0).map((port) => `"nats://127.0.0.1:${port}"`)
        const config = (await sampleConfig(`listen: "127.0.0.1:${client}"`, join(own, 'store')))
          .replace(/^server_name: .*$/m, `server_name: ${name}\nhttp: "127.0.0.1:${monitor}"`)
          // Servers tell each other of a third one by this address: nobody listens there, so that no way goes round the gates.
          .replace(/^# cluster \{[^}]*\}$/m, (section) => section.replace(/^# /gm, '').replace('name: weir', 'name: weir\n  advertise: "127.0.0.1:1"'))
          .replace('listen: "0.0.0.0:6222"', `listen: "127.0.0.1:${cluster}"`)
          .replace(/routes: .*/, `routes: [${routes.join(', ')}]`)
        await writeFile(join(own, 'nats.conf'), syncAlways ? config.replace('# sync_interval: always', 'sync_interval: always') : config)
        child = spawn(typeof binary === 'string' ? binary : binary[i]!, ['-c', join(own, 'nats.conf'), '-l', join(own, 'nats.log')], { stdio: 'ignore' })
        while (!(await listens(client))) {
          await assertLives()
          await systemClock.sleep(10)
        }
      },
      async pause() {
        child!.kill('SIGSTOP')
        while (!stopped(child!.pid!)) await systemClock.sleep(1)
      },
      resume: () => void child?.kill('SIGCONT'),
      cutOff: () => gatesOfIt().forEach((gate) => (gate.open = false)),
      heal: () => gatesOfIt().forEach((gate) => (gate.open = true)),
    }
  })

  const urlOf = (role: NatsRole, first: ClusterNode = nodes[0]!): string => {
    const order = [first, ...nodes.filter((node) => node !== first)]
    return order.map(({ port }) => `nats://${role}:${role}@127.0.0.1:${port}?inbox=${inboxPrefix(role)}`).join(',')
  }
  const stop = async (): Promise<void> => {
    await Promise.all(connections.map((c) => c.close().catch(() => {})))
    await Promise.all(nodes.map((node) => node.kill()))
    for (const gate of gates.flat()) gate?.close()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const first = nodes.slice(0, started)
    await Promise.all(first.map((node) => node.start()))
    for (const node of first) await node.healthy()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    nodes,
    urlOf,
    async connect(name = 'test', first) {
      const connection = await connectNats({ servers: urlOf('admin', first), name, clock: systemClock })
      connections.push(connection)
      return connection
    },
    async leaderOf(stream) {
      for (const { monitor } of places.filter((_, i) => nodes[i]!.alive)) {
        const answer = await fetch(`http://127.0.0.1:${monitor}/jsz?streams=1`, { signal: AbortSignal.timeout(ANSWER_MS) }).then((r) => r.json() as Promise<Jsz>, () => null)
        const found = answer?.account_details?.flatMap((account) => account.stream_detail ?? []).find(({ name }) => name === stream)
        const leader = nodes.find(({ name, alive }) => alive && name === found?.cluster?.leader)
        if (leader !== undefined) return leader
      }
      return null
    },
    stop,
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}

async function distinctPorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}
