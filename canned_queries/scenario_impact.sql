/*
---
title: What does a scenario change in each country?
description: >-
  One label of each country under two scenarios, summed over the years that both scenarios have, with
  difference and percent. Countries that have both scenarios.
unit: the label's own
parameters:
  run:
    title: State as of run
    options: |-
      SELECT run_id, 'run ' || run_id || ', ' || substr(timestamp, 1, 10) || ', commit ' || substr(git_commit, 1, 7)
        FROM validation_runs ORDER BY run_id DESC
    default: SELECT max(run_id) FROM validation_runs WHERE status <> 'running'
  baseline:
    title: Baseline
    options: |-
      SELECT scenario, coalesce(nullif(label, ''), scenario)
        FROM (SELECT DISTINCT scenario FROM job_results) LEFT JOIN scenarios ON name = scenario
       ORDER BY scenario
    default: |-
      SELECT scenario FROM (SELECT DISTINCT scenario FROM job_results)
       ORDER BY scenario <> 'null', scenario <> 'baseline', scenario LIMIT 1
  scenario:
    title: Scenario
    options: |-
      SELECT scenario, coalesce(nullif(label, ''), scenario)
        FROM (SELECT DISTINCT scenario FROM job_results) LEFT JOIN scenarios ON name = scenario
       ORDER BY scenario
    default: |-
      SELECT scenario FROM (SELECT DISTINCT scenario FROM job_results)
       ORDER BY scenario = 'null', scenario = 'baseline', scenario LIMIT 1
  label:
    title: Element label
    options: SELECT element_label FROM elements ORDER BY element_label
    default: |-
      SELECT element_label FROM elements
       ORDER BY element_label <> 'Healthy Years Lived', element_label LIMIT 1
  countries:
    title: Countries (ISO3 codes with commas between; empty = all)
    default: ""
  until:
    title: Up to and including the year (empty = to the end)
    default: ""
  discount_rate:
    title: Discount rate in percent a year (0 = none)
    default: 0
  base_year:
    title: Base year of discounting (empty = the first year of the results)
    default: ""
columns:
  country: ISO3 code
  name: name of the country
  baseline_value: the label's value under the baseline scenario, summed over the years
  scenario_value: the same under the scenario
  difference: scenario_value - baseline_value
  percent: difference as a percentage of |baseline_value|; null where that is 0
  first_year: first year of the sums
  last_year: last year of the sums
chart:
  mark: bar
  x: difference
  y: name
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
-- the newest success of each combination by that run; the other columns come from the row of max()
state AS (
    SELECT country, scenario, result_set_id, max(run_id) AS run_id
      FROM job_results
     WHERE job_status = 'success'
       AND scenario IN (:baseline, :scenario)
       AND run_id <= (SELECT run_id FROM chosen)
       AND (coalesce(:countries, '') = ''
            OR instr(',' || replace(:countries, ' ', '') || ',', ',' || country || ',') > 0)
     GROUP BY country, scenario
),
pairs AS (
    SELECT baseline.country, baseline.result_set_id AS baseline_set,
           scenario.result_set_id AS scenario_set
      FROM state AS baseline JOIN state AS scenario ON scenario.country = baseline.country
     WHERE baseline.scenario = :baseline AND scenario.scenario = :scenario
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
),
-- in the order of the years, so that a sum is the same to the last digit wherever it is taken
summed AS (
    SELECT country, sum(baseline_value) AS baseline_value, sum(scenario_value) AS scenario_value,
           min(timestamp_year) AS first_year, max(timestamp_year) AS last_year
      FROM (SELECT * FROM yearly ORDER BY country, timestamp_year)
     GROUP BY country
)
SELECT country, coalesce(countries.name, country) AS name, baseline_value, scenario_value,
       scenario_value - baseline_value AS difference,
       100 * (scenario_value - baseline_value) / nullif(abs(baseline_value), 0) AS percent,
       first_year, last_year
  FROM summed LEFT JOIN countries ON countries.iso3 = country
 ORDER BY country
