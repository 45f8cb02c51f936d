/*
---
title: Which data-quality rules does a run break?
description: >-
  What the study's data-quality rules found in a run: negative values, parts that do not add up, gaps,
  jumps, outliers. Rules look at what a run touched; `ingest check --results` looks at everything.
topic: Data
unit: each label's own
answer: |-
  {% set rules = rows | tally("rule") -%}
  {{ rows | length | count("finding") }} in {{ run }}: {% for rule, findings in rules[:3] -%}
  {{ rule }} ({{ findings | thousands }}){{ ", " if not loop.last }}{% endfor %}
  {%- if rules | length > 3 %} and {{ (rules | length - 3) | count("more rule|more rules") }}{% endif %}.
empty: |-
  No rule was broken in {{ run }}. Rules are set in ingest.toml under [[rules]]; check the whole state with:
  ingest check --results
parameters:
  run:
    use: run
    title: Run
    default_text: the newest run with findings
    default: |-
      SELECT coalesce((SELECT max(run_id) FROM quality_findings),
                      max(run_id) FILTER (WHERE status <> 'running'), max(run_id))
        FROM validation_runs
  severity:
    title: Severity
    options: |-
      SELECT '' AS severity, 'errors and warnings' AS label
      UNION ALL SELECT 'error', 'errors' UNION ALL SELECT 'warning', 'warnings'
    default: ""
columns:
  run_id: the run
  severity: error or warning
  rule: name of the rule
  country: ISO3 code
  name: name of the country
  scenario: name of the scenario
  element_label: label
  timestamp_year: calendar year
  value: the value that breaks the rule
  message: what is wrong
chart:
  mark: bar
  measure: number of findings
  x: count()
  y: rule
---
*/
SELECT run_id, severity, rule, country, coalesce(nullif(countries.name, ''), country) AS name,
       scenario, element_label, timestamp_year, value, message
  FROM quality_findings LEFT JOIN countries ON countries.iso3 = country
 WHERE run_id = CAST(:run AS INTEGER)
   AND (:severity = '' OR severity = :severity)
 ORDER BY severity, rule, country, scenario, element_label, timestamp_year
