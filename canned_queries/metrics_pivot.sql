/*
---
title: What are the numbers of one country, a column a year?
description: >-
  Every label and scenario of one country as a row, the years as columns: the shape that spreadsheets
  like. The columns go from the first to the last year of all results in the database.
topic: Data
unit: each label's own
answer: |-
  {{ rows | length | count("series|series") }} of {{ country }}
  {%- if label %}, {{ label }}{% endif %}{% if scenario %}, {{ scenario }}{% endif %}.
empty: |-
  {{ country }} has no such number in this state. Choose another country, label or run.
parameters:
  run:
  country:
  scenario:
    use: any_scenario
  label:
    use: any_label
    default_text: Healthy Years Lived, else the first label
    default: |-
      SELECT element_label FROM elements
       ORDER BY element_label <> 'Healthy Years Lived', element_label LIMIT 1
columns:
  country: ISO3 code
  scenario: name of the scenario
  element_label: label
  (years): one column for each year; null where the series has no value
chart:
  mark: line
  x: (years)
  y: value
  color: [scenario, element_label]
---
*/
WITH state AS (
    -- the newest success by that run; the other columns come from the row of max()
    SELECT country, scenario, result_set_id, max(run_id) AS run_id
      FROM job_results
     WHERE job_status = 'success' AND country = :country AND run_id <= CAST(:run AS INTEGER)
       AND CASE :scenario WHEN '' THEN scenario IN (
               SELECT scenario FROM study_scenarios WHERE run_id = CAST(:run AS INTEGER))
           ELSE scenario = :scenario END
     GROUP BY country, scenario
)
SELECT country, scenario, element_label,
       -- one column for each year that the database has; `ingest` fills them in
       /* years */
       max(CASE timestamp_year WHEN 2025 THEN value END) AS "2025"
       /* end years */
  FROM state
 CROSS JOIN (SELECT * FROM elements WHERE :label = '' OR element_label = :label) AS chosen
 CROSS JOIN metric_values USING (result_set_id, element_id)
 GROUP BY country, scenario, element_label
 ORDER BY element_label, scenario
