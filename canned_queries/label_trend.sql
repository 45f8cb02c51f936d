/*
---
title: How does one label develop in chosen countries?
description: >-
  The values of one label under one scenario, year by year, in as many countries as you like. Nothing
  chosen means the five with the largest sums.
topic: Countries
unit: the label's own
answer: |-
  {% set ends = rows | last_of_each("name") | sort(attribute="value", reverse=true) -%}
  Under {{ scenario }}, {{ label }} in {{ last("timestamp_year") }}: {% for row in ends[:3] -%}
  {{ row.name }} {{ row.value | quantity }}{{ ", " if not loop.last }}{% endfor %}
  {%- if ends | length > 3 %}, and {{ (ends | length - 3) | count("more country|more countries") }}{% endif %}.
empty: |-
  These countries have no {{ label }} under {{ scenario }} in this state. Choose other countries, another
  label or another run.
parameters:
  run:
  label:
  scenario:
    use: baseline
    title: Scenario
  countries:
    use: countries
    default_text: the five countries with the most of the label
    default: |-
      WITH state AS MATERIALIZED (
          SELECT country,
                 (SELECT result_set_id FROM job_results
                   WHERE country = known.country AND scenario = :scenario
                     AND job_status = 'success' AND run_id <= CAST(:run AS INTEGER)
                   ORDER BY run_id DESC LIMIT 1) AS result_set_id
            FROM (SELECT DISTINCT country FROM study_countries
                   WHERE run_id = CAST(:run AS INTEGER)) AS known
      )
      SELECT group_concat(country) FROM (
          SELECT country FROM state CROSS JOIN metric_values USING (result_set_id)
           WHERE element_id = (SELECT element_id FROM elements WHERE element_label = :label)
           GROUP BY country ORDER BY sum(value) DESC, country LIMIT 5)
columns:
  timestamp_year: calendar year
  country: ISO3 code
  name: name of the country
  value: the label's value
chart:
  mark: line
  x: timestamp_year
  y: value
  color: name
---
*/
WITH known AS MATERIALIZED (SELECT DISTINCT country FROM job_results),
state AS MATERIALIZED (
    -- the newest success by that run
    SELECT country,
           (SELECT result_set_id FROM job_results
             WHERE country = known.country AND scenario = :scenario
               AND job_status = 'success' AND run_id <= CAST(:run AS INTEGER)
             ORDER BY run_id DESC LIMIT 1) AS result_set_id
      FROM known
     WHERE instr(',' || replace(:countries, ' ', '') || ',', ',' || country || ',') > 0
)
SELECT timestamp_year, country, coalesce(nullif(countries.name, ''), country) AS name, value
  FROM (SELECT element_id FROM elements WHERE element_label = :label) AS chosen
 CROSS JOIN state
 CROSS JOIN metric_values USING (result_set_id, element_id)
  LEFT JOIN countries ON countries.iso3 = country
 ORDER BY country, timestamp_year
