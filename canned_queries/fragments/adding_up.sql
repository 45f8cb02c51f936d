-- added (series, period, low, high, low_weight, high_weight, over_countries, first_year, last_year):
-- each series over the years of its period as its label adds up, with its weights among countries;
-- needs numbers (series, period, element_id, low_set, high_set, timestamp_year, low, high)
adding AS MATERIALIZED (
    SELECT element_id, coalesce(nullif(over_years, ''), 'sum') AS over_years,
           coalesce(nullif(over_countries, ''), 'sum') AS over_countries,
           (SELECT other.element_id FROM elements AS other
             WHERE other.element_label = substr(over_years, 10)) AS year_weight,
           (SELECT other.element_id FROM elements AS other
             WHERE other.element_label = substr(over_countries, 10)) AS country_weight
      FROM elements LEFT JOIN labels USING (element_label)
),
-- a label to weigh by is read at its key; without one, all weigh the same
weighed AS (
    SELECT numbers.*, over_years, over_countries,
           max(timestamp_year) OVER (PARTITION BY series, period) AS latest,
           CASE WHEN over_years LIKE 'weighted:%' THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = low_set
                   AND other.element_id = year_weight
                   AND other.timestamp_year = numbers.timestamp_year) ELSE 1.0 END AS low_year,
           CASE WHEN over_years LIKE 'weighted:%' THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = high_set
                   AND other.element_id = year_weight
                   AND other.timestamp_year = numbers.timestamp_year) ELSE 1.0 END AS high_year,
           CASE WHEN over_countries LIKE 'weighted:%' THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = low_set
                   AND other.element_id = country_weight
                   AND other.timestamp_year = numbers.timestamp_year) ELSE 1.0 END AS low_country,
           CASE WHEN over_countries LIKE 'weighted:%' THEN
               (SELECT value FROM metric_values AS other WHERE other.result_set_id = high_set
                   AND other.element_id = country_weight
                   AND other.timestamp_year = numbers.timestamp_year) ELSE 1.0 END AS high_country
      FROM numbers JOIN adding USING (element_id)
),
-- in the order of the years, so that a sum is the same to the last digit wherever it is taken;
-- a mean that lacks a weight is no number
added AS (
    SELECT series, period, over_countries,
           sum(low * low_year) / CASE WHEN over_years IN ('sum', 'last', 'none') THEN 1
               WHEN count(low_year) = count(*) THEN sum(low_year) END AS low,
           sum(high * high_year) / CASE WHEN over_years IN ('sum', 'last', 'none') THEN 1
               WHEN count(high_year) = count(*) THEN sum(high_year) END AS high,
           CASE WHEN count(low_country) = count(*) THEN avg(low_country) END AS low_weight,
           CASE WHEN count(high_country) = count(*) THEN avg(high_country) END AS high_weight,
           min(timestamp_year) AS first_year, max(timestamp_year) AS last_year
      FROM (SELECT * FROM weighed ORDER BY series, timestamp_year)
     WHERE over_years NOT IN ('last', 'none') OR timestamp_year = latest
     GROUP BY series, period
)
