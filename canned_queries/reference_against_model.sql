/*
---
title: How does the model compare with published figures?
description: >-
  The impact of a scenario (its difference to the baseline, summed over the years that both have, or
  what the label has in place of a sum) in each country, beside the figure of a loaded reference table. Countries that have both.
topic: Compare
unit: the label's own, over years
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
  model_value: difference between scenario and baseline in the model, over the years
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
-- include: chosen, pairs, yearly, numbers, adding_up,
summed AS (
    SELECT series AS country, high - low AS model_value FROM added
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
