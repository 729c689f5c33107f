/** The views that a public query may read, and their columns: those of sql/lake.sql, which a test holds this to. */

import { TABLES } from '../../store/tables.ts'

export const VIEWS = ['readings', 'windows', 'anomalies', 'alerts', 'forecasts', 'feedback', 'profiles', 'drivers', 'own_rows', 'rejects'] as const
export type ViewName = (typeof VIEWS)[number]

type Columns = readonly (readonly [name: string, type: string])[]

export const VIEW_COLUMNS: Readonly<Record<ViewName, Columns>> = {
  readings: TABLES.readings,
  // The version of a row is the lake's own affair.
  windows: TABLES.windows.filter(([name]) => name !== 'version'),
  anomalies: TABLES.anomalies,
  alerts: [
    ...['tenant', 'id', 'rule', 'device', 'metric', 'severity', 'event'].map((name) => [name, 'VARCHAR'] as const),
    ['at', 'TIMESTAMP'],
    ['value', 'DOUBLE'],
    ['message', 'VARCHAR'],
    ['number', 'BIGINT'],
    ['person', 'VARCHAR'],
  ],
  forecasts: TABLES.forecasts,
  feedback: TABLES.feedback,
  profiles: TABLES.profiles,
  drivers: TABLES.drivers,
  own_rows: [['tenant', 'VARCHAR'], ['actor', 'VARCHAR'], ['key', 'VARCHAR'], ['at', 'TIMESTAMP'], ['number', 'BIGINT'], ['body', 'VARCHAR']],
  rejects: TABLES.rejects,
}
