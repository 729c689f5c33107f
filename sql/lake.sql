-- The lake as an analyst sees it. The same views stand in weir.duckdb, made with each manifest, and in open.sql, for a copied lake.
--   {{create}}    how a view's name begins
--   {{readings}}, {{windows}}, …   the segments that hold rows of that table
-- Windows: of the versions of a row the newest shows, with its nulls, so that where its segment lacks a column no older version's value
-- stands in. Filters on tenant, device, metric, size and start reach the segments, since rows are grouped by exactly these; and a column that
-- is not asked for is not read. A window function would do the same five times slower.
{{create}}readings AS
SELECT tenant, device, metric, ts, value, received_at FROM {{readings}};

{{create}}windows AS
SELECT tenant, device, metric, size, start,
  arg_max_null(count, version) AS count, arg_max_null(sum, version) AS sum, arg_max_null(min, version) AS min, arg_max_null(max, version) AS max, arg_max_null(mean, version) AS mean,
  arg_max_null(stddev, version) AS stddev, arg_max_null(first, version) AS first, arg_max_null(last, version) AS last,
  arg_max_null(p50, version) AS p50, arg_max_null(p95, version) AS p95, arg_max_null(p99, version) AS p99, arg_max_null(closed_by, version) AS closed_by, arg_max_null(updated_at, version) AS updated_at
FROM {{windows}}
GROUP BY tenant, device, metric, size, start;

{{create}}anomalies AS
SELECT tenant, device, metric, ts, value, score, expected, lower, upper, reason FROM {{anomalies}};

{{create}}alerts AS
SELECT NULL::VARCHAR AS tenant, NULL::VARCHAR AS id, NULL::VARCHAR AS rule, NULL::VARCHAR AS device, NULL::VARCHAR AS metric, NULL::VARCHAR AS severity,
  NULL::VARCHAR AS event, NULL::TIMESTAMP AS at, NULL::DOUBLE AS value, NULL::VARCHAR AS message
WHERE false;

{{create}}forecasts AS
SELECT NULL::VARCHAR AS tenant, NULL::VARCHAR AS device, NULL::VARCHAR AS metric, NULL::TIMESTAMP AS made_at, NULL::TIMESTAMP AS ts, NULL::DOUBLE AS mean,
  NULL::DOUBLE AS lower, NULL::DOUBLE AS upper, NULL::VARCHAR AS model
WHERE false;

{{create}}rejects AS
SELECT tenant, received_at, reason, reading FROM {{rejects}};
