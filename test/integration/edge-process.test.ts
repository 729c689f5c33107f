/** `weir edge` as a process: under load it is told to end, and nothing that it answered for is missing. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeInput } from '../../actors/reading/input.ts'
import { systemClock } from '../../runtime/clock.ts'
import { Keyring } from '../../runtime/keys.ts'
import { BUCKET_KEYS, inputStreams, topologyOf } from '../../runtime/topology.ts'
import { freePort, startTestNats } from '../support/nats.ts'
import { eventually } from '../support/system.ts'

test('SIGTERM drains: every 202 is in the log, and the exit code is 0', async () => {
  const nats = await startTestNats()
  try {
    const connection = await nats.connect()
    const keyring = await Keyring.open(await connection.kv(BUCKET_KEYS), systemClock)
    const { secret } = await keyring.create({ role: 'device' })
    const port = await freePort()
    const edge = spawn(process.execPath, [join(import.meta.dirname, '../../cmd/edge.ts'), '--nats', nats.url, '--port', String(port), '--partitions', '4'], {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { ...process.env, WEIR_SUPERVISED: '' },
    })
    const exited = once(edge, 'exit')
    const url = `http://127.0.0.1:${port}`
    await eventually('the edge is ready', () => fetch(`${url}/readyz`).then((r) => r.ok, () => false))

    const accepted: number[] = []
    let next = 0
    let ended = false
    const sender = async () => {
      while (!ended) {
        const value = next++
        const status = await fetch(`${url}/v1/readings`, {
          method: 'POST',
          headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
          body: JSON.stringify({ device: `d${value % 9}`, metric: 'm', value }),
        }).then(async (r) => (await r.text(), r.status), () => 0)
        if (status === 202) accepted.push(value)
        else if (status !== 503) ended = true
      }
    }
    const senders = Array.from({ length: 8 }, sender)
    await eventually('readings flow', () => accepted.length >= 100)
    edge.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
    ended = true
    await Promise.all(senders)

    const stored = new Set<number>()
    for (const stream of inputStreams(topologyOf(4))) {
      const { lastSeq } = await connection.log.info(stream)
      for (let seq = 1; seq <= lastSeq; seq++) {
        const input = decodeInput((await connection.log.at(stream, seq))!.data)
        if (input.kind === 'block') for (const value of input.value) stored.add(value)
      }
    }
    expect(accepted.filter((value) => !stored.has(value))).toEqual([])
    keyring.close()
  } finally {
    await nats.stop()
  }
})
