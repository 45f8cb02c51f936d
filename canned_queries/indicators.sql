/*
---
title: What do the scenarios come to, by the indicators of the study?
description: >-
  An indicator of ingest.toml under every scenario, for each country or group: labels added over the
  years to its horizons, or what a scenario averts or gains against the baseline. A group's number is the
  sum of its countries; a ratio is the ratio of sums.
topic: Compare
unit: the indicator's own
answer: |-
  {% set known = rows | selectattr("value", "ne", none) | list -%}
  {% if known -%}
  {% set high, low = highest("value"), lowest("value") -%}
  {{ indicator }}{{ " until " ~ high.until_year if high.until_year }} is highest
  {{ "in " ~ high["group"] ~ " " if high["group"] != "all together" }}under {{ high.scenario }}:
  {{ high.value | quantity }} {{ high.unit }}
  {%- if low is not sameas high %}; it is lowest
  {{ "in " ~ low["group"] ~ " " if low["group"] != "all together" }}under {{ low.scenario }}: {{ low.value | quantity }}{% endif %}.
  {%- if high.countries != high.of_countries %} It is of {{ high.countries }} of {{ high.of_countries | count("country|countries") }}.{% endif %}
  {%- else -%}
  {{ rows[0].note }}
  {%- endif %}
empty: |-
  The study has no indicators yet. Write some in ingest.toml, headed [[indicators]]; the next ingest run
  brings them here.
parameters:
  run:
  baseline:
  indicator:
    title: Indicator
    options: &indicators |-
      SELECT json_extract(value, '$.name') AS name
        FROM study_settings, json_each(content) WHERE section = 'indicators'
    default_text: the first of the study
    default: |-
      SELECT coalesce((SELECT json_extract(content, '$[0].name') FROM study_settings
                        WHERE section = 'indicators'), '')
  group_1:
    title: Group by
    options: |-
      SELECT '', 'all together' UNION ALL SELECT 'country', 'country'
      UNION ALL SELECT name, replace(name, '_', ' ') FROM pragma_table_info('countries')
       WHERE name NOT IN ('iso3', 'name')
    default: ""
  scenario:
    use: any_scenario
  countries:
  until:
    title: Up to the year
    type: year
    default_text: the indicator's last horizon; all years where it has none
    default: |-
      SELECT coalesce((SELECT json_extract(value, '$.until[#-1]')
                         FROM study_settings, json_each(content)
                        WHERE section = 'indicators'
                          AND json_extract(value, '$.name') = :indicator), '')
columns:
  indicator: its name
  until_year: last year that counts; null for all years
  group: the country or group; all together where nothing was asked for
  scenario: name of the scenario
  value: the number; null where there is none
  unit: its unit
  countries: how many countries are in the number
  of_countries: how many countries the group has
  note: why there is no number, or what to know of it
  first_year: first year that counts
  last_year: last year that counts
  bar: "for the chart: the group, where there are several, and the scenario"
chart:
  mark: bar
  x: value
  y: bar
  color: scenario
---
*/
SELECT json_extract(value, '$.indicator') AS indicator,
       json_extract(value, '$.until_year') AS until_year,
       coalesce(nullif(json_extract(value, '$.group'), ''), 'all together') AS "group",
       json_extract(value, '$.scenario') AS scenario,
       json_extract(value, '$.value') AS value,
       json_extract(value, '$.unit') AS unit,
       json_extract(value, '$.countries') AS countries,
       json_extract(value, '$.of_countries') AS of_countries,
       json_extract(value, '$.note') AS note,
       json_extract(value, '$.first_year') AS first_year,
       json_extract(value, '$.last_year') AS last_year,
       coalesce(nullif(json_extract(value, '$.group'), '') || ', ', '')
           || json_extract(value, '$.scenario') AS bar
  FROM json_each(indicator_rows(:run, :baseline, :indicator, :group_1, :countries, :until))
 WHERE coalesce(:scenario, '') = '' OR :scenario = json_extract(value, '$.scenario')
 ORDER BY key
