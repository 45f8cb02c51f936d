/*
---
title: How does a scenario differ from a baseline in one country?
description: >-
  One label of one country under two scenarios, year by year, with difference and percent. Years that
  both scenarios have.
topic: Compare
unit: the label's own
answer: |-
  In {{ country }}, {% if adds_years -%}
  {{ change(total("difference")) }}{{ percent_of(total("difference"), total("baseline_value")) }},
  {{ over_years(first("timestamp_year"), last("timestamp_year")) }}.
  {%- else -%}
  {{ change(last("difference")) }}{{ percent_of(last("difference"), last("baseline_value")) }},
  {{ at(last("timestamp_year")) }}.
  {%- endif %}
empty: |-
  {{ country }} has no year of {{ label }} under both {{ baseline }} and {{ scenario }} in this state.
  Choose another label, country or run, or look at the missing combinations.
parameters:
  run:
  country:
  baseline:
  scenario:
  label:
  until:
  discount_rate:
  base_year:
  consistent:
columns:
  timestamp_year: calendar year
  baseline_value: the label's value under the baseline scenario
  scenario_value: the same under the scenario
  difference: scenario_value - baseline_value
  percent: difference as a percentage of |baseline_value|; null where that is 0
charts:
  Chart:
    mark: line
    x: timestamp_year
    y: [baseline_value, scenario_value]
  Difference:
    mark: line
    x: timestamp_year
    y: [difference]
  Percent:
    mark: line
    x: timestamp_year
    y: [percent]
---
*/
WITH RECURSIVE
-- include: chosen,
current AS MATERIALIZED (
    SELECT input_set_id FROM current_inputs WHERE run_id = (SELECT run_id FROM chosen)
),
-- the newest success of both scenarios by that run
pairs AS MATERIALIZED (
    SELECT country,
           (SELECT CASE WHEN coalesce(:consistent, '') = '' OR input_set_id IN current
                    THEN result_set_id END FROM job_results
             WHERE country = known.country AND scenario = :baseline AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS baseline_set,
           (SELECT CASE WHEN coalesce(:consistent, '') = '' OR input_set_id IN current
                    THEN result_set_id END FROM job_results
             WHERE country = known.country AND scenario = :scenario AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS scenario_set
      FROM (SELECT :country AS country) AS known
),
-- include: yearly
SELECT timestamp_year, baseline_value, scenario_value,
       scenario_value - baseline_value AS difference,
       100 * (scenario_value - baseline_value) / nullif(abs(baseline_value), 0) AS percent
  FROM yearly
 ORDER BY timestamp_year
