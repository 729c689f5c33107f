/** What devices have in common: learned of committed profiles, told to every partition, shown by the API. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nearestOf, profileOf } from '../../../../actors/partition/fleet/profile.ts'
import { decodeInput } from '../../../../actors/reading/input.ts'
import type { Input } from '../../../../actors/reading/input.ts'
import { inputStreams, partitionFor } from '../../../../runtime/topology.ts'
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

/** The messages of a kind in the logs, by partition, newest last. */
async function told<K extends 'prior' | 'courses'>(kind: K): Promise<(Input & { kind: K })[][]> {
  const found: (Input & { kind: K })[][] = Array.from({ length: house.topology.partitions }, () => [])
  for (const stream of inputStreams(house.topology)) {
    const { lastSeq } = await house.connection.log.info(stream)
    for (let seq = 1; seq <= lastSeq; seq++) {
      const message = await house.connection.log.at(stream, seq)
      const input = message === null ? null : decodeInput(message.data)
      if (input?.kind === kind) found[Number(message!.subject.split('.')[1])].push(input as Input & { kind: K })
    }
  }
  return found
}

describe('a fleet', () => {
  it('is learned of profiles that were committed, and told to every partition', async () => {
    for (let day = 3; day > 0; day--) await house.commit({ profiles: [1, 2, 3].map((n) => profile(`field-${n}/probe-1`, hoursOf(5 + n / 10), today() - day * DAY)) })
    await until('all partitions are told', async () => (await told('prior')).every((priors) => priors.some((p) => p.groups[0]?.days >= 6)))
    const [prior] = (await told('prior'))[2].slice(-1)
    expect(prior.of).toBe('default\nfield-#/probe-#\nm')
    expect(prior.groups.length).toBe(1)
    expect(nearestOf(profileOf(hoursOf(5.2))!.course, prior.scale, prior.groups.map((g) => g.centre)).distance).toBeLessThan(0.05)
  })

  it('is told what it did in an hour, by the partitions of its members, where there are five of them', async () => {
    const hour = (device: string, back: number, deviation: number) => ({ device, metric: 'm', hour: today() - back * 3_600_000, deviation, moved: true })
    const devices = [1, 2, 3, 4, 5].map((n) => `probe-${n}`)
    await house.commit({ hours: [...devices.map((device, i) => hour(device, 2, i)), hour('gauge-1', 2, 9), ...devices.map((device, i) => hour(device, 1, i))] })
    const partitions = [...new Set(devices.map((device) => partitionFor(house.topology, 'default', device)))]
    await until('they are told', async () => {
      const courses = await told('courses')
      return partitions.every((p) => courses[p].length > 0)
    })
    const courses = await told('courses')
    const course = { of: 'default\nprobe-#\nm', hour: today() - 2 * 3_600_000, members: 5, moved: 5, deviation: 2, spread: 1 }
    for (const [p, messages] of courses.entries()) expect(messages.flatMap((m) => m.courses), `partition ${p}`).toEqual(partitions.includes(p) ? [course, { ...course, hour: course.hour + 3_600_000 }] : [])
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
    // Asked for by name, a group tells who is in it and how high they are; a group's level is theirs.
    const members = async (n: number) => (await house.json(`/v1/fleet?members=${n}`)).kinds[0].groups[0].members
    expect(await members(2)).toEqual([{ device: 'probe-1', level: 20 }, { device: 'probe-2', level: 20 }])
    expect((await members(9)).map((m: any) => m.level)).toEqual([20, 20, 20, 20, 40, 20].map((level) => expect.closeTo(level, 9)))
    expect([kinds[0].groups[0].members, kinds[0].groups[0].level]).toEqual([[], expect.closeTo(140 / 6, 9)])
    await house.seal()
    expect((await house.json('/v1/fleet?metric=m&time=ms')).kinds).toEqual(kinds)
    expect((await house.json('/v1/fleet?metric=other')).kinds).toEqual([])
    expect((await house.json('/v1/fleet', { key: house.keys['other analyst'] })).kinds).toEqual([])
    expect((await house.get('/v1/fleet?metric=a,b')).status).toBe(400)
  })

  it('says since when a device is unlike the others: the first of its days in a row that were so, days that it did not tell passed over', async () => {
    const days: [device: string, ago: number, distance: number][] = [['probe-6', 9, 2], ['probe-6', 8, 0.1], ['probe-6', 7, 2], ['probe-6', 4, 2], ['probe-6', 3, 2], ['probe-5', 2, 0.1], ['probe-5', 1, 3]]
    const usual = [1, 2, 3, 4, 5, 6].flatMap((n) => [12, 11].map((ago) => profile(`probe-${n}`, hoursOf(5, 20 + n / 50), today() - ago * DAY, { cluster: 0, distance: 0.02 })))
    await house.commit({ profiles: usual })
    await house.seal()
    await house.commit({ profiles: days.map(([device, ago, distance]) => profile(device, hoursOf(5), today() - ago * DAY, { cluster: 0, distance })) })
    const outliers = async () => (await house.json('/v1/fleet?time=ms')).kinds[0]?.outliers.map((o: any) => [o.device, (today() - o.since) / DAY, (today() - o.day) / DAY])
    await until('the days are learned', async () => (await outliers())?.length === 2)
    expect(await outliers()).toEqual([['probe-5', 1, 1], ['probe-6', 7, 3]])
    await house.seal()
    expect(await outliers()).toEqual([['probe-5', 1, 1], ['probe-6', 7, 3]])
  })

  it('puts a device into the only group there is, and where there are several, a day told before them into none', async () => {
    const placed = async () => {
      const { groups, ungrouped } = (await house.json('/v1/fleet')).kinds[0] ?? { groups: [] }
      return [groups.map((g: any) => g.devices), ungrouped]
    }
    await house.commit({ profiles: [1, 2, 3, 4].map((n) => profile(`probe-${n}`, hoursOf(5), today() - 2 * DAY)) })
    await until('it has a group', async () => (await placed())[0].length === 1)
    expect(await placed()).toEqual([[4], 0])
    await house.commit({ profiles: [5, 6].map((n) => profile(`probe-${n}`, hoursOf(5, 20, 2), today() - 2 * DAY)) })
    await house.commit({ profiles: [profile('probe-5', hoursOf(5, 20, 2), today() - DAY, { cluster: 1, distance: 0.1 }), profile('probe-1', hoursOf(5), today() - DAY, { cluster: 0, distance: 0.1 })] })
    await until('it has two', async () => (await placed())[0].length === 2)
    expect(await placed()).toEqual([[1, 1], 4])
  })

  it('is answered kind by kind, in parts, those with most outliers first where that is asked for', async () => {
    const kind = (name: string, metric: string, odd: boolean) => [1, 2, 3, 4].map((n) => profile(`${name}-${n}`, hoursOf(5), today() - DAY, { metric, cluster: 0, distance: odd && n === 1 ? 2 : 0.1 }))
    await house.commit({ profiles: [...kind('a', 'm', false), ...kind('b', 'm', true), ...kind('b', 'n', false)] })
    const asked = async (query: string) => (await house.json(`/v1/fleet?${query}`)).kinds.map((k: any) => `${k.sort} ${k.metric}`)
    await until('they are known', async () => (await asked('')).length === 3)
    expect(await asked('')).toEqual(['a-# m', 'b-# m', 'b-# n'])
    expect(await asked('order=outliers')).toEqual(['b-# m', 'a-# m', 'b-# n'])
    expect(await asked('order=outliers&offset=1&limit=1')).toEqual(['a-# m'])
    expect(await asked(`sort=${encodeURIComponent('b-#')}&metric=n`)).toEqual(['b-# n'])
    const part = await house.json('/v1/fleet?limit=1&metric=m')
    expect([part.found, part.metrics]).toEqual([2, [{ metric: 'm', kinds: 2, outliers: 1 }, { metric: 'n', kinds: 1, outliers: 0 }]])
    for (const bad of ['sort=a-1', 'order=best', 'members=1001', 'limit=0']) expect([bad, (await house.get(`/v1/fleet?${bad}`)).status]).toEqual([bad, 400])
  })
})
