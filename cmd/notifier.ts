/**
 * `weir notifier`: tells people of alerts, as their routes say: webhooks, e-mail, MQTT, subjects of the log's servers. One is enough; of several one works,
 * and another takes over when it is gone.
 */

import process from 'node:process'
import { runErrands } from '../actors/notify/errands.ts'
import { NotifierMetrics } from '../actors/notify/metrics.ts'
import { Notifier } from '../actors/notify/notifier.ts'
import { Office } from '../actors/notify/office.ts'
import { reachOf } from '../actors/notify/reach.ts'
import { RouteRegistry } from '../actors/notify/routes.ts'
import { RuleLabels } from '../actors/notify/rule-labels.ts'
import { emailSender } from '../actors/notify/targets/email.ts'
import { mqttSender } from '../actors/notify/targets/mqtt.ts'
import { subjectSender } from '../actors/notify/targets/subject.ts'
import { webhookSender } from '../actors/notify/targets/webhook.ts'
import { systemClock } from '../runtime/clock.ts'
import { readFlags } from '../runtime/config.ts'
import type { Env, FlagSpec } from '../runtime/config.ts'
import { healthRoutes, serveApp } from '../runtime/http.ts'
import { readInstallation } from '../runtime/installation.ts'
import { Membership, runtimeName } from '../runtime/membership.ts'
import { embeddedNatsUrl } from '../runtime/nats-address.ts'
import { connectNats } from '../runtime/nats-log.ts'
import { runProcess } from '../runtime/process.ts'
import { createLogger, createMetrics } from '../runtime/telemetry.ts'
import { BUCKET_META, BUCKET_NOTIFY } from '../runtime/topology.ts'

const SPEC = {
  nats: { type: 'string', default: null, help: "the log's servers: nats://user:password@host:port, several separated by commas; without it, those of a weir up on the data folder" },
  data: { type: 'string', default: './data', help: 'data folder of a weir up to join' },
  notifyAllow: { type: 'string', default: null, help: 'hosts that alerts may be sent to: names, *.example.org, addresses and CIDR, with commas between; without it, all but link-local and metadata addresses' },
  host: { type: 'string', default: '127.0.0.1', help: 'address that health and metrics are served on' },
  port: { type: 'number', default: 0, integer: true, min: 0, max: 65_535, help: 'port of health and metrics; 0 for any that is free' },
} as const satisfies FlagSpec

export async function main(argv: string[], env: Env): Promise<void> {
  const flags = readFlags('notifier', 'Tells people of alerts, as their routes say.', SPEC, argv, env)
  const clock = systemClock
  const logger = createLogger('notifier')
  const registry = createMetrics()

  await runProcess({
    title: 'weir-notifier',
    logger,
    start: async () => {
      const reach = reachOf(flags.notifyAllow)
      const servers = flags.nats ?? (await embeddedNatsUrl(flags.data, 'notifier'))
      const connection = await connectNats({ servers, name: 'weir-notifier', clock })
      const topology = await readInstallation(connection, { clock })
      const membership = new Membership({
        bus: connection.bus,
        clock,
        self: { id: clock.nonce(), role: 'notifier', url: null, runtime: runtimeName(), pid: process.pid, startedAt: clock.now(), partitions: [] },
        connected: () => connection.connected(),
      })
      connection.onReconnect(() => membership.refresh())
      membership.start()
      const routes = await RouteRegistry.open(await connection.kv(BUCKET_NOTIFY, { create: false }))
      const rules = await RuleLabels.open(await connection.kv(BUCKET_META, { create: false }))
      const senders = { webhook: webhookSender(clock, reach), email: emailSender(reach), nats: subjectSender(connection), mqtt: mqttSender(clock, reach) }
      const metrics = new NotifierMetrics(registry, () => office.notifier?.states ?? [], () => office.state === 'active')
      const office: Office = new Office({ membership, open: () => Notifier.open({ connection, topology, routes, rules, senders, clock, logger, metrics }), clock, logger })
      office.start()
      const endErrands = runErrands({ bus: connection.bus, routes, senders, reach, clock, logger, isOn: () => office.state === 'active' })
      const app = healthRoutes({ ready: () => office.state !== 'starting' || 'The notifier is starting.', registry })
      const served = await serveApp({ app, host: flags.host, port: flags.port })
      membership.update({ url: served.url })
      logger.info({ url: served.url }, 'notifier joined')
      return {
        done: office.failed,
        stop: async () => {
          endErrands()
          await office.stop()
          membership.stop()
          routes.close()
          rules.close()
          await served.close({ graceMs: 0 })
          await connection.close()
        },
      }
    },
  })
}

if (import.meta.main) await main(process.argv.slice(2), process.env)
