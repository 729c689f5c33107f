/** A rule made ready to be followed: its conditions in one row, each with its place in an array of numbers, and its steps as trees above them. */

import { roomOf, Truth } from './conditions.ts'
import type { Condition, Leaf, Rule } from './rule.ts'

export interface PlacedLeaf {
  readonly leaf: Leaf
  /** The series that it is about, by its metric. */
  readonly metric: string
  /** Where its numbers begin. */
  readonly at: number
}

export interface Plan {
  readonly rule: Rule
  readonly leaves: readonly PlacedLeaf[]
  /** Of each level, as indices of leaves. */
  readonly trees: readonly Tree[]
  /** Numbers of all leaves. */
  readonly room: number
  /** Metrics beside the rule's own. */
  readonly others: ReadonlySet<string>
}

export type Tree = number | { readonly is: 'all' | 'any'; readonly of: readonly Tree[] } | { readonly is: 'not'; readonly of: Tree }

export function planOf(rule: Rule): Plan {
  const leaves: PlacedLeaf[] = []
  let room = 0
  const place = (condition: Condition): Tree => {
    if (condition.is === 'all' || condition.is === 'any') return { is: condition.is, of: condition.of.map(place) }
    if (condition.is === 'not') return { is: 'not', of: place(condition.of) }
    const at = room
    room += roomOf(condition)
    return leaves.push({ leaf: condition, metric: condition.metric ?? rule.metric, at }) - 1
  }
  const trees = rule.levels.map((level) => place(level.when))
  const others = new Set(leaves.map((leaf) => leaf.metric).filter((metric) => metric !== rule.metric))
  return { rule, leaves, trees, room, others }
}

/** Whether a tree holds: 1, 0 while that is unknown, −1. */
export function truthOf(tree: Tree, leaves: readonly PlacedLeaf[], s: Float64Array): number {
  if (typeof tree === 'number') return s[leaves[tree].at]
  if (tree.is === 'not') return 0 - truthOf(tree.of, leaves, s)
  const isAll = tree.is === 'all'
  let truth: number = isAll ? Truth.yes : Truth.no
  for (const part of tree.of) {
    const one = truthOf(part, leaves, s)
    if (isAll ? one < truth : one > truth) truth = one
  }
  return truth
}

/** The leaves of a tree that hold, in order. */
export function holding(tree: Tree, leaves: readonly PlacedLeaf[], s: Float64Array): PlacedLeaf[] {
  if (typeof tree === 'number') return s[leaves[tree].at] === Truth.yes ? [leaves[tree]] : []
  // What is said of a denial would be what does not hold.
  if (tree.is === 'not') return []
  return tree.of.flatMap((part) => holding(part, leaves, s))
}
