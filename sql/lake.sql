-- The lake as an analyst sees it. The same views stand in weir.duckdb, made with each manifest, and in open.sql, for a copied lake.
--   {{create}}    how a view's name begins
--   {{readings}}, {{anomalies}}, {{rejects}}   the segments that hold rows of that table
--   {{windows}}   sql/windows.sql once a size
{{create}}readings AS
SELECT tenant, device, metric, ts, value, received_at FROM {{readings}};

{{create}}windows AS
{{windows}};

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
