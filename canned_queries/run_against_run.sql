/*
---
title: What does another run say about one country?
description: >-
  One label of one country under one scenario, as of two runs, year by year. Years that both states
  have.
topic: Changes
unit: the label's own
answer: |-
  {% if total("difference") == 0 and not rows | selectattr("difference") | list -%}
  In {{ country }}, {{ label }} under {{ scenario }} is the same in {{ before }} and in {{ run }}.
  {%- else -%}
  In {{ country }}, {{ label }} under {{ scenario }} is {% if adds_years -%}
  {{ total("difference") | higher }} in {{ run }} than in {{ before }},
  {{ over_years(first("timestamp_year"), last("timestamp_year")) }}
  ({{ share(total("difference"), total("before_value")) | percent }}).
  {%- else -%}
  {{ last("difference") | higher }} in {{ run }} than in {{ before }} in {{ last("timestamp_year") }}
  ({{ share(last("difference"), last("before_value")) | percent }}).
  {%- endif %}
  {%- endif %}
empty: |-
  {{ country }} has no year of {{ label }} under {{ scenario }} in both states. Choose another country,
  label or run. With a single run there is nothing to compare yet: ingest run
parameters:
  run:
    use: run
    default_text: the newest run that changed a number
    default: |-
      SELECT coalesce((SELECT max(run_id) FROM series_changes),
                      max(run_id) FILTER (WHERE status <> 'running'), max(run_id))
        FROM validation_runs
  before:
    use: run
    title: Against the state as of
    default_text: the run before that one
    default: |-
      SELECT coalesce(max(run_id) FILTER (WHERE run_id < :run), :run) FROM validation_runs
       WHERE status <> 'running'
  country:
    use: country
    default_text: the first country that the run changed, else the first one
    default: |-
      SELECT coalesce((SELECT min(country) FROM series_changes WHERE run_id = :run),
                      (SELECT min(country) FROM job_results))
  scenario:
    use: scenario
    default_text: the first scenario that the run changed there, else the first one
    default: |-
      SELECT coalesce((SELECT min(scenario) FROM series_changes
                        WHERE run_id = :run AND country = :country),
                      (SELECT scenario FROM (SELECT DISTINCT country, scenario FROM job_results)
                        ORDER BY scenario = 'null', scenario = 'baseline', scenario LIMIT 1))
  label:
columns:
  timestamp_year: calendar year
  before_value: the value in the earlier state
  after_value: the value in the later state
  difference: after_value - before_value
  percent: difference as a percentage of |before_value|; null where that is 0
charts:
  Chart:
    mark: line
    x: timestamp_year
    y: [before_value, after_value]
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
WITH chosen AS (
    SELECT element_id,
           (SELECT result_set_id FROM job_results
             WHERE job_status = 'success' AND country = :country AND scenario = :scenario
               AND run_id <= CAST(:before AS INTEGER) ORDER BY run_id DESC LIMIT 1) AS before_set,
           (SELECT result_set_id FROM job_results
             WHERE job_status = 'success' AND country = :country AND scenario = :scenario
               AND run_id <= CAST(:run AS INTEGER) ORDER BY run_id DESC LIMIT 1) AS after_set
      FROM elements WHERE element_label = :label
)
SELECT low.timestamp_year, low.value AS before_value, high.value AS after_value,
       high.value - low.value AS difference,
       100 * (high.value - low.value) / nullif(abs(low.value), 0) AS percent
  FROM chosen
 CROSS JOIN metric_values AS low
    ON low.result_set_id = before_set AND low.element_id = chosen.element_id
 CROSS JOIN metric_values AS high
    ON high.result_set_id = after_set AND high.element_id = low.element_id
   AND high.timestamp_year = low.timestamp_year
 ORDER BY low.timestamp_year
