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
-- include: chosen, pairs, yearly,
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
