-- Windows of one size as an analyst sees them.
--   {{size}}     the size, an INTERVAL
--   {{windows}}  the segments' windows of that size, every version
-- Of the versions of a row the newest shows, with its nulls, so that where its segment lacks a column no older version's value stands in. Filters on
-- tenant, device, metric and start reach the segments, since rows are grouped by exactly these, and a column that is not asked for is not read. A
-- window function would do the same five times slower. Were rows grouped by size as well, a filter on it would reach nothing: DuckDB groups
-- by what an INTERVAL comes to, and filters by what it is.
SELECT tenant, device, metric, {{size}} AS size, start,
  arg_max_null(count, version) AS count, arg_max_null(sum, version) AS sum, arg_max_null(min, version) AS min, arg_max_null(max, version) AS max, arg_max_null(mean, version) AS mean,
  arg_max_null(stddev, version) AS stddev, arg_max_null(first, version) AS first, arg_max_null(last, version) AS last,
  arg_max_null(p50, version) AS p50, arg_max_null(p95, version) AS p95, arg_max_null(p99, version) AS p99, arg_max_null(closed_by, version) AS closed_by, arg_max_null(updated_at, version) AS updated_at
FROM {{windows}}
GROUP BY tenant, device, metric, start
