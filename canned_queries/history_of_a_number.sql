/*
---
title: How did one number develop over runs and commits?
description: >-
  One label of one country under one scenario, in one year or summed over all years, or what the
  label has in place of a sum, in the state as of each run.
topic: Changes
unit: the label's own, over years
answer: |-
  {% set moved = rows | selectattr("change") | list -%}
  {{ label }} in {{ country }} under {{ scenario }}
  {{- ", " ~ (year if year else over_years()) }}: {{ last("value") | quantity }} as of {{ run }}
  {%- if moved %}; it moved in {{ moved | length | count("run") }}, most recently in run {{ moved[-1].run_id }}
  (commit {{ moved[-1].git_commit[:7] }}) by {{ moved[-1].change | signed }}
  {%- if moved[-1].percent is not none %} ({{ (moved[-1].percent / 100) | percent }}){% endif %}.
  {%- elif rows | length > 1 %}; it never moved in {{ rows | length | count("run") }}.
  {%- else %}, the only run that has it.{% endif %}
empty: |-
  No run up to this one has {{ label }} of {{ country }} under {{ scenario }}. Choose another country,
  scenario, label or year.
parameters:
  run:
    use: run
    title: Up to
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
  year:
    title: Year (empty = all together)
    type: year
    default: ""
columns:
  run_id: the run
  timestamp: when it began (UTC)
  git_commit: HEAD of the study's repository then
  value: the number in the state as of that run
  change: value - value as of the run before
  percent: change as a percentage of |value before|; null where that is 0
  first_year: first year of the number
  last_year: last year of the number
chart:
  mark: line
  x: run_id
  y: value
---
*/
WITH states AS (
    SELECT run_id, timestamp, git_commit,
           (SELECT result_set_id FROM job_results
             WHERE job_status = 'success' AND country = :country AND scenario = :scenario
               AND job_results.run_id <= validation_runs.run_id
             ORDER BY job_results.run_id DESC LIMIT 1) AS result_set_id
      FROM validation_runs
     WHERE run_id <= CAST(:run AS INTEGER)
),
-- each result set is read once, however many runs have it
numbers AS MATERIALIZED (
    SELECT result_set_id AS series, NULL AS period, element_id, result_set_id AS low_set,
           NULL AS high_set, timestamp_year, value AS low, NULL AS high
      FROM (SELECT element_id FROM elements WHERE element_label = :label) AS chosen
     CROSS JOIN (SELECT DISTINCT result_set_id FROM states WHERE result_set_id IS NOT NULL)
     CROSS JOIN metric_values USING (result_set_id, element_id)
     WHERE :year = '' OR timestamp_year = CAST(:year AS INTEGER)
),
-- include: adding_up,
summed AS (
    SELECT series AS result_set_id, low AS value, first_year, last_year FROM added
)
SELECT run_id, timestamp, git_commit, value, value - lag(value) OVER runs AS change,
       100 * (value - lag(value) OVER runs) / nullif(abs(lag(value) OVER runs), 0) AS percent,
       first_year, last_year
  FROM states JOIN summed USING (result_set_id)
WINDOW runs AS (ORDER BY run_id)
 ORDER BY run_id
