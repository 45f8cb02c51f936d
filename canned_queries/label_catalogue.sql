/*
---
title: Which labels are there, and what do they count?
description: >-
  Every element label of the results with its unit, its meaning and how it adds up, and its
  first and last value under one scenario of one country for an idea of its size. A label that this country does not have has no values.
topic: Data
unit: each label's own
answer: |-
  There are {{ rows | length | count("label|labels") }}; {{ country }} has
  {{ rows | selectattr("first_value", "ne", none) | list | length }} of them under {{ scenario }}.
empty: |-
  There are no results yet. Make some with: ingest run
parameters:
  run:
  country:
  scenario:
    use: baseline
    title: Scenario
columns:
  element_label: label
  unit: unit of its values; null where the study does not say it
  kind: flow (in a year), stock (at a moment), share (a share, rate or mean) or cumulative
  over_years: how years add up (sum, last, mean, weighted:LABEL or none)
  over_countries: how countries add up (sum, mean, weighted:LABEL or none)
  better: which direction is good (lower, higher or none)
  guessed: which of these nobody says
  first_year: first year of the series
  last_year: last year of the series
  first_value: value in the first year
  last_value: value in the last year
  total: the years together, as over_years says
  percent: last_value against first_value, in percent of |first_value|; null where that is 0
  description: what it counts; null where the study does not say it
chart:
  mark: bar
  measure: last year against the first one, in %
  x: percent
  y: element_label
---
*/
WITH state AS (
    -- the newest success by that run; the other columns come from the row of max()
    SELECT result_set_id, max(run_id) AS run_id
      FROM job_results
     WHERE job_status = 'success' AND country = :country AND scenario = :scenario
       AND run_id <= CAST(:run AS INTEGER)
),
series AS (
    SELECT element_id, min(timestamp_year) AS first_year, max(timestamp_year) AS last_year
      FROM state CROSS JOIN metric_values USING (result_set_id)
     GROUP BY element_id
),
numbers AS NOT MATERIALIZED (
    SELECT element_id AS series, NULL AS period, element_id, result_set_id AS low_set,
           NULL AS high_set, timestamp_year, value AS low, NULL AS high
      FROM state CROSS JOIN metric_values USING (result_set_id)
),
-- include: adding_up
SELECT element_label, nullif(unit, '') AS unit, kind, labels.over_years, labels.over_countries,
       better, nullif(guessed, '') AS guessed, series.first_year, series.last_year,
       low.value AS first_value, high.value AS last_value, added.low AS total, 100 * (high.value - low.value) / nullif(abs(low.value), 0) AS percent,
       nullif(description, '') AS description
  FROM elements
  LEFT JOIN meanings AS labels USING (element_label)
  LEFT JOIN series USING (element_id)
  LEFT JOIN added ON added.series = elements.element_id
  LEFT JOIN metric_values AS low
    ON low.result_set_id = (SELECT result_set_id FROM state)
   AND low.element_id = elements.element_id AND low.timestamp_year = series.first_year
  LEFT JOIN metric_values AS high
    ON high.result_set_id = (SELECT result_set_id FROM state)
   AND high.element_id = elements.element_id AND high.timestamp_year = series.last_year
 ORDER BY element_label
