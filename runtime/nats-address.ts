/** Where the embedded nats-server of a data folder listens, for commands that join a running `weir up` on the same machine. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ErrorCode, OperatingError } from './errors.ts'
import { inboxPrefix } from './nats-roles.ts'
import type { NatsCredentials, NatsRole } from './nats-roles.ts'

/** Address and credentials of `role`, for `connectNats`. Throws `config` where the folder never held a running system, or is not readable. */
export async function embeddedNatsUrl(dataDir: string, role: NatsRole): Promise<string> {
  const folder = join(dataDir, 'nats')
  try {
    const credentials = JSON.parse(await readFile(join(folder, 'credentials.json'), 'utf8')) as NatsCredentials
    const port = Number(await readFile(join(folder, 'port'), 'utf8'))
    return `nats://${role}:${credentials[role]}@127.0.0.1:${port}?inbox=${inboxPrefix(role)}`
  } catch (cause) {
    throw new OperatingError(
      ErrorCode.config,
      `Cannot find the log's server as ${folder} must be that of a running Weir: ${(cause as Error).message}. Name the data folder with --data, or outer servers with --nats`,
      { cause },
    )
  }
}
