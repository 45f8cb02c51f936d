/*
---
title: Which combinations have no result?
description: >-
  Countries and scenarios of the study that never succeeded up to a run, with what happened to them
  last. Countries and scenarios of the newest run's study, and those that have results.
topic: Runs
unit: combinations
answer: |-
  {{ rows | length | count("combination") }} of country and scenario
  {{- " has" if rows | length == 1 else " have" }} no result as of {{ run }}:
  {{ rows | selectattr("last_run", "none") | list | length }} never ran,
  {{ rows | selectattr("last_run", "ne", none) | list | length }} failed.
empty: |-
  Nothing is missing: every country has a result for every scenario as of {{ run }}.
parameters:
  run:
  scenario:
    use: any_scenario
columns:
  country: ISO3 code
  name: name of the country
  scenario: name of the scenario
  last_run: newest run that tried it; null where none did
  last_status: what it came to
  error_kind: kind of error
  error: what happened
chart:
  mark: bar
  measure: number of combinations
  x: count()
  y: scenario
---
*/
WITH every_country AS (
    SELECT DISTINCT country FROM study_countries WHERE run_id = CAST(:run AS INTEGER)
),
every_scenario AS (
    SELECT DISTINCT scenario FROM study_scenarios WHERE run_id = CAST(:run AS INTEGER)
),
missing AS (
    SELECT country, scenario,
           (SELECT max(run_id) FROM job_results
             WHERE job_results.country = every_country.country
               AND job_results.scenario = every_scenario.scenario
               AND run_id <= CAST(:run AS INTEGER)) AS last_run
      FROM every_country CROSS JOIN every_scenario
     WHERE (:scenario = '' OR scenario = :scenario)
       -- the newest success is found at once, being the first one looked at as a rule
       AND NOT EXISTS (
           SELECT 1 FROM job_results
            WHERE job_results.country = every_country.country
              AND job_results.scenario = every_scenario.scenario
              AND run_id <= CAST(:run AS INTEGER) AND job_status = 'success')
)
SELECT missing.country, coalesce(nullif(countries.name, ''), missing.country) AS name,
       missing.scenario, last_run, job_status AS last_status, error_kind, error
  FROM missing
  LEFT JOIN job_results
    ON job_results.run_id = last_run AND job_results.country = missing.country
   AND job_results.scenario = missing.scenario
  LEFT JOIN countries ON countries.iso3 = missing.country
 ORDER BY missing.country, missing.scenario
