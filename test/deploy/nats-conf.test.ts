import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PAYLOAD_MAX_BYTES } from '../../runtime/limits.ts'
import { natsConfig, NATS_ROLES } from '../../runtime/nats-roles.ts'

const sample = readFileSync(join(import.meta.dirname, '../../deploy/nats.conf'), 'utf8')

test('the sample of an outer server gives each role the rights that the embedded one gives it', () => {
  const embedded = natsConfig({
    port: 1, storeDir: '', storeBytesMax: 1, payloadMaxBytes: 1, pidFile: '', portsDir: '', logFile: '', sync: null,
    credentials: { edge: '', worker: '', store: '', notifier: '', reader: '', admin: '' },
  })
  const rights = [...embedded.matchAll(/^ *(\{"user".*\}),?$/gm)].map(([, user]) => JSON.parse(user!) as { user: string; permissions: Record<string, { allow: string[] }> })
  expect(rights.map(({ user }) => user)).toEqual([...NATS_ROLES])
  for (const { user, permissions } of rights) {
    const block = new RegExp(`user: ${user}\\n.*?publish: \\{ allow: \\[(.*?)\\] \\}.*?subscribe: \\{ allow: \\[(.*?)\\] \\}`, 's').exec(sample)!
    const [publish, subscribe] = block.slice(1).map((list) => JSON.parse(`[${list}]`) as string[])
    expect({ user, publish, subscribe }).toEqual({ user, publish: permissions.publish!.allow, subscribe: permissions.subscribe!.allow })
  }
})

test('the sample of an outer server takes messages as large as Weir sends', () => {
  expect(sample).toMatch(new RegExp(`^max_payload: ${PAYLOAD_MAX_BYTES}$`, 'm'))
})

test('the units of systemd run commands that are there, and give them time to drain', () => {
  for (const role of ['edge', 'worker', 'store', 'notifier']) {
    const unit = readFileSync(join(import.meta.dirname, `../../deploy/weir-${role}.service`), 'utf8')
    expect(unit).toMatch(new RegExp(`^ExecStart=/opt/weir/node_modules/.bin/node cmd/${role}.ts`, 'm'))
    expect(readFileSync(join(import.meta.dirname, `../../cmd/${role}.ts`), 'utf8')).toContain('import.meta.main')
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)![1])).toBeGreaterThan(20)
  }
})
