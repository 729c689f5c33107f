/** Revisions of what is edited over HTTP, as entity tags: what a client saw must still hold where it says so. */

import type { Context } from 'hono'
import { ParameterError } from './reply.ts'

export const tagOf = ({ revision }: { readonly revision: number }) => `"${revision}"`

/** The revision that must still hold; null where the request does not say. A tag that came with a compressed answer is a weak one. Throws `ParameterError`. */
export function revisionOf(c: Context): number | null {
  const tag = c.req.header('if-match')
  if (tag === undefined || tag === '*') return null
  const revision = /^(?:W\/)?"(\d{1,15})"$/.exec(tag.trim())
  if (revision === null) throw new ParameterError('If-Match', 'the ETag of an answer before, such as "7"', tag)
  return Number(revision[1])
}
