/** A program that starts an embedded nats-server on the data folder of its first argument and then waits: for tests that kill it. */

import { systemClock } from '../../runtime/clock.ts'
import { startNatsServer } from '../../runtime/nats-server.ts'
import { natsServerPath } from './nats.ts'

const logger = { info: () => {}, warn: () => {} }
const binary = { path: natsServerPath(), version: process.argv[3] }
const server = await startNatsServer({ binary, dataDir: process.argv[2], port: 0, clock: systemClock, logger })
console.log(JSON.stringify({ pid: server.pid, port: server.port }))
process.stdin.resume()
process.stdin.on('end', () => void server.stop().then(() => process.exit(0)))
