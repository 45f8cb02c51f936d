/*
---
title: What does a scenario change in each group of countries?
description: >-
  One label under two scenarios, summed over the years that both scenarios have and over the countries
  of each group, with difference and percent. Groups are a column of the countries table, "country",
  "year", or nothing (all together); up to three of them nest. Countries that have both scenarios.
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
  group_1:
    title: Group by
    options: |-
      SELECT '', 'all together' UNION ALL SELECT 'year', 'year' UNION ALL SELECT 'country', 'country'
      UNION ALL SELECT name, replace(name, '_', ' ') FROM pragma_table_info('countries')
       WHERE name NOT IN ('iso3', 'name')
    default: "region"
  group_2:
    title: Group by, within that
    options: |-
      SELECT '', 'all together' UNION ALL SELECT 'year', 'year' UNION ALL SELECT 'country', 'country'
      UNION ALL SELECT name, replace(name, '_', ' ') FROM pragma_table_info('countries')
       WHERE name NOT IN ('iso3', 'name')
    default: ""
  group_3:
    title: Group by, within that
    options: |-
      SELECT '', 'all together' UNION ALL SELECT 'year', 'year' UNION ALL SELECT 'country', 'country'
      UNION ALL SELECT name, replace(name, '_', ' ') FROM pragma_table_info('countries')
       WHERE name NOT IN ('iso3', 'name')
    default: ""
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
  group_1: the group; "(none)" for countries without one, null where nothing was asked for
  group_2: the group within it
  group_3: the group within that
  countries: number of countries
  baseline_value: the label's value under the baseline scenario, summed over years and countries
  scenario_value: the same under the scenario
  difference: scenario_value - baseline_value
  percent: difference as a percentage of |baseline_value|; null where that is 0
chart:
  mark: bar
  x: difference
  y: group_1
  color: group_2
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
-- every grouping of the countries table; `ingest` fills in the columns that a study adds
memberships (country, grouping, value) AS (
    /* groups */
    SELECT iso3, 'region', "region" FROM countries
    UNION ALL SELECT iso3, 'income_group', "income_group" FROM countries
    /* end groups */
),
grouped AS (
    SELECT
           CASE :group_1 WHEN '' THEN NULL WHEN 'year' THEN timestamp_year
               WHEN 'country' THEN yearly.country ELSE coalesce(groups_1.value, '(none)') END
               AS group_1,
           CASE :group_2 WHEN '' THEN NULL WHEN 'year' THEN timestamp_year
               WHEN 'country' THEN yearly.country ELSE coalesce(groups_2.value, '(none)') END
               AS group_2,
           CASE :group_3 WHEN '' THEN NULL WHEN 'year' THEN timestamp_year
               WHEN 'country' THEN yearly.country ELSE coalesce(groups_3.value, '(none)') END
               AS group_3,
           yearly.country, baseline_value, scenario_value
      FROM (SELECT * FROM yearly ORDER BY country, timestamp_year) AS yearly
      LEFT JOIN memberships AS groups_1
        ON groups_1.country = yearly.country AND groups_1.grouping = :group_1
      LEFT JOIN memberships AS groups_2
        ON groups_2.country = yearly.country AND groups_2.grouping = :group_2
      LEFT JOIN memberships AS groups_3
        ON groups_3.country = yearly.country AND groups_3.grouping = :group_3
),
summed AS (
    SELECT group_1, group_2, group_3, count(DISTINCT country) AS countries,
           sum(baseline_value) AS baseline_value, sum(scenario_value) AS scenario_value
      FROM grouped
     GROUP BY group_1, group_2, group_3
)
SELECT group_1, group_2, group_3, countries, baseline_value, scenario_value,
       scenario_value - baseline_value AS difference,
       100 * (scenario_value - baseline_value) / nullif(abs(baseline_value), 0) AS percent
  FROM summed
 ORDER BY group_1, group_2, group_3
