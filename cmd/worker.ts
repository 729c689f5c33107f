/**
 * `weir worker`: drives a share of the partitions, and own actors. Any number of workers share them, on Node and on Deno alike; they find each other on the
 * log's servers, and take over from one that ends.
 */

import { hostname } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { startOwnActors } from '../actors/own/start.ts'
import type { OwnActors } from '../actors/own/start.ts'
import { encodeSettings } from '../actors/reading/input.ts'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { healthRoutes, serveApp } from '../runtime/http.ts'
import { ensureInstallation } from '../runtime/installation.ts'
import type { MemberStatus } from '../runtime/member.ts'
import { runtimeName } from '../runtime/membership.ts'
import { embeddedNatsUrl } from '../runtime/nats-address.ts'
import { connectNats } from '../runtime/nats-log.ts'
import { runProcess } from '../runtime/process.ts'
import { createLogger, createMetrics, mergeMetrics } from '../runtime/telemetry.ts'
import type { Metrics, MetricsValues } from '../runtime/telemetry.ts'
import { ThreadGroup } from '../runtime/threads.ts'
import { startWorkerMember } from './worker-thread.ts'
import type { WorkerData } from './worker-thread.ts'

const SPEC = {
  nats: { type: 'string', default: null, help: 'servers of the log, separated by commas; without it, those of a weir up on the data folder' },
  data: { type: 'string', default: './data', help: 'data folder of a weir up to join' },
  threads: { type: 'number', default: 1, integer: true, min: 1, max: 64, help: 'threads, each a member of the group of its own' },
  host: { type: 'string', default: '127.0.0.1', help: 'address that health and metrics are served on' },
  port: { type: 'number', default: 0, integer: true, min: 0, max: 65_535, help: 'port of health and metrics; 0 for any that is free' },
  lateness: { type: 'duration', default: '5s', help: 'how long a window waits for disorder' },
  idle: { type: 'duration', default: '60s', help: 'how long a series is quiet before its windows close by themselves' },
  retention: { type: 'duration', default: 0, help: 'readings older than this at receipt are expired; 0 for never' },
  partitions: { type: 'number', default: null, integer: true, min: 1, help: 'count fixed at the first start; left out: the one there is, else 64' },
  replicas: { type: 'number', default: 1, integer: true, min: 1, max: 5, help: 'copies of the log, where this process makes it' },
  actors: { type: 'string', default: null, help: 'own actors that this worker runs beside its partitions: files, separated by commas, and farm for the advice on plots' },
  sandbox: { type: 'string', default: null, choices: ['deno', 'node'], help: 'what their code runs on: deno, without any permission (the default where it is there), or node, for trusted code' },
  name: { type: 'string', default: '', help: 'part of its name among the workers; by default the name of the machine' },
} as const satisfies FlagSpec

/** Actors that come with Weir, by the name that stands for their file. */
const BUILT_IN: Readonly<Record<string, string>> = { farm: join(import.meta.dirname, '../actors/farm/actor.ts') }

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('worker', 'Drives a share of the partitions.', SPEC, argv, env)
  const logger = createLogger('worker')
  const settings = { latenessMs: flags.lateness, idleMs: flags.idle, retentionMs: flags.retention }
  const name = (flags.name || hostname()).replace(/[^A-Za-z0-9_-]/g, '-')

  await runProcess({
    title: 'weir-worker',
    logger,
    start: async () => {
      const servers = flags.nats ?? (await embeddedNatsUrl(flags.data, 'worker'))
      const setUp = await connectNats({ servers, name: `weir-worker ${name}`, clock: systemClock })
      const { partitions, replicas } = flags
      const topology = await ensureInstallation(setUp, {
        partitions: partitions ?? undefined,
        partitionsDefault: 64,
        replicas,
        bytesMax: -1,
        firstMessage: encodeSettings(settings),
        clock: systemClock,
      }).finally(() => setUp.close())

      const own = createMetrics()
      let actors: OwnActors | null = null
      let work: { statuses(): (MemberStatus | null)[]; metrics(): Promise<Metrics>; stop(): Promise<void> } | null = null
      const registry = {
        contentType: own.contentType,
        metrics: async () => {
          const parts = [own, ...(actors?.metrics ?? []), ...(work ? [await work.metrics()] : [])]
          const values = await Promise.all(parts.map((part) => part.getMetricsAsJSON()))
          return mergeMetrics(values as unknown as MetricsValues[]).metrics()
        },
      }
      const app = healthRoutes({ ready: () => readiness(work?.statuses() ?? [null]), registry })
      const served = await serveApp({ app, host: flags.host, port: flags.port })
      const files = (flags.actors ?? '').split(',').map((file) => file.trim()).filter((file) => file !== '').map((file) => BUILT_IN[file] ?? file)
      const connection = files.length === 0 ? null : await connectNats({ servers, name: `weir-worker ${name} actors`, clock: systemClock })
      if (connection !== null) {
        const id = `${name}-${systemClock.nonce(3)}`
        const options = { connection, topology, files, runtime: flags.sandbox ?? undefined, clock: systemClock, logger, id, url: served.url }
        actors = await startOwnActors(options)
      }
      const data = (suffix: string): WorkerData => ({ nats: servers, name: name + suffix, url: served.url, topology, settings })
      if (flags.threads === 1) {
        const member = await startWorkerMember(data(''))
        work = { statuses: () => [member.status()], metrics: async () => member.metrics, stop: () => member.stop() }
      } else {
        const group = new ThreadGroup<WorkerData, MemberStatus>({
          name: 'worker',
          entry: new URL('./worker-thread.ts', import.meta.url),
          data: Array.from({ length: flags.threads }, (_, i) => data(`-t${i + 1}`)),
          clock: systemClock,
          logger,
        })
        await group.start()
        work = group
      }
      const { threads } = flags
      logger.info({ url: served.url, partitions: topology.partitions, threads, runtime: runtimeName() }, 'worker joined')
      return {
        stop: async () => {
          await Promise.all([work?.stop(), actors?.stop()])
          await connection?.close()
          await served.close({ graceMs: 0 })
        },
      }
    },
  })
}

function readiness(statuses: readonly (MemberStatus | null)[]): true | string {
  const waiting = statuses.map((status) => (status === null ? 'A thread is starting.' : status.waitsFor)).filter((text) => text !== '')
  return waiting.length === 0 ? true : [...new Set(waiting)].join(' ')
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
