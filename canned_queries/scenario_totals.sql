/*
---
title: What does each scenario add up to in one country?
description: >-
  One label of one country under every scenario, with the difference to a baseline: summed over the
  years that the scenario has, or what the label has in place of a sum.
topic: Compare
unit: the label's own, over years
answer: |-
  {% set high, low = highest("value"), lowest("value") -%}
  In {{ country }}, {{ label }} {{ over_years(high.first_year, high.last_year) }} is highest under
  {{ high.scenario }}: {{ high.value | quantity }}{{ against(high) }}
  {%- if low.scenario != high.scenario %}; it is lowest under {{ low.scenario }}:
  {{ low.value | quantity }}{{ against(low) }}{% endif %}.
empty: |-
  {{ country }} has no {{ label }} in this state. Choose another country, label or run.
parameters:
  run:
  country:
  baseline:
  label:
columns:
  scenario: name of the scenario
  value: the label's value, over the years
  difference: value - value of the baseline
  percent: difference as a percentage of |value of the baseline|; null where that is 0
  first_year: first year that counts
  last_year: last year that counts
charts:
  Difference:
    mark: bar
    x: difference
    y: scenario
  Value:
    mark: bar
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
numbers AS MATERIALIZED (
    SELECT scenario AS series, NULL AS period, element_id, result_set_id AS low_set,
           NULL AS high_set, timestamp_year, value AS low, NULL AS high
      FROM (SELECT element_id FROM elements WHERE element_label = :label) AS chosen
     CROSS JOIN state
     CROSS JOIN metric_values USING (result_set_id, element_id)
),
-- include: adding_up,
summed AS (SELECT series AS scenario, low AS value, first_year, last_year FROM added)
SELECT scenario, summed.value, summed.value - low.value AS difference,
       100 * (summed.value - low.value) / nullif(abs(low.value), 0) AS percent,
       first_year, last_year
  FROM summed LEFT JOIN (SELECT value FROM summed WHERE scenario = :baseline) AS low
 ORDER BY scenario
