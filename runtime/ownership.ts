/**
 * Who should own which partition: rendezvous hashing, a pure function of the members.
 *
 * Picture: each partition holds a lottery in which every member draws one fixed number, made of both their names; the highest
 * wins. A member that leaves gives up only what it had won, and one that joins takes only what it now wins: nothing else moves.
 * Source: D. Thaler and C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on Networking
 * 6(1), 1998.
 *
 * This only says who should try. Safety rests on the claim in the log (I4), so members may disagree about who is alive.
 */

/**
 * The owner of each partition of a list, or of `0 … partitions - 1`; no entries where there is no member. The order of ids does not matter. Of a
 * partition that a member `cannot` host the draw goes on without it; without an entry where nobody can.
 */
export function ownersOf(
  partitions: number | readonly number[],
  memberIds: readonly string[],
  cannot: (memberId: string, partition: number) => boolean = () => false,
): Map<number, string> {
  const owners = new Map<number, string>()
  const hashes = memberIds.map(hashOf)
  for (const partition of typeof partitions === 'number' ? Array(partitions).keys() : partitions) {
    let best = -1
    let bestDraw = -1
    for (let i = 0; i < memberIds.length; i++) {
      if (cannot(memberIds[i], partition)) continue
      const d = draw(partition, hashes[i])
      if (d > bestDraw || (d === bestDraw && memberIds[i] < memberIds[best])) {
        best = i
        bestDraw = d
      }
    }
    if (best >= 0) owners.set(partition, memberIds[best])
  }
  return owners
}

/** FNV-1a (32 bits) over the UTF-16 units. */
function hashOf(id: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 0x01000193)
  return h >>> 0
}

/** The avalanche of MurmurHash3 over both: neighbouring partitions and similar ids draw unrelated numbers. */
function draw(partition: number, memberHash: number): number {
  let h = Math.imul(partition + 1, 0x9e3779b1) ^ memberHash
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  h ^= h >>> 16
  return h >>> 0
}
