/*
---
title: What changed most in a run?
description: >-
  The series (country, scenario, label) that a run moved against the state before it, the largest
  relative change first, with its cause. A series that began at zero, or of which only years came or went,
  comes before all others.
topic: Changes
unit: each label's own; percent of the value before
answer: |-
  {% set top = rows | selectattr("percent", "ne", none) | list -%}
  {% if top -%}
  {{ run | capitalize_first }} moved {{ top[0].element_label }} in {{ top[0].name }} under {{ top[0].scenario }} most:
  {{ (top[0].percent / 100) | percent }} in {{ top[0].largest_year }}, from {{ top[0].before_value | quantity }} to
  {{ top[0].after_value | quantity }}.
  {%- else -%}
  {{ rows | length | count("series|series") }} came, went, began at zero or have other years in {{ run }}.
  {%- endif %}
  {%- if rows[0].cause %} Cause: {{ rows[0].cause }}.{% endif %}
empty: |-
  {{ run | capitalize_first }} changed no number of this kind against the state before it.
parameters:
  run:
    use: run
    title: Run
    default_text: the newest run that changed a number
    default: |-
      SELECT coalesce((SELECT max(run_id) FROM series_changes),
                      max(run_id) FILTER (WHERE status <> 'running'), max(run_id))
        FROM validation_runs
  country:
    use: any_country
  scenario:
    use: any_scenario
  label:
    use: any_label
  rows:
    title: Rows at most
    type: number
    default: 100
columns:
  country: ISO3 code
  name: name of the country
  scenario: name of the scenario
  element_label: label
  kind: changed, added or removed
  percent: change in the year of the largest change, in percent of the value before
  before_value: value before, in that year
  after_value: value after, in that year
  largest_year: the year of the largest relative change
  changed_years: number of years that changed
  other_years: years that only one of the two runs has, as 2036-2050 removed
  before_sum: sum over the years before; null for a label that is not summed over years
  after_sum: the same after
  cause: what moved it
chart:
  mark: bar
  measure: change in %
  x: percent
  y: [name, scenario, element_label]
---
*/
SELECT country, coalesce(nullif(countries.name, ''), country) AS name, scenario, element_label,
       series_changes.kind, 100 * relative_change AS percent, before_value, after_value, largest_year, changed_years, other_years,
       CASE WHEN coalesce(over_years, '') IN ('', 'sum') THEN before_sum END AS before_sum,
       CASE WHEN coalesce(over_years, '') IN ('', 'sum') THEN after_sum END AS after_sum, cause
  FROM series_changes LEFT JOIN labels USING (element_label)
  LEFT JOIN countries ON countries.iso3 = country
 WHERE run_id = CAST(:run AS INTEGER)
   AND (:country = '' OR country = :country)
   AND (:scenario = '' OR scenario = :scenario)
   AND (:label = '' OR element_label = :label)
 ORDER BY relative_change IS NOT NULL, abs(relative_change) DESC, country, scenario, element_label
 LIMIT CAST(coalesce(nullif(:rows, ''), 100) AS INTEGER)
