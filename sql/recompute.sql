-- Windows that the store computes itself, from every reading of theirs that is in the lake as of this seal.
--   dirty        memory: k, series, size, start, closed_by, version, updated_at; one row a window
--   {{matched}}  union of (k, ts, value): the readings of each of these windows
-- `first` and `last` are by event time, of equal times the smallest value first.
CREATE OR REPLACE TABLE memory.main.recomputed AS
SELECT d.series, d.size, d.start, d.closed_by, d.version, d.updated_at,
  m.k, m.last_ts, m.count, m.sum, m.min, m.max, m.stddev, m.first, m.last, m.q[1] AS p50, m.q[2] AS p95, m.q[3] AS p99
FROM (
  SELECT k, max(ts) AS last_ts, count(*)::DOUBLE AS count, sum(value) AS sum, min(value) AS min, max(value) AS max, stddev_samp(value) AS stddev,
    arg_min(value, (ts, value)) AS first, arg_max(value, (ts, value)) AS last, quantile_disc(value, [0.5, 0.95, 0.99]) AS q
  FROM ({{matched}})
  GROUP BY k
) m
JOIN memory.main.dirty d ON d.k = m.k
