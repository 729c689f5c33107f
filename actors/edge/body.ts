/**
 * The body of a request as bytes: read within a bound, and inflated within the same bound.
 *
 * Owns `Content-Length`, `Content-Encoding` and what is wrong with either. A gzip bomb is inflated only until it exceeds the bound;
 * what a zstd frame may ask for as its window has a bound too. The rest of a body that is refused is read and thrown away by whoever serves
 * the app (runtime/unread-body.ts).
 */

import type { Context } from 'hono'
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type { ProblemOptions } from '../../runtime/http.ts'
import { INFLATE_HERE_BYTES } from '../../runtime/limits.ts'

/** zstd windows up to 2^23 bytes, which is what `zstd -19` uses. */
const ZSTD_WINDOW_LOG_MAX = 23

type Options = { maxOutputLength: number; params?: Record<number, number> }
interface Inflater {
  here(bytes: Buffer, options: Options): Buffer
  elsewhere(bytes: Buffer, options: Options): Promise<Buffer>
  readonly params?: Record<number, number>
}

const INFLATERS = new Map<string, Inflater>([
  ['gzip', { here: zlib.gunzipSync, elsewhere: promisify<Buffer, Options, Buffer>(zlib.gunzip) }],
  ['br', { here: zlib.brotliDecompressSync, elsewhere: promisify<Buffer, Options, Buffer>(zlib.brotliDecompress) }],
])
INFLATERS.set('x-gzip', INFLATERS.get('gzip')!)
if (typeof zlib.zstdDecompressSync === 'function') {
  INFLATERS.set('zstd', {
    here: zlib.zstdDecompressSync,
    elsewhere: promisify<Buffer, Options, Buffer>(zlib.zstdDecompress),
    params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
  })
}

/** What the bytes of bodies in hand are counted by; `hold` says no where there are too many. */
export interface Hand {
  hold(bytes: number): boolean
  release(bytes: number): void
}

/**
 * The body, inflated, or the problem to answer with. Bytes are held in `hand` while this runs, and the body's own until the
 * caller releases `body.length`.
 */
export async function readBody(c: Context, options: { bytesMax: number; hand: Hand }): Promise<Buffer | ProblemOptions> {
  const { bytesMax, hand } = options
  const encoding = (c.req.header('content-encoding') ?? 'identity').trim().toLowerCase()
  const inflater = INFLATERS.get(encoding)
  if (inflater === undefined && encoding !== 'identity') {
    const known = [...INFLATERS.keys()].filter((name) => name !== 'x-gzip').join(', ')
    return { status: 415, title: 'Unknown content encoding', detail: `Send the body as it is, or with one Content-Encoding of ${known}.` }
  }
  const declared = Number(c.req.header('content-length') ?? 0)
  if (declared > bytesMax) return tooLarge(bytesMax)

  const incoming = (c.env as { incoming?: IncomingMessage } | undefined)?.incoming
  const raw = incoming === undefined ? await collectWeb(c.req.raw.body, bytesMax, hand) : await collectNode(incoming, bytesMax, hand)
  if (raw === 'too-large') return tooLarge(bytesMax)
  if (raw === 'busy') return busy()
  if (raw === 'aborted') return { status: 400, title: 'Body cut off', detail: 'The connection closed before the body was whole. Send it again.' }
  if (inflater === undefined) return raw

  try {
    const settings: Options = { maxOutputLength: bytesMax, params: inflater.params }
    const body = raw.length <= INFLATE_HERE_BYTES ? inflater.here(raw, settings) : await inflater.elsewhere(raw, settings)
    hand.hold(body.length)
    return body
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(bytesMax, ' once it is inflated')
    return { status: 400, title: 'Body not readable', detail: `The body must be ${encoding}, as its Content-Encoding says: ${(error as Error).message}.` }
  } finally {
    hand.release(raw.length)
  }
}

function tooLarge(bytesMax: number, when = ''): ProblemOptions {
  return { status: 413, title: 'Body too large', detail: `A body must be at most ${bytesMax} bytes${when}. Send the readings in several requests.` }
}

/** The answer where more is in hand than the edge may hold. */
export function busy(): ProblemOptions {
  return {
    status: 503,
    title: 'Too much under way',
    detail: 'The edge holds as many bytes as it may that the log has not acknowledged yet. Try again in a second.',
    headers: { 'retry-after': '1' },
  }
}

type Collected = Buffer | 'too-large' | 'busy' | 'aborted'

/** Straight from Node's request, which spares a stream a request. */
function collectNode(incoming: IncomingMessage, bytesMax: number, hand: Hand): Promise<Collected> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    const end = (result: Collected) => {
      incoming.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      if (typeof result === 'string') {
        hand.release(length)
        // What is left of the body stays unread until the refusal is served.
        incoming.pause()
      }
      resolve(result)
    }
    const onData = (chunk: Buffer) => {
      length += chunk.length
      const fits = hand.hold(chunk.length)
      if (length > bytesMax) return end('too-large')
      if (!fits) return end('busy')
      chunks.push(chunk)
    }
    const onEnd = () => end(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length))
    const onClose = () => end('aborted')
    if (incoming.destroyed) return end('aborted')
    incoming.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

async function collectWeb(body: ReadableStream<Uint8Array> | null, bytesMax: number, hand: Hand): Promise<Collected> {
  const chunks: Uint8Array[] = []
  let length = 0
  if (body === null) return Buffer.alloc(0)
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks, length)
    length += value.length
    const fits = hand.hold(value.length)
    if (length > bytesMax || !fits) {
      hand.release(length)
      await reader.cancel()
      return length > bytesMax ? 'too-large' : 'busy'
    }
    chunks.push(value)
  }
}
