/*
---
title: What does a scenario change in each country?
description: >-
  One label of each country under two scenarios, with difference and percent: summed over the years
  that both scenarios have, or what the label has in place of a sum. Countries that have both scenarios.
topic: Compare
unit: the label's own, over years
answer: |-
  {% set years = over_years(lowest("first_year").first_year, highest("last_year").last_year) -%}
  {% if adds_countries -%}
  {{ change(total("difference")) }}{{ percent_of(total("difference"), total("baseline_value")) }} in
  {{ rows | length | count("country|countries") }}, {{ years }}.
  {%- else -%}
  {{ label }} {{ years }} under {{ scenario }}, against {{ baseline }}, in
  {{ rows | length | count("country|countries") }}.
  {%- endif %} {{ extremes("name", "difference") }}
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
  baseline_value: the label's value under the baseline scenario, over the years
  scenario_value: the same under the scenario
  difference: scenario_value - baseline_value
  percent: difference as a percentage of |baseline_value|; null where that is 0
  first_year: first year that counts
  last_year: last year that counts
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
-- include: chosen, pairs, yearly, numbers, adding_up,
summed AS (
    SELECT series AS country, low AS baseline_value, high AS scenario_value, first_year, last_year
      FROM added
),
-- what the countries were called at that run, where it kept that
named AS MATERIALIZED (
    SELECT country, json_extract(details, '$.name') AS name FROM study_countries
     WHERE run_id = (SELECT run_id FROM chosen) AND details IS NOT NULL
)
SELECT country, coalesce(nullif(named.name, ''), countries.name, country) AS name, baseline_value, scenario_value,
       scenario_value - baseline_value AS difference,
       100 * (scenario_value - baseline_value) / nullif(abs(baseline_value), 0) AS percent,
       first_year, last_year
  FROM summed LEFT JOIN named USING (country) LEFT JOIN countries ON countries.iso3 = country
 ORDER BY country
