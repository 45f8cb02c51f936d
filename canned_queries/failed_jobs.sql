/*
---
title: What failed in a run, and why?
description: >-
  The jobs of a run that did not succeed, with the kind of error and what it said.
topic: Runs
unit: jobs
answer: |-
  {{ rows | length | count("job") }} of {{ run }} did not succeed.
  {%- set causes = rows | tally("error_kind") %}
  {%- for cause, jobs in causes[:3] %} {{ jobs | count("time") }}: {{ cause or "no reason given" }}
  {{- "." if loop.last else "," }}{% endfor %}
  {%- if rows[0].error %} The first one says: {{ rows[0].error | first_line }}{% endif %}
empty: |-
  Every job of {{ run }} succeeded.
parameters:
  run:
    use: run
    title: Run
  scenario:
    use: any_scenario
columns:
  run_id: the run
  country: ISO3 code
  name: name of the country
  scenario: name of the scenario
  job_status: failed, timeout or cancelled
  error_kind: kind of error
  error: what happened, in the first line, and the tail of the job's output
  attempts: how often it was tried
  duration_s: seconds it took
  completed_at: when it ended (UTC)
  reason: why the combination ran
  ulid: name of the newest attempt
charts:
  Causes:
    mark: bar
    measure: number of jobs
    x: count()
    y: error_kind
  Scenarios:
    mark: bar
    measure: number of jobs
    x: count()
    y: scenario
---
*/
SELECT run_id, country, coalesce(nullif(countries.name, ''), country) AS name, scenario, job_status,
       error_kind, error, attempts, duration_s, completed_at, reason, ulid
  FROM job_results LEFT JOIN countries ON countries.iso3 = country
 WHERE run_id = CAST(:run AS INTEGER)
   AND job_status IN ('failed', 'timeout', 'cancelled')
   AND (:scenario = '' OR scenario = :scenario)
 ORDER BY error_kind, country, scenario
