-- Old readings of a seal that are in the lake already.
--   candidates  memory: n, series, ts, value; one row an old reading of this seal
--   names       memory: id, tenant, device, metric of the series of this seal
--   {{lake}}    readings of the segments that reach into the candidates' times
-- Gives n of each candidate of which the lake holds the same series, time and value.
SELECT DISTINCT c.n
FROM {{lake}} r
JOIN (SELECT c.n, n.tenant, n.device, n.metric, c.ts, c.value FROM memory.main.candidates c JOIN memory.main.names n ON n.id = c.series) c
  ON r.device = c.device AND r.ts = c.ts AND r.metric = c.metric AND r.tenant = c.tenant AND r.value = c.value
WHERE r.ts BETWEEN {{from}} AND {{to}}
