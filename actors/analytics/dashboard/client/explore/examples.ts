/** Questions to begin with. None needs to know what is in the lake: they ask the lake itself. */

export const EXAMPLES: readonly { readonly name: string; readonly about: string; readonly sql: string; readonly shown: 'table' | 'plot' }[] = [
  {
    name: 'The last hour, minute by minute',
    about: 'Mean, least and greatest of one metric over all devices',
    shown: 'plot',
    sql: `SELECT start, avg(mean) AS mean, min(min) AS least, max(max) AS greatest
FROM windows
WHERE metric = 'soil_moisture' AND size = INTERVAL 1 MINUTE
  AND start > (SELECT max(start) FROM windows) - INTERVAL 1 HOUR
GROUP BY start ORDER BY start`,
  },
  {
    name: 'Who measures most',
    about: 'Readings of each device, as bars',
    shown: 'plot',
    sql: `SELECT device, count(*) AS readings
FROM readings
GROUP BY device ORDER BY readings DESC LIMIT 25`,
  },
  {
    name: 'What stood out most',
    about: 'The strongest anomalies, with their reasons',
    shown: 'table',
    sql: `SELECT ts, device, metric, value, round(score, 3) AS score, reason
FROM anomalies
ORDER BY score DESC, ts DESC LIMIT 50`,
  },
  {
    name: 'Devices side by side',
    about: 'One metric of five devices, a line each',
    shown: 'plot',
    sql: `SELECT start, device, mean
FROM windows
WHERE metric = 'soil_moisture' AND size = INTERVAL 15 MINUTE
  AND device IN (SELECT device FROM windows WHERE metric = 'soil_moisture' GROUP BY device ORDER BY device LIMIT 5)
ORDER BY start`,
  },
  {
    name: 'The longest silences',
    about: 'Gaps between the readings of a series, within a day',
    shown: 'table',
    sql: `SELECT device, metric, ts AS heard_again, ts - before AS silence
FROM (SELECT device, metric, ts, lag(ts) OVER (PARTITION BY device, metric ORDER BY ts) AS before FROM readings)
WHERE before IS NOT NULL AND ts > (SELECT max(ts) FROM readings) - INTERVAL 1 DAY
ORDER BY silence DESC LIMIT 25`,
  },
  {
    name: 'Why readings were rejected',
    about: 'Reasons, counted over the kept samples',
    shown: 'plot',
    sql: `SELECT regexp_replace(reason, ':.*', '') AS reason, count(*) AS readings
FROM rejects
GROUP BY ALL ORDER BY readings DESC`,
  },
]
