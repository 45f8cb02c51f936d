/*
---
title: How does a scenario differ from a baseline in one country?
description: >-
  One label of one country under two scenarios, year by year, with difference and percent. Years that
  both scenarios have.
topic: Compare
unit: the label's own
answer: |-
  In {{ country }}, {{ scenario }} gives {{ total("difference") | more }} {{ label }} than {{ baseline }}
  between {{ first("timestamp_year") }} and {{ last("timestamp_year") }}
  ({{ share(total("difference"), total("baseline_value")) | percent }}).
empty: |-
  {{ country }} has no year of {{ label }} under both {{ baseline }} and {{ scenario }} in this state.
  Choose another label, country or run, or look at the missing combinations.
parameters:
  run:
  country:
  baseline:
  scenario:
  label:
  until:
  discount_rate:
  base_year:
columns:
  timestamp_year: calendar year
  baseline_value: the label's value under the baseline scenario
  scenario_value: the same under the scenario
  difference: scenario_value - baseline_value
  percent: difference as a percentage of |baseline_value|; null where that is 0
charts:
  Chart:
    mark: line
    x: timestamp_year
    y: [baseline_value, scenario_value]
  Difference:
    mark: line
    x: timestamp_year
    y: [difference]
  Percent:
    mark: line
    x: timestamp_year
    y: [percent]
---
*/
WITH RECURSIVE
chosen AS (
    SELECT CAST(coalesce(nullif(:run, ''), (SELECT max(run_id) FROM validation_runs)) AS INTEGER)
               AS run_id,
           CAST(coalesce(nullif(:until, ''), 9999) AS INTEGER) AS until_year,
           1 + CAST(coalesce(:discount_rate, 0) AS REAL) / 100 AS growth,
           (SELECT element_id FROM elements WHERE element_label = :label) AS element_id
),
-- the newest success of each combination by that run
pairs AS MATERIALIZED (
    SELECT country,
           (SELECT result_set_id FROM job_results
             WHERE country = known.country AND scenario = :baseline AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS baseline_set,
           (SELECT result_set_id FROM job_results
             WHERE country = known.country AND scenario = :scenario AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS scenario_set
      FROM (SELECT :country AS country) AS known
),
span AS (
    SELECT CAST(coalesce(nullif(:base_year, ''), min(first_year)) AS INTEGER) AS base_year,
           min(first_year) AS first_year, max(last_year) AS last_year
      FROM pairs JOIN result_sets ON result_set_id IN (baseline_set, scenario_set)
),
-- growth to the power of (year - base year), without the optional function pow()
discounting (discount_year, factor) AS (
    SELECT base_year, 1.0 FROM span
    UNION ALL
    SELECT discount_year + 1, factor * growth FROM discounting, chosen, span
     WHERE discount_year >= base_year AND discount_year < last_year
    UNION ALL
    SELECT discount_year - 1, factor / growth FROM discounting, chosen, span
     WHERE discount_year <= base_year AND discount_year > first_year
),
-- a row for each country and year that both scenarios have
yearly AS (
    SELECT pairs.country, low.timestamp_year, low.value / factor AS baseline_value,
           high.value / factor AS scenario_value
      FROM chosen
     CROSS JOIN pairs
     CROSS JOIN metric_values AS low
        ON low.result_set_id = baseline_set AND low.element_id = chosen.element_id
     CROSS JOIN metric_values AS high
        ON high.result_set_id = scenario_set AND high.element_id = low.element_id
       AND high.timestamp_year = low.timestamp_year
     CROSS JOIN discounting ON discount_year = low.timestamp_year
     WHERE low.timestamp_year <= until_year
)
SELECT timestamp_year, baseline_value, scenario_value,
       scenario_value - baseline_value AS difference,
       100 * (scenario_value - baseline_value) / nullif(abs(baseline_value), 0) AS percent
  FROM yearly
 ORDER BY timestamp_year
