/** All laws that are tried by generated cases. */

import type { Law } from './law.ts'
import { formatLaws } from './laws-formats.ts'
import { logLaws } from './laws-log.ts'
import { partitionLaws } from './laws-partition.ts'
import { queryLaws } from './laws-queries.ts'
import { sqlLaws } from './laws-sql.ts'

export const laws: Law[] = [...formatLaws, ...queryLaws, ...logLaws, ...partitionLaws, ...sqlLaws]
