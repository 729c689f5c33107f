/**
 * Weir on several machines, as far as one machine can show it: edges, workers on Node and on Deno, and two stores with a lake each, all of
 * them processes of their own that meet at an outer server of the log and nowhere else. Whatever is killed, or sleeps and wakes as a
 * zombie, both lakes hold in the end exactly what was acknowledged.
 */

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { Fleet } from '../support/fleet.ts'
import type { FleetProcess } from '../support/fleet.ts'
import { Senders } from '../support/senders.ts'

let fleet: Fleet

afterEach(() => fleet?.remove())

describe('processes that meet at an outer log', () => {
  beforeEach(async () => void (fleet = await Fleet.install()))

  test('fill two lakes with exactly what was acknowledged, whatever joins, dies, or wakes as a zombie', async () => {
    const { journal } = fleet
    const edges = [fleet.startEdge(), fleet.startEdge()]
    const [one, two, three] = [fleet.startWorker('one'), fleet.startWorker('two'), fleet.startWorker('three', { deno: true })]
    const stores = [fleet.startStore('north'), fleet.startStore('south')]
    await fleet.fact('edges take readings and stores answer', () => [...edges, ...stores].every((process) => fleet.urlOf(process) !== null))
    await fleet.fact('three workers share the partitions', () => fleet.sharedBy(one, two, three))
    expect(fleet.memberOf(three)!.runtime).toBe('deno')
    const senders = new Senders(fleet, edges)
    await fleet.fact('readings are acknowledged', () => senders.account.acknowledged > 3_000)

    let from = journal.entries.length
    const four = fleet.startWorker('four')
    await fleet.fact('the joiner has its share', () => fleet.sharedBy(one, two, three, four))
    // It takes its share, in good order, and nothing else moves.
    const { id, partitions } = fleet.memberOf(four)!
    const claims = await fleet.fact('the watcher has read its claims', () => {
      const read = journal.claimsFrom(from)
      return read.length >= partitions.length ? read : null
    })
    expect(claims.map(({ owner, partition }) => ({ owner, partition })).sort((a, b) => a.partition - b.partition)).toEqual(
      partitions.map(({ partition }) => ({ owner: id, partition })),
    )

    const takenOver = (owner: string, theirs: readonly { partition: number }[]) =>
      fleet.fact(`the partitions of ${owner} go on under others`, () => {
        const claims = journal.claimsFrom(from).filter((claim) => claim.owner !== owner)
        return theirs.every(({ partition }) => claims.some((claim) => claim.partition === partition))
      })
    const killed = fleet.memberOf(one)!
    from = journal.entries.length
    await fleet.end(one, 'SIGKILL')
    await takenOver(killed.id, killed.partitions)
    await fleet.fact('three workers share the partitions again', () => fleet.sharedBy(two, three, four))

    const zombie = fleet.memberOf(two)!
    from = journal.entries.length
    two.child.kill('SIGSTOP')
    await takenOver(zombie.id, zombie.partitions)
    await systemClock.sleep(2_000)
    two.child.kill('SIGCONT')
    await fleet.fact('the zombie has its share again', () => fleet.sharedBy(two, three, four))

    await fleet.end(edges[1], 'SIGKILL')
    for (const [i, name] of ['north', 'south'].entries()) {
      await fleet.end(stores[i], 'SIGKILL')
      stores[i] = fleet.startStore(name)
      await fleet.fact(`${name} answers again`, () => fleet.urlOf(stores[i]))
    }
    const third = fleet.startEdge()
    await fleet.fact('a third edge takes readings', () => fleet.urlOf(third))
    senders.edges = [edges[0], third]

    await fleet.fact('enough was sent', () => senders.account.acknowledged > 32_000)
    await senders.stop()
    const { account, retries, repeats } = senders
    for (const store of stores) expect(await fleet.faultsOf(store, account)).toEqual([])
    expect(journal.breaches).toEqual([])
    expect(repeats).toBeGreaterThan(0)
    const { acknowledged, must } = account
    console.log(`${acknowledged} readings acknowledged, ${must.size} different ones, ${retries} retries, ${repeats} repeats`)
    for (const process of [edges[0], third, two, three, four, ...stores]) expect(await fleet.end(process, 'SIGTERM'), process.output()).toBe(0)
  })
})

/** Files of own actors: one that counts all devices together, one that throws, one that reads a file. */
function authorsFiles(): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'weir-authors-'))
  const file = (name: string, reading: string): string => {
    const path = join(folder, `${name}.ts`)
    writeFileSync(path, `import { defineActor } from 'weir/actor'\nexport default defineActor({ name: '${name}', key: () => 'all', initial: () => ({ n: 0 }), view: { columns: { n: 'BIGINT' } },\n  reading(state, reading, out) { ${reading} } })\n`)
    return path
  }
  return [file('tally', 'out.row({ n: ++state.n })'), file('thrower', `throw new Error('it had to be')`), file('reader', `Deno.readTextFileSync('/etc/hostname')`)]
}

async function query(store: FleetProcess, sql: string): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${fleet.urlOf(store)}/v1/sql`, { method: 'POST', headers: { authorization: `Bearer ${fleet.secret}`, 'content-type': 'application/json' }, body: JSON.stringify({ sql }) })
  return ((await answer.json()) as { rows: Record<string, unknown>[] }).rows
}

describe('processes that meet at a server with the rights of deploy/nats.conf', () => {
  beforeEach(async () => void (fleet = await Fleet.install({ roles: true })))

  test('do all of their work with them; own actors beside it are told every reading once, and those that fail harm nobody', async () => {
    const { nats } = fleet
    const actors = authorsFiles()
    const edge = fleet.startEdge({ url: nats.urlOf('edge') })
    const workers = ['one', 'two'].map((name) => fleet.startWorker(name, { url: nats.urlOf('worker'), flags: ['--actors', actors.join(',')] }))
    const store = fleet.startStore('north', { url: nats.urlOf('store') })
    await fleet.fact('all are there', () => fleet.urlOf(edge) !== null && fleet.urlOf(store) !== null && fleet.sharedBy(...workers))
    const senders = new Senders(fleet, [edge])
    await fleet.fact('readings are acknowledged', () => senders.account.acknowledged > 1_000)
    await fleet.end(workers[0], 'SIGTERM')
    await fleet.fact('the other one has all partitions', () => fleet.sharedBy(workers[1]))
    await senders.stop()
    expect(await fleet.faultsOf(store, senders.account)).toEqual([])
    const { onTime } = await fleet.ask<{ onTime: number }>(store, '/v1/ledger')
    let last = ''
    const told = await fleet.fact('the actor was told every reading that came on time', async () => {
      const [row] = await query(store, 'SELECT count(*)::DOUBLE AS rows, max(n)::DOUBLE AS n, count(DISTINCT n)::DOUBLE AS different FROM tally')
      last = JSON.stringify(row)
      return row.n === onTime ? row : null
    }).catch((error: Error) => Promise.reject(new Error(`${last} of ${onTime}\n${error.message}`)))
    expect(told).toEqual({ rows: onTime, n: onTime, different: onTime })
    const states = new Map((await fleet.ask<{ actors: { name: string; state: string; why: string }[] }>(store, '/v1/status')).actors.map((actor) => [actor.name, `${actor.state} ${actor.why}`]))
    expect(states.get('tally')).toBe('running ')
    expect(states.get('thrower')).toMatch(/^stopped reading of .*: it had to be/)
    expect(states.get('reader')).toMatch(/^stopped reading of .*(Requires read access|not defined)/)
    for (const { output } of fleet.started) expect(output()).not.toMatch(/permission/i)
  })
})
