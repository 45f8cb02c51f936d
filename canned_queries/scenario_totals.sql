/*
---
title: What does each scenario add up to in one country?
description: >-
  One label of one country, summed over the years, under every scenario, with the difference to a
  baseline. Each scenario is summed over the years that it has.
topic: Compare
unit: the label's own
answer: |-
  {% set best, worst = highest("difference"), lowest("difference") -%}
  In {{ country }}, {{ best.scenario }} gives the most {{ label }}:
  {{ best.value | quantity }}, {{ best.difference | more }} than {{ baseline }}
  {%- if best.percent is not none %} ({{ (best.percent / 100) | percent }}){% endif %}
  {%- if worst.scenario != best.scenario %}; {{ worst.scenario }} gives the least, {{ worst.value | quantity }}
  {%- endif %}.
empty: |-
  {{ country }} has no {{ label }} in this state. Choose another country, label or run.
parameters:
  run:
  country:
  baseline:
  label:
columns:
  scenario: name of the scenario
  value: the label's value, summed over the years
  difference: value - value of the baseline
  percent: difference as a percentage of |value of the baseline|; null where that is 0
  first_year: first year of the sum
  last_year: last year of the sum
charts:
  Difference:
    mark: bar
    x: difference
    y: scenario
  Sum:
    mark: bar
    measure: sum over the years
    x: value
    y: scenario
---
*/
WITH state AS (
    -- the newest success by that run; the other columns come from the row of max()
    SELECT scenario, result_set_id, max(run_id) AS run_id
      FROM job_results
     WHERE job_status = 'success' AND country = :country AND run_id <= CAST(:run AS INTEGER)
       AND scenario IN (SELECT scenario FROM study_scenarios WHERE run_id = CAST(:run AS INTEGER))
     GROUP BY scenario
),
summed AS (
    SELECT scenario, sum(value) AS value, min(timestamp_year) AS first_year,
           max(timestamp_year) AS last_year
      FROM (SELECT element_id FROM elements WHERE element_label = :label) AS chosen
     CROSS JOIN state
     CROSS JOIN metric_values USING (result_set_id, element_id)
     GROUP BY scenario
)
SELECT scenario, summed.value, summed.value - low.value AS difference,
       100 * (summed.value - low.value) / nullif(abs(low.value), 0) AS percent,
       first_year, last_year
  FROM summed LEFT JOIN (SELECT value FROM summed WHERE scenario = :baseline) AS low
 ORDER BY scenario
