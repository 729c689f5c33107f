import { logConformance } from './log.conformance.ts'
import { startTestNats } from '../support/nats.ts'

logConformance('NATS JetStream', async () => {
  const nats = await startTestNats()
  return { connection: await nats.connect(), restart: () => nats.restart(), close: () => nats.stop() }
})
