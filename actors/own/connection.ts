/**
 * The log as an own actor's group has it: its input with the answers of the author's code beside each message, and a bus of its own, so that those who
 * share an actor are no members of the workers' group.
 */

import type { Bus, Connection, LogMessage, LogReader } from '../../runtime/log.ts'
import { inputSubject } from '../../runtime/topology.ts'
import type { OwnActor } from './actor.ts'

const ROOT = 'weir.'

export function ownConnection(connection: Connection, partition: number, actor: OwnActor): Connection {
  const { log } = connection
  const subject = inputSubject(partition)
  const there = (name: string): string => `${ROOT}own.${partition}.${name.slice(ROOT.length)}`
  const here = (name: string): string => ROOT + name.slice(there(ROOT).length)
  const bus: Bus = {
    send: (to, data, onNobody) => connection.bus.send(there(to), data, onNobody),
    listen: (to, onMessage) => connection.bus.listen(there(to), (data, from) => onMessage(data, here(from))),
  }
  return {
    bus,
    log: {
      publish: (to, data, options) => log.publish(to, data, options),
      read: (options) => (options.subject === subject ? told(actor, log.read(options)) : log.read(options)),
      last: (stream, of) => log.last(stream, of),
      at: (stream, seq) => log.at(stream, seq),
      info: (stream) => log.info(stream),
      ensureStream: (options) => log.ensureStream(options),
      purge: (stream, options) => log.purge(stream, options),
    },
    kv: (bucket, options) => connection.kv(bucket, options),
    objects: (bucket, options) => connection.objects(bucket, options),
    maxPayloadBytes: connection.maxPayloadBytes,
    serverVersion: connection.serverVersion,
    servers: () => connection.servers(),
    connected: () => connection.connected(),
    onReconnect: (run) => connection.onReconnect(run),
    close: () => connection.close(),
  }
}

function told(actor: OwnActor, reader: LogReader): LogReader {
  return {
    close: () => reader.close(),
    [Symbol.asyncIterator]: (): AsyncIterator<LogMessage> => actor.listening(reader),
  }
}
