/**
 * `weir doctor`: says in plain words what is wrong on this machine and with the log's servers, and what to do. Exits 0 when all is well, else 1.
 */

import { join, resolve } from 'node:path'
import process from 'node:process'
import * as check from '../actors/doctor/checks.ts'
import type { Finding } from '../actors/doctor/checks.ts'
import * as fact from '../actors/doctor/facts.ts'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import type { Connection } from '../runtime/log.ts'
import { embeddedNatsUrl } from '../runtime/nats-address.ts'
import { connectNats } from '../runtime/nats-log.ts'
import { BUCKET_META } from '../runtime/topology.ts'

const SPEC = {
  data: { type: 'string', default: './data', help: 'data folder to look at' },
  nats: { type: 'string', default: null, help: 'outer servers, nats://user:password@host:port; without it, the embedded one of the data folder' },
  host: { type: 'string', default: '127.0.0.1', help: 'address that the edge listens on, or is to' },
  port: { type: 'number', default: 8080, integer: true, min: 1, max: 65_535, help: 'port that the edge listens on, or is to' },
} as const satisfies FlagSpec

const CONNECT_WITHIN_MS = 3_000

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('doctor', 'Says in plain words what is wrong, and what to do about it.', SPEC, argv, env)
  let wrong = 0
  const say = (findings: readonly Finding[]) => {
    for (const finding of findings) {
      process.stdout.write(`${check.lineOf(finding)}\n`)
      if (!finding.ok) wrong++
    }
  }

  say(check.checkRuntime(fact.runtimeFact()))
  if (flags.nats === null) say(check.checkServerBinary(await fact.serverBinaryFact(resolve(import.meta.dirname, '..', '.cache', 'nats-server'))))
  say(check.checkDisk(await fact.diskFact(flags.data)))
  say(check.checkAdminKey(await fact.adminKeyFact(flags.data)))
  say(check.checkLake(await fact.lakeFact(flags.data)))
  say(check.checkPort(await fact.portFact(flags.host, flags.port)))

  const { connection, server } = await reach(flags.nats, flags.data)
  say(check.checkServer(server))
  if (connection !== null) {
    await examineLog(connection, say)
    await connection.close()
  }
  process.stdout.write(wrong === 0 ? '\nAll is well.\n' : `\n${wrong} ${wrong === 1 ? 'thing is' : 'things are'} wrong.\n`)
  process.exitCode = wrong === 0 ? 0 : 1
}

async function reach(nats: string | null, data: string): Promise<{ connection: Connection | null; server: check.ServerFact }> {
  const embedded = nats === null
  let shown = join(data, 'nats')
  try {
    const servers = nats ?? (await embeddedNatsUrl(data, 'admin'))
    shown = servers.replace(/\/\/[^@/]*@/g, '//').replace(/\?.*/, '')
    const connection = await connectNats({ servers, name: 'weir-doctor', clock: systemClock, connectWithinMs: CONNECT_WITHIN_MS })
    return { connection, server: { url: shown, problem: null, embedded } }
  } catch (error) {
    // The cause alone: what to do about it is the doctor's to say.
    const { cause, message } = error as Error
    return { connection: null, server: { url: shown, problem: cause instanceof Error ? cause.message : message, embedded } }
  }
}

async function examineLog(connection: Connection, say: (findings: readonly Finding[]) => void): Promise<void> {
  const clock = systemClock
  const found = await fact.installedFact(connection)
  const installed = found === 'leaderless' ? null : found
  say(check.checkServerVersions({ servers: await connection.servers(), replicas: installed?.replicas ?? 1 }))
  say(check.checkPayload(connection.maxPayloadBytes ?? null))
  if (found === 'leaderless') return say(check.checkCopies({ wanted: 0, streams: [], leaderless: [`KV_${BUCKET_META}`] }))
  if (installed === null) return say(check.checkStreams([]))

  say(check.checkSkew(await fact.skewFact(connection, installed, clock)))
  say(check.checkCopies(await fact.copiesFact(connection, installed)))
  const streams = await fact.streamFacts(connection, installed.partitions)
  say(check.checkStreams(fact.sizesOf(streams)))
  say(check.checkReaders(await fact.readerFacts(installed, streams, clock)))

  const { members, actors } = await fact.memberFacts(connection, clock)
  const count = (role: string) => members.filter((member) => member.role === role).length
  say(check.checkMembers({ edges: count('edge'), workers: count('worker'), stores: count('store') }))
  const routes = await fact.routeFacts(connection, clock)
  say(check.checkRoutes(routes === null ? null : { routes, notifiers: count('notifier') }))
  say(check.checkActors(actors))
  const owned = members.flatMap((member) => member.partitions.map(({ partition }) => partition))
  const owners = Array.from({ length: installed.partitions }, (_, p) => owned.filter((partition) => partition === p).length)
  say(check.checkPartitions({ owners, workers: count('worker') }))
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
