/** What becomes of streams that resume at a store which has just started, and is behind the place that they come from. */

import { beforeEach, describe, expect, it } from 'vitest'
import { encodeId } from '../../../../actors/analytics/live/ids.ts'
import { LiveHub } from '../../../../actors/analytics/live/live.ts'
import { LiveStreams } from '../../../../actors/analytics/live/resume.ts'
import type { Sink } from '../../../../actors/analytics/live/sink.ts'
import type { LiveFilter } from '../../../../actors/analytics/live/subscriber.ts'
import { SeriesCatalog } from '../../../../actors/analytics/data/series-catalog.ts'
import { LIVE_RESUME_WAIT_MS } from '../../../../runtime/limits.ts'
import type { Log, StreamInfo } from '../../../../runtime/log.ts'
import { RESULTS, topologyOf } from '../../../../runtime/topology.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { quietLogger } from '../../../support/quiet-logger.ts'

const filter: LiveFilter = { tenant: 't', filter: { devices: null, metrics: null, prefix: null }, kinds: new Set(['reading'] as const), timeMs: true }
const topology = topologyOf(1)

class Connection implements Sink {
  text = ''
  ended = false
  listen(): void {}
  write(data: Uint8Array): boolean {
    this.text += Buffer.from(data).toString()
    return true
  }
  end(): void {
    this.ended = true
  }
  destroy(): void {}
}

let clock: ManualClock
let hub: LiveHub
let streams: LiveStreams
/** What the store has read, and what the log says of the input stream when it is asked. RESULTS is empty. */
let read: number[]
let infoOf: () => Promise<Partial<StreamInfo>>

beforeEach(() => {
  clock = new ManualClock()
  hub = new LiveHub({ topology, clock, generation: 'g' })
  read = [0, 0]
  hub.follow(() => read, [0, 0])
  infoOf = async () => ({ firstSeq: 1, lastSeq: 1_000 })
  const log = { info: async (name: string) => (name === RESULTS ? { firstSeq: 0, lastSeq: 0 } : infoOf()) } as unknown as Log
  streams = new LiveStreams({ hub, clock, log, catalog: new SeriesCatalog(), logger: quietLogger().logger })
})

const resumeAt = (seq: number) => {
  const connection = new Connection()
  streams.open(filter, connection, encodeId('g', { vector: [seq, 0], stream: 0, row: -1 }))
  return connection
}
/** Until it no longer waits for the store to come as far as it is. */
const givenUp = () => clock.advance(LIVE_RESUME_WAIT_MS + 1_000)

describe('a stream that waited as long as it may for the store to reach its place', () => {
  it('waits on while the store comes nearer, however slowly, and resumes when it is there', async () => {
    const connection = resumeAt(500)
    for (let seq = 100; seq < 500; seq += 100) {
      read = [seq, 0]
      await givenUp()
      expect(connection.ended).toBe(false)
    }
    read = [500, 0]
    infoOf = async () => ({ firstSeq: 1, lastSeq: 500 })
    await clock.advance(1_000)
    hub.pump.give(hub.join(filter).feed, 'event: reading\n\n')
    await clock.advance(1_000)
    expect(connection.text).toContain('event: reading')
    expect(connection.text).not.toContain('snapshot')
  })

  it('is told to come again where the store does not come nearer, though there is more to read', async () => {
    const connection = resumeAt(500)
    await givenUp()
    expect(connection.text).toContain('the log is not read on; resume from the last id')
    expect(connection.text).not.toContain('snapshot')
    expect(connection.ended).toBe(true)
  })

  it('begins anew where the log ends before its place', async () => {
    infoOf = async () => ({ firstSeq: 1, lastSeq: 400 })
    const connection = resumeAt(500)
    read = [400, 0]
    await givenUp()
    expect(connection.text).toContain('event: snapshot')
    expect(connection.ended).toBe(false)
  })

  it('resumes where the store comes there while the log is asked, and never begins anew', async () => {
    const connection = resumeAt(500)
    read = [400, 0]
    infoOf = async () => {
      read = [500, 0]
      return { firstSeq: 1, lastSeq: 500 }
    }
    await givenUp()
    expect(connection.text).not.toContain('snapshot')
    expect(connection.ended).toBe(false)
    hub.pump.give(hub.join(filter).feed, 'event: reading\n\n')
    await clock.advance(1_000)
    expect(connection.text).toContain('event: reading')
  })

  it('does not take the word of one server of several that the log ends before its place', async () => {
    let asked = 0
    infoOf = async () => ({ firstSeq: 1, lastSeq: ++asked <= 2 ? 400 : 600, replicas: 3 })
    const connection = resumeAt(500)
    await givenUp()
    expect(connection.text).toContain('the log is not read on; resume from the last id')
    expect(connection.text).not.toContain('snapshot')
  })
})
