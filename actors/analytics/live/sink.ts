/**
 * Where the events of a live stream go: a client's connection, which says when it can take no more.
 *
 * Straight into Node's response where there is one: thousands of streams are then shared buffers in sockets, without a stream of the web
 * between. Without a server (`app.request`) the same events come as the body of a `Response`.
 */

import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { ServerResponse } from 'node:http'

/** Told by a sink: the connection takes more again; it is gone. */
export interface SinkListener {
  onDrain(): void
  onClose(): void
}

export interface Sink {
  listen(listener: SinkListener): void
  /** False where what was written still waits: no more until `onDrain`. */
  write(data: Uint8Array): boolean
  /** Ends behind what was written. */
  end(): void
  /** Cuts the connection. */
  destroy(): void
}

type Headers = Readonly<Record<string, string>>

/** A sink and the answer that goes with it: its headers go out with the first word, so that who has them has begun to listen. */
export function openSink(outgoing: ServerResponse | undefined, headers: Headers): { sink: Sink; answer: Response } {
  if (outgoing === undefined) {
    const sink = new BodySink()
    return { sink, answer: new Response(sink.body, { status: 200, headers }) }
  }
  outgoing.writeHead(200, headers)
  return { sink: new NodeSink(outgoing), answer: RESPONSE_ALREADY_SENT }
}

class NodeSink implements Sink {
  readonly #outgoing: ServerResponse

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing
  }

  listen({ onDrain, onClose }: SinkListener): void {
    this.#outgoing.on('drain', onDrain).on('close', onClose).on('error', () => this.#outgoing.destroy())
    if (this.#outgoing.destroyed) onClose()
  }

  write(data: Uint8Array): boolean {
    return this.#outgoing.write(data)
  }

  end(): void {
    this.#outgoing.end()
  }

  destroy(): void {
    this.#outgoing.destroy()
  }
}

class BodySink implements Sink {
  readonly body: ReadableStream<Uint8Array>
  #controller!: ReadableStreamDefaultController<Uint8Array>
  #listener: SinkListener | null = null

  constructor() {
    this.body = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#listener?.onDrain(),
      cancel: () => this.#listener?.onClose(),
    })
  }

  listen(listener: SinkListener): void {
    this.#listener = listener
  }

  write(data: Uint8Array): boolean {
    this.#controller.enqueue(data)
    return (this.#controller.desiredSize ?? 0) > 0
  }

  end(): void {
    this.#controller.close()
    this.#listener?.onClose()
  }

  destroy(): void {
    this.#controller.error(new Error('The stream was cut.'))
    this.#listener?.onClose()
  }
}
