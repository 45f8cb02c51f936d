/*
---
title: How does the model compare with published figures?
description: >-
  The impact of a scenario (its difference to the baseline, summed over the years that both have) in
  each country, beside the figure of a loaded reference table. Countries that have both.
topic: Compare
unit: the label's own
answer: |-
  In the {{ rows | length | count("country|countries") }} that both have, the model gives
  {{ total("model_value") | quantity }} {{ label }} where {{ reference }} has
  {{ total("reference_value") | quantity }}: {{ share(total("model_value"), total("reference_value")) | times }}
  as much.
empty: |-
  {% if reference -%}
  {{ reference }} and the results of {{ scenario }} have no country in common for {{ label }}. Choose
  another scenario or label.
  {%- else -%}
  No published figures are loaded yet. Load some with: ingest reference load FILE --name NAME
  {%- endif %}
parameters:
  run:
  reference:
    title: Published figures
    options: SELECT DISTINCT reference, reference FROM reference_values ORDER BY reference
    default_text: the first one by name
    default: SELECT min(reference) FROM reference_values
  baseline:
  scenario:
    use: scenario
    default_text: the first one with published figures
    default: |-
      SELECT scenario FROM reference_values WHERE reference = :reference
       ORDER BY scenario NOT IN (SELECT scenario FROM job_results), scenario LIMIT 1
  label:
    use: label
    default_text: the first one with published figures
    default: |-
      SELECT element_label FROM reference_values
       WHERE reference = :reference AND scenario = :scenario ORDER BY element_label LIMIT 1
  countries:
  until:
  discount_rate:
  base_year:
columns:
  country: ISO3 code
  name: name of the country
  model_value: difference between scenario and baseline in the model, summed over the years
  reference_value: the published figure
  ratio: model_value / reference_value
charts:
  Chart:
    mark: point
    x: reference_value
    y: model_value
    name: name
  Ratio:
    mark: bar
    measure: model / published
    x: ratio
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
summed AS (
    SELECT country, sum(scenario_value) - sum(baseline_value) AS model_value
      FROM (SELECT * FROM yearly ORDER BY country, timestamp_year)
     GROUP BY country
)
SELECT summed.country, coalesce(countries.name, summed.country) AS name, model_value,
       reference_values.value AS reference_value,
       model_value / nullif(reference_values.value, 0) AS ratio
  FROM summed
  JOIN reference_values
    ON reference_values.reference = :reference AND reference_values.country = summed.country
   AND reference_values.scenario = :scenario AND reference_values.element_label = :label
  LEFT JOIN countries ON countries.iso3 = summed.country
 ORDER BY summed.country
