-- added (series, period, low, high, low_weight, high_weight, over_countries, first_year, last_year):
-- each series over the years of its period as its label adds up, with its weights among countries;
-- needs numbers (series, period, element_id, low_set, high_set, timestamp_year, low, high)
-- what the labels meant at that run; read before the join, which would read it for every run
meanings AS MATERIALIZED (
    SELECT * FROM study_labels
     WHERE run_id = CAST(coalesce(nullif(:run, ''), (SELECT max(run_id) FROM validation_runs)) AS INTEGER)
),
adding AS MATERIALIZED (
    SELECT element_id, coalesce(nullif(over_countries, ''), 'sum') AS over_countries,
           CASE WHEN over_years IN ('last', 'none') THEN 'last'
               WHEN coalesce(over_years, '') NOT IN ('', 'sum') THEN 'mean'
               WHEN over_countries LIKE 'weighted:%' THEN 'sum weighted' ELSE 'sum' END AS how,
           over_years LIKE 'weighted:%' AS weighs_years,
           over_countries LIKE 'weighted:%' AS weighs_countries,
           (SELECT other.element_id FROM elements AS other
             WHERE other.element_label = substr(over_years, 10)) AS year_weight,
           (SELECT other.element_id FROM elements AS other
             WHERE other.element_label = substr(over_countries, 10)) AS country_weight
      FROM elements LEFT JOIN meanings USING (element_label)
),
-- in the order of the years, so that a sum is the same to the last digit wherever it is taken
summed_up AS (
    SELECT series, period, over_countries, sum(low) AS low, sum(high) AS high,
           1.0 AS low_weight, 1.0 AS high_weight,
           min(timestamp_year) AS first_year, max(timestamp_year) AS last_year
      FROM (SELECT * FROM adding CROSS JOIN numbers USING (element_id) WHERE how = 'sum'
             ORDER BY series, period, timestamp_year)
     GROUP BY series, period
),
-- the last year of each: the other columns come from the row of max()
latest AS (
    SELECT series, period, over_countries, low, high, low_set, high_set, weighs_countries,
           country_weight, max(timestamp_year) AS last_year
      FROM adding CROSS JOIN numbers USING (element_id) WHERE how = 'last'
     GROUP BY series, period
),
-- a label to weigh by is read at its key; without one, all weigh the same
weighed AS (
    SELECT series, period, over_countries, how, timestamp_year, low, high,
           CASE WHEN weighs_years THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = low_set
                   AND other.element_id = year_weight
                   AND other.timestamp_year = numbers.timestamp_year) ELSE 1.0 END AS low_year,
           CASE WHEN weighs_years THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = high_set
                   AND other.element_id = year_weight
                   AND other.timestamp_year = numbers.timestamp_year) ELSE 1.0 END AS high_year,
           CASE WHEN weighs_countries THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = low_set
                   AND other.element_id = country_weight
                   AND other.timestamp_year = numbers.timestamp_year) ELSE 1.0 END AS low_country,
           CASE WHEN weighs_countries THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = high_set
                   AND other.element_id = country_weight
                   AND other.timestamp_year = numbers.timestamp_year) ELSE 1.0 END AS high_country
      FROM adding CROSS JOIN numbers USING (element_id)
     WHERE how IN ('mean', 'sum weighted')
),
-- a mean that lacks a weight is no number
added AS (
    SELECT series, period, low, high, low_weight, high_weight, over_countries, first_year, last_year
      FROM summed_up
    UNION ALL
    SELECT series, period, low, high,
           CASE WHEN weighs_countries THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = low_set
                   AND other.element_id = country_weight
                   AND other.timestamp_year = last_year) ELSE 1.0 END,
           CASE WHEN weighs_countries THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = high_set
                   AND other.element_id = country_weight
                   AND other.timestamp_year = last_year) ELSE 1.0 END,
           over_countries, last_year, last_year
      FROM latest
    UNION ALL
    SELECT series, period,
           sum(low * low_year) / CASE WHEN how = 'sum weighted' THEN 1
               WHEN count(low_year) = count(*) THEN sum(low_year) END,
           sum(high * high_year) / CASE WHEN how = 'sum weighted' THEN 1
               WHEN count(high_year) = count(*) THEN sum(high_year) END,
           CASE WHEN count(low_country) = count(*) THEN avg(low_country) END,
           CASE WHEN count(high_country) = count(*) THEN avg(high_country) END,
           over_countries, min(timestamp_year), max(timestamp_year)
      FROM (SELECT * FROM weighed ORDER BY series, period, timestamp_year)
     GROUP BY series, period
)
