/*
---
title: What ran when, and how long did it take?
description: >-
  The runs up to one, the newest first: when, on which commit, how many jobs succeeded and failed, how
  many combinations were up to date, and how long it took.
topic: Runs
unit: jobs; seconds
answer: |-
  {{ rows | length | count("run") }}. The newest is run {{ rows[0].run_id }} of {{ rows[0].timestamp | date }}
  ({{ rows[0].status }}): {{ rows[0].successful_jobs | thousands }} of {{ rows[0].total_jobs | count("job") }} succeeded
  {%- if rows[0].duration_s is not none %} in {{ rows[0].duration_s | duration }}{% endif %}.
empty: |-
  There is no run yet. Make one with: ingest run
parameters:
  run:
    use: run
    title: Up to
  rows:
    title: Rows at most
    type: number
    default: 100
columns:
  run_id: the run
  timestamp: when it began (UTC)
  git_commit: HEAD of the study's repository then
  status: running, completed, failed or interrupted
  total_jobs: combinations that it was to execute
  successful_jobs: those that succeeded
  failed_jobs: those that did not
  up_to_date_jobs: combinations that needed nothing
  duration_s: seconds from its beginning to its end
  executor: where the jobs ran
  changed_combinations: combinations whose numbers it moved
charts:
  Jobs:
    mark: bar
    measure: jobs
    x: [successful_jobs, failed_jobs]
    y: run_id
  Duration:
    mark: bar
    x: duration_s
    y: run_id
---
*/
SELECT run_id, timestamp, git_commit, status, total_jobs, successful_jobs, failed_jobs,
       up_to_date_jobs,
       round((julianday(finished_at) - julianday(timestamp)) * 86400, 3) AS duration_s, executor,
       changed_combinations
  FROM validation_runs
 WHERE run_id <= CAST(:run AS INTEGER)
 ORDER BY run_id DESC
 LIMIT CAST(coalesce(nullif(:rows, ''), 100) AS INTEGER)
