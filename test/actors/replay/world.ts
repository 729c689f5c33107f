/** The recorded log of test/golden, committed by real hosts in a world in memory, one of which after another dies. */

import { partitionActor } from '../../../actors/partition/actor.ts'
import { decodeEffects } from '../../../actors/partition/effects.ts'
import type { AnomalyRow, SeriesName } from '../../../actors/partition/effects.ts'
import { PartitionHost } from '../../../runtime/host.ts'
import { JournalReader } from '../../../runtime/journal.ts'
import type { Commit } from '../../../runtime/journal.ts'
import { MemoryWorld } from '../../../runtime/memory-log.ts'
import { inputSubject, RESULTS, resultsSubject, topologyOf } from '../../../runtime/topology.ts'
import { goldenLog } from '../../golden/partition-log.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { quietLogger } from '../../support/quiet-logger.ts'

export const topology = topologyOf(1)
const BOUNDS = { commitPartBytes: 900, replayCostMs: 30, quietCostMs: 5 }

export async function goldenWorld(lives = 4): Promise<MemoryWorld> {
  const clock = new ManualClock()
  const world = new MemoryWorld({ clock })
  const producer = world.connect()
  await producer.log.ensureStream({ name: 'READINGS_0', subjects: [inputSubject(0)], replicas: 1, bytesMax: -1 })
  await producer.log.ensureStream({ name: RESULTS, subjects: [resultsSubject(0)], replicas: 1, bytesMax: -1 })
  const { logger } = quietLogger()
  const messages = goldenLog()
  for (let life = 0; life < lives; life++) {
    const connection = world.connect()
    const host = new PartitionHost({ connection, actor: partitionActor, topology, partition: 0, owner: `owner${life}`, settings: null, clock, logger, bounds: BOUNDS })
    const share = messages.slice(Math.floor((life * messages.length) / lives), Math.floor(((life + 1) * messages.length) / lives))
    for (let i = 0; i < share.length; i++) {
      world.timeOffsetMs = share[i].timeMs - clock.now()
      await producer.log.publish(inputSubject(0), share[i].data)
      if (i % 17 === 16) await clock.advance(60)
    }
    if (life === lives - 1) {
      await clock.until(() => host.committed.seq === world.stream('READINGS_0').lastSeq, { what: 'all is committed' })
      await host.stop()
    } else connection.die()
  }
  return world
}

export function commitsOf(world: MemoryWorld): Commit[] {
  const reader = new JournalReader()
  return world.messages(RESULTS).flatMap((message) => {
    const got = reader.accept(message)
    return got !== null && 'commit' in got ? [got.commit] : []
  })
}

export function anomaliesOf(world: MemoryWorld): (AnomalyRow & { name: SeriesName; commit: Commit })[] {
  return commitsOf(world).flatMap((commit) => {
    const { anomalies, series } = decodeEffects(commit.payload)
    return anomalies.map((a) => ({ ...a, name: series[a.series], commit }))
  })
}
