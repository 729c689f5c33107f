/**
 * The documents of own actors: an entry each in the log's key-value store, put by stores, told to actors by their feeds.
 *
 * - D1 The store's revision of an entry is the document's. What is taken away stays as an entry without a body, since a feed that was away must hear of it.
 */

import type { KeyValue } from '../../runtime/log.ts'
import type { Plain } from './contract.ts'
import { decodePlain, encodePlain } from './plain.ts'
import { STATE_BYTES_MAX } from './contract.ts'

const PREFIX = 'documents.'

export interface StoredDocument {
  readonly actor: string
  readonly tenant: string
  readonly id: string
  readonly revision: number
  /** As text (plain.ts); null: taken away. */
  readonly body: string | null
}

const coded = (text: string): string => Buffer.from(text).toString('base64url')
/** Of an entry in the store. */
export const documentKey = (actor: string, tenant: string, id: string): string => `${PREFIX}${actor}.${coded(tenant)}.${coded(id)}`

/** Puts a document, or (null) takes it away; gives its revision. Throws `TypeError` on what is no plain data, or too large. */
export function putDocument(kv: KeyValue, { actor, tenant, id, body }: { readonly actor: string; readonly tenant: string; readonly id: string; readonly body: Plain }): Promise<number> {
  const text = encodePlain(body)
  if (text.length > STATE_BYTES_MAX) throw new TypeError(`Cannot keep this document as it must have at most ${STATE_BYTES_MAX} characters as JSON: current value is ${text.length}`)
  return kv.set(documentKey(actor, tenant, id), new TextEncoder().encode(text))
}

/** A document as it is now; null where there is none, or it was taken away. */
export async function getDocument(kv: KeyValue, { actor, tenant, id }: { readonly actor: string; readonly tenant: string; readonly id: string }): Promise<{ revision: number; body: Plain } | null> {
  const found = await kv.get(documentKey(actor, tenant, id))
  const document = found === null ? null : documentIn(documentKey(actor, tenant, id), found.value, found.revision)
  return document === null || document.body === null ? null : { revision: document.revision, body: decodePlain(document.body) as Plain }
}

/** Tells of each document of an actor that is there, or was taken away, and then of each change, until the answer is called. */
export function watchDocuments(kv: KeyValue, actor: string, onDocument: (document: StoredDocument) => void): Promise<() => void> {
  return kv.watch((key, value, revision) => {
    const document = value === null ? null : documentIn(key, value, revision)
    if (document?.actor === actor) onDocument(document)
  })
}

function documentIn(key: string, value: Uint8Array, revision: number): StoredDocument | null {
  const [head, actor, tenant, id, ...rest] = key.split('.')
  if (`${head}.` !== PREFIX || id === undefined || rest.length > 0) return null
  const text = new TextDecoder().decode(value)
  try {
    return { actor, tenant: Buffer.from(tenant, 'base64url').toString(), id: Buffer.from(id, 'base64url').toString(), revision, body: decodePlain(text) === null ? null : text }
  } catch {
    // Someone else's bytes under such a key are no document.
    return null
  }
}
