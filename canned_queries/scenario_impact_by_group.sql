/*
---
title: What does a scenario change in each group of countries?
description: >-
  One label under two scenarios, with difference and percent: summed over the years that both scenarios
  have and over the countries of each group, or what the label has in place of a sum. Groups are a column
  of the countries table, "country", "year", or nothing (all together); up to three of them nest.
  Countries that have both scenarios.
topic: Compare
unit: the label's own, over years
answer: |-
  {% set by_year = "year" in (group_1, group_2, group_3) -%}
  {% set known = rows | selectattr("difference", "ne", none) | list -%}
  {% if not known -%}
  {{ label }} does not add up over countries. Group by country, or say in ingest.toml how it adds up:
  [labels."{{ label }}"] over_countries.
  {%- elif rows | length == 1 or (adds_countries and (adds_years or not by_year)) -%}
  {{ change(total("difference")) }}{{ percent_of(total("difference"), total("baseline_value")) }} in all
  groups together
  {{- ", " ~ over_years(lowest("first_year").first_year, highest("last_year").last_year) }}
  {{- over_countries }}. {{ (spread if by_year else extremes)(("group_1", "group_2", "group_3"), "difference") }}
  {%- else -%}
  {{ label }} {{ over_years(lowest("first_year").first_year, highest("last_year").last_year, by_year) }} under
  {{ scenario }}, against {{ baseline }}{{ over_countries }}.
  {{ (spread if by_year else extremes)(("group_1", "group_2", "group_3"), "difference") }}
  {%- endif %}
  {%- if rows | map(attribute="group_1") | unique | list == ["(none)"] %} The {{ group_1 }} of no country is known: groups are
  text fields of the countries file, or columns of a CSV file that study.groups names.{% endif %}
empty: |-
  No country has {{ label }} under both {{ baseline }} and {{ scenario }} in this state. Choose another
  label or run, or look at the missing combinations.
parameters:
  run:
  baseline:
  scenario:
  label:
  group_1:
    title: Group by
    options: |-
      SELECT '', 'all together' UNION ALL SELECT 'year', 'year' UNION ALL SELECT 'country', 'country'
      UNION ALL SELECT name, replace(name, '_', ' ') FROM pragma_table_info('countries')
       WHERE name NOT IN ('iso3', 'name')
    default: "region"
  group_2: &within
    title: Group by, within that
    options: |-
      SELECT '', 'nothing more' UNION ALL SELECT 'year', 'year' UNION ALL SELECT 'country', 'country'
      UNION ALL SELECT name, replace(name, '_', ' ') FROM pragma_table_info('countries')
       WHERE name NOT IN ('iso3', 'name')
    default: ""
  group_3: *within
  countries:
  until:
  discount_rate:
  base_year:
columns:
  group_1: the group; "(none)" for countries without one, null where nothing was asked for
  group_2: the group within it
  group_3: the group within that
  countries: number of countries
  baseline_value: the label's value under the baseline scenario, over years and countries; null where it does not add up
  scenario_value: the same under the scenario
  difference: scenario_value - baseline_value
  percent: difference as a percentage of |baseline_value|; null where that is 0
  first_year: first year that counts
  last_year: last year that counts
chart:
  mark: bar
  x: difference
  y: group_1
  color: group_2
---
*/
WITH RECURSIVE
-- include: chosen, pairs, yearly,
numbers AS NOT MATERIALIZED (
    SELECT country AS series,
           CASE WHEN 'year' IN (:group_1, :group_2, :group_3) THEN timestamp_year END AS period,
           element_id, baseline_set AS low_set, scenario_set AS high_set, timestamp_year,
           baseline_value AS low, scenario_value AS high
      FROM chosen CROSS JOIN yearly CROSS JOIN pairs USING (country)
),
-- include: adding_up,
-- the groups that countries had at that run; the latest ones where it did not keep them
listed AS MATERIALIZED (
    SELECT country, details FROM study_countries
     WHERE run_id = (SELECT run_id FROM chosen) AND details IS NOT NULL
),
memberships (country, grouping, value) AS (
    SELECT country, fact.key, nullif(fact.value, '') FROM listed, json_each(details) AS fact
     UNION ALL SELECT * FROM (
    -- `ingest` fills in the columns that a study adds
    /* groups */
    SELECT iso3 AS country, 'region', "region" FROM countries
    UNION ALL SELECT iso3, 'income_group', "income_group" FROM countries
    /* end groups */
    ) WHERE country NOT IN (SELECT country FROM listed)
),
placed AS MATERIALIZED (
    SELECT country, max(CASE grouping WHEN :group_1 THEN value END) AS value_1,
           max(CASE grouping WHEN :group_2 THEN value END) AS value_2,
           max(CASE grouping WHEN :group_3 THEN value END) AS value_3
      FROM memberships WHERE grouping IN (:group_1, :group_2, :group_3) GROUP BY country
),
grouped AS (
    SELECT
           CASE :group_1 WHEN '' THEN NULL WHEN 'year' THEN period
               WHEN 'country' THEN series ELSE coalesce(value_1, '(none)') END AS group_1,
           CASE :group_2 WHEN '' THEN NULL WHEN 'year' THEN period
               WHEN 'country' THEN series ELSE coalesce(value_2, '(none)') END AS group_2,
           CASE :group_3 WHEN '' THEN NULL WHEN 'year' THEN period
               WHEN 'country' THEN series ELSE coalesce(value_3, '(none)') END AS group_3,
           added.*
      FROM added LEFT JOIN placed ON placed.country = series
),
summed AS (
    SELECT group_1, group_2, group_3, count(DISTINCT series) AS countries,
           CASE WHEN over_countries = 'sum' OR count(*) = 1 THEN sum(low)
               WHEN over_countries <> 'none' AND count(low_weight) = count(*)
               THEN sum(low * low_weight) / sum(low_weight) END AS baseline_value,
           CASE WHEN over_countries = 'sum' OR count(*) = 1 THEN sum(high)
               WHEN over_countries <> 'none' AND count(high_weight) = count(*)
               THEN sum(high * high_weight) / sum(high_weight) END AS scenario_value,
           min(first_year) AS first_year, max(last_year) AS last_year
      FROM (SELECT * FROM grouped ORDER BY series, period)
     GROUP BY group_1, group_2, group_3
)
SELECT group_1, group_2, group_3, countries, baseline_value, scenario_value,
       scenario_value - baseline_value AS difference,
       100 * (scenario_value - baseline_value) / nullif(abs(baseline_value), 0) AS percent,
       first_year, last_year
  FROM summed
 ORDER BY group_1, group_2, group_3
