/*
---
title: Which values of a label look wrong?
description: >-
  Negative values, missing years between the first and the last one, and jumps from one year to the
  next, in every country under one scenario or all. It needs no rules; a finding is a reason to look, not an error.
topic: Data
unit: the label's own
answer: |-
  {{ rows | length | count("value of|values of") }} {{ label }} look{{ "s" if rows | length == 1 }} unusual:
  {%- for problem, found in rows | tally("problem") %} {{ found | thousands }} x {{ problem }}
  {{- "," if not loop.last }}{% endfor %}, in {{ rows | tally("country") | length | count("country|countries") }}.
empty: |-
  Nothing unusual in {{ label }}: no negative value, no missing year, and no jump of more than
  {{ jump }} % from one year to the next.
parameters:
  run:
  label:
  scenario:
    use: any_scenario
    default_text: null, else baseline, else the first scenario
    default: |-
      SELECT scenario FROM (SELECT DISTINCT country, scenario FROM job_results)
       ORDER BY scenario <> 'null', scenario <> 'baseline', scenario LIMIT 1
  jump:
    title: A jump is a change by more than, %
    type: number
    default: 50
columns:
  country: ISO3 code
  name: name of the country
  scenario: name of the scenario
  timestamp_year: calendar year
  problem: negative value, missing years or jump
  value: the value
  value_before: the value of the year before that has one
  percent: change since then, in percent
charts:
  Problems:
    mark: bar
    measure: number of values
    x: count()
    y: problem
  Countries:
    mark: bar
    measure: number of values
    x: count()
    y: name
---
*/
WITH known AS (
    SELECT DISTINCT country, scenario
      FROM study_countries AS c JOIN study_scenarios AS s USING (run_id)
     WHERE run_id = CAST(:run AS INTEGER) AND (:scenario = '' OR scenario = :scenario)
),
-- the newest success of each combination by that run
state AS MATERIALIZED (
    SELECT country, scenario,
           (SELECT result_set_id FROM job_results
             WHERE job_results.country = known.country AND job_results.scenario = known.scenario
               AND job_status = 'success' AND run_id <= CAST(:run AS INTEGER)
             ORDER BY run_id DESC LIMIT 1) AS result_set_id
      FROM known
),
series AS (
    SELECT country, scenario, timestamp_year, value,
           lag(value) OVER years AS value_before, lag(timestamp_year) OVER years AS year_before
      FROM (SELECT element_id FROM elements WHERE element_label = :label) AS chosen
     CROSS JOIN state
     CROSS JOIN metric_values USING (result_set_id, element_id)
    WINDOW years AS (PARTITION BY country, scenario ORDER BY timestamp_year)
),
judged AS (
    SELECT *, 100 * (value - value_before) / nullif(abs(value_before), 0) AS percent,
           CASE WHEN value < 0 THEN 'negative value'
                WHEN timestamp_year > year_before + 1 THEN 'missing years'
                WHEN abs(value - value_before)
                     > abs(value_before) * CAST(coalesce(nullif(:jump, ''), 50) AS REAL) / 100
                     AND value_before <> 0 THEN 'jump' END AS problem
      FROM series
)
SELECT country, coalesce(nullif(countries.name, ''), country) AS name, scenario, timestamp_year,
       problem, value, value_before, percent
  FROM judged LEFT JOIN countries ON countries.iso3 = country
 WHERE problem IS NOT NULL
 ORDER BY country, scenario, timestamp_year
