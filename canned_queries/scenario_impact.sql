/*
---
title: What does a scenario change in each country?
description: >-
  One label of each country under two scenarios, summed over the years that both scenarios have, with
  difference and percent. Countries that have both scenarios.
topic: Compare
unit: the label's own
answer: |-
  {{ scenario }} gives {{ total("difference") | more }} {{ label }} than {{ baseline }}
  ({{ share(total("difference"), total("baseline_value")) | percent }}) in
  {{ rows | length | count("country|countries") }}, {{ lowest("first_year").first_year }} to
  {{ highest("last_year").last_year }}. {{ highest("difference").name }} gains most
  ({{ highest("difference").difference | signed }})
  {%- if rows | length > 1 %}, {{ lowest("difference").name }} least
  ({{ lowest("difference").difference | signed }}){% endif %}.
empty: |-
  No country has {{ label }} under both {{ baseline }} and {{ scenario }} in this state. Choose another
  label or run, or look at the missing combinations.
parameters:
  run:
  baseline:
  scenario:
  label:
  countries:
  until:
  discount_rate:
  base_year:
columns:
  country: ISO3 code
  name: name of the country
  baseline_value: the label's value under the baseline scenario, summed over the years
  scenario_value: the same under the scenario
  difference: scenario_value - baseline_value
  percent: difference as a percentage of |baseline_value|; null where that is 0
  first_year: first year of the sums
  last_year: last year of the sums
charts:
  Countries:
    mark: bar
    x: difference
    y: name
  Map:
    mark: map
    country: country
    value: percent
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
