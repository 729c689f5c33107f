/** An edge of the simulated system: the real parser, validation, batcher and log of rejects, in a process; without HTTP. */

import { Batcher } from '../../../actors/edge/batcher.ts'
import { RejectsLog } from '../../../actors/edge/rejects.ts'
import { parseBody } from '../../../actors/reading/formats.ts'
import { Names } from '../../../actors/reading/validate-names.ts'
import { Batch } from '../../../actors/reading/validate.ts'
import type { Topology } from '../../../runtime/topology.ts'
import type { Ingest } from './clients.ts'
import type { Process } from './process.ts'

export class SimEdge implements Ingest {
  readonly process: Process
  #batcher: Batcher
  #rejects: RejectsLog
  #batch = new Batch(new Names())

  constructor(process: Process, topology: Topology) {
    this.process = process
    const { connection, clock } = process
    this.#batcher = new Batcher({ connection, topology, clock })
    this.#rejects = new RejectsLog({ connection, topology, clock, onLost: () => {} })
  }

  /** As the ingest handler does it: verdicts and columns in one go, then the log's answer. */
  async post(tenant: string, body: Buffer, key: string | null): Promise<boolean> {
    if (this.process.dead) return new Promise(() => {})
    const batch = this.#batch
    batch.reset(this.#batcher.namesOf(tenant), this.process.clock.now(), [])
    parseBody('json', body, batch)
    const { count, rejectedCount, rejectedBy, samples } = batch
    const error = count === 0 ? null : await this.#batcher.submit(tenant, batch, key)
    if (error !== null) return false
    if (rejectedCount > 0) this.#rejects.add(tenant, rejectedBy, samples)
    return true
  }
}
