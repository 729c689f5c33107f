-- The lake as an analyst sees it. The same views stand in weir.duckdb, made with each manifest, and in open.sql, for a copied lake.
--   {{create}}    how a view's name begins
--   {{readings}}, {{anomalies}}, {{rejects}}   the segments that hold rows of that table
--   {{windows}}   sql/windows.sql once a size
{{create}}readings AS
SELECT tenant, device, metric, ts, value, received_at FROM {{readings}};

{{create}}windows AS
{{windows}};

{{create}}anomalies AS
SELECT tenant, device, metric, ts, value, score, expected, lower, upper, reason, kind, part FROM {{anomalies}};

{{create}}alerts AS
SELECT tenant, id, rule, device, metric, severity, event, happened_at AS "at", value, message, number, person FROM {{alerts}};

{{create}}forecasts AS
SELECT tenant, device, metric, made_at, ts, mean, lower, upper, model, lower80, upper80, coverage, error FROM {{forecasts}};

{{create}}feedback AS
SELECT tenant, device, metric, ts, value, useful, factor, answered_at FROM {{feedback}};

{{create}}profiles AS
SELECT tenant, device, metric, day, level, amplitude, cluster, distance FROM {{profiles}};

{{create}}drivers AS
SELECT tenant, device, metric, learned_at, driver_device, driver_metric, effect_1h, effect_6h, effect_24h, error_1h, error_6h, error_24h, gain, hours FROM {{drivers}};

{{create}}own_rows AS
SELECT tenant, metric AS actor, device AS key, made_at AS "at", number, body FROM {{own_rows}};

{{create}}rejects AS
SELECT tenant, received_at, reason, reading FROM {{rejects}};
