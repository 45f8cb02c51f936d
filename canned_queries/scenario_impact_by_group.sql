/*
---
title: What does a scenario change in each group of countries?
description: >-
  One label under two scenarios, summed over the years that both scenarios have and over the countries
  of each group, with difference and percent. Groups are a column of the countries table, "country",
  "year", or nothing (all together); up to three of them nest. Countries that have both scenarios.
topic: Compare
unit: the label's own
answer: |-
  {{ scenario }} gives {{ total("difference") | more }} {{ label }} than {{ baseline }}
  ({{ share(total("difference"), total("baseline_value")) | percent }}) in all groups together.
  {%- if rows | length > 1 %} Most in {{ highest("difference") | values("group_1", "group_2", "group_3") }}
  ({{ highest("difference").difference | signed }}).{% endif %}
empty: |-
  No country has {{ label }} under both {{ baseline }} and {{ scenario }} in this state. Choose another
  label or run, or look at the missing combinations.
parameters:
  run:
  baseline:
  scenario:
  label:
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
      SELECT '', 'nothing more' UNION ALL SELECT 'year', 'year' UNION ALL SELECT 'country', 'country'
      UNION ALL SELECT name, replace(name, '_', ' ') FROM pragma_table_info('countries')
       WHERE name NOT IN ('iso3', 'name')
    default: ""
  group_3:
    title: Group by, within that
    options: |-
      SELECT '', 'nothing more' UNION ALL SELECT 'year', 'year' UNION ALL SELECT 'country', 'country'
      UNION ALL SELECT name, replace(name, '_', ' ') FROM pragma_table_info('countries')
       WHERE name NOT IN ('iso3', 'name')
    default: ""
  countries:
  until:
  discount_rate:
  base_year:
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
known AS MATERIALIZED (SELECT DISTINCT country FROM job_results),
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
      FROM known
     WHERE coalesce(:countries, '') = ''
        OR instr(',' || replace(:countries, ' ', '') || ',', ',' || country || ',') > 0
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
