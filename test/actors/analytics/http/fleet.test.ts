/** What devices have in common: learned of committed profiles, told to every partition, shown by the API. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nearestOf, profileOf } from '../../../../actors/partition/fleet/profile.ts'
import { decodeInput } from '../../../../actors/reading/input.ts'
import type { Prior } from '../../../../actors/reading/input.ts'
import { inputStreams } from '../../../../runtime/topology.ts'
import { House, until } from '../house.ts'
import type { NamedProfile } from '../house.ts'

const DAY = 86_400_000
let house: House
beforeEach(async () => {
  house = await House.open()
})
afterEach(() => house.close())

const today = () => Math.floor(Date.now() / DAY) * DAY
const hoursOf = (size: number, level = 20, peak = 14) => Array.from({ length: 24 }, (_, h) => level + size * Math.cos(((h - peak) / 24) * 2 * Math.PI))
const profile = (device: string, hours: number[], day: number, more: Partial<NamedProfile> = {}): NamedProfile => ({ device, metric: 'm', day, ...profileOf(hours)!, cluster: -1, distance: NaN, ...more })

/** The priors in the logs, by partition, newest last. */
async function told(): Promise<Prior[][]> {
  const found: Prior[][] = Array.from({ length: house.topology.partitions }, () => [])
  for (const stream of inputStreams(house.topology)) {
    const { lastSeq } = await house.connection.log.info(stream)
    for (let seq = 1; seq <= lastSeq; seq++) {
      const message = await house.connection.log.at(stream, seq)
      const input = message === null ? null : decodeInput(message.data)
      if (input?.kind === 'prior') found[Number(message!.subject.split('.')[1])].push(input)
    }
  }
  return found
}

describe('a fleet', () => {
  it('is learned of profiles that were committed, and told to every partition', async () => {
    for (let day = 3; day > 0; day--) await house.commit({ profiles: [1, 2, 3].map((n) => profile(`field-${n}/probe-1`, hoursOf(5 + n / 10), today() - day * DAY)) })
    await until('all partitions are told', async () => (await told()).every((priors) => priors.some((p) => p.groups[0]?.days >= 6)))
    const [prior] = (await told())[2].slice(-1)
    expect(prior.of).toBe('default\nfield-#/probe-#\nm')
    expect(prior.groups.length).toBe(1)
    expect(nearestOf(profileOf(hoursOf(5.2))!.course, prior.scale, prior.groups.map((g) => g.centre)).distance).toBeLessThan(0.05)
  })

  it('shows its kinds, their groups and who is unlike the others, fresh as sealed, and each tenant its own', async () => {
    const cluster = { cluster: 0, distance: 0.02 }
    await house.commit({ profiles: [1, 2, 3, 4, 5, 6].map((n) => profile(`probe-${n}`, hoursOf(5, 20 + n / 50), today() - 2 * DAY)) })
    await until('the kind is known', async () => (await house.json('/v1/fleet')).kinds.length === 1)
    const odd = profile('probe-6', hoursOf(5, 20, 2), today() - DAY, { cluster: 0, distance: 2 })
    const high = profile('probe-5', hoursOf(5, 40), today() - DAY, cluster)
    await house.commit({ profiles: [...[1, 2, 3, 4].map((n) => profile(`probe-${n}`, hoursOf(5), today() - DAY, cluster)), high, odd] })
    await until('the days are learned', async () => (await house.json('/v1/fleet?metric=m')).kinds[0].days === 12)
    const { kinds } = await house.json('/v1/fleet?metric=m&time=ms')
    expect(kinds[0]).toMatchObject({ sort: 'probe-#', metric: 'm', devices: 6 })
    expect(kinds[0].groups[0].devices).toBe(6)
    expect(kinds[0].groups[0].profile.length).toBe(24)
    expect(kinds[0].outliers.map((o: any) => [o.device, o.day, o.by])).toEqual(expect.arrayContaining([['probe-6', today() - DAY, 'profile'], ['probe-5', today() - DAY, 'level']]))
    expect(kinds[0].outliers.length).toBe(2)
    await house.seal()
    expect((await house.json('/v1/fleet?metric=m&time=ms')).kinds).toEqual(kinds)
    expect((await house.json('/v1/fleet?metric=other')).kinds).toEqual([])
    expect((await house.json('/v1/fleet', { key: house.keys['other analyst'] })).kinds).toEqual([])
    expect((await house.get('/v1/fleet?metric=a,b')).status).toBe(400)
  })
})
