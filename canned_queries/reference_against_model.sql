/*
---
title: How does the model compare with published figures?
description: >-
  The impact of a scenario (its difference to the baseline, summed over the years that both have, or
  what the label has in place of a sum) in each country, beside the figure of a loaded reference table.
  Every country of the table: one that the results lack has no model value.
topic: Compare
unit: the label's own, over years
answer: |-
  {% set both = rows | rejectattr("model_value", "none") | list -%}
  {% set published = both | sum(attribute="reference_value") -%}
  {% if both -%}
  In {{ both | length | thousands }} of the {{ rows | length | count("country|countries") }} of
  {{ reference }}, the model gives {{ total("model_value") | quantity }} {{ label }} where {{ reference }} has
  {{ published | quantity }}: {{ share(total("model_value"), published) | times }} as much.
  {%- if both | length < rows | length %} The results have no
  {% for row in rows if row.model_value is none %}{{ row.name }}{{ ", " if not loop.last }}{% endfor %}.
  {%- endif %}
  {%- else -%}
  {{ reference }} and the results of {{ scenario }} have no country in common for {{ label }}. Choose
  another scenario or label.
  {%- endif %}
empty: |-
  {% if reference -%}
  {{ reference }} and the results of {{ scenario }} have no country in common for {{ label }}. Choose
  another scenario or label.
  {%- else -%}
  No published figures are loaded yet. Load some with: ingest reference load FILE --name NAME
  {%- endif %}
parameters:
  run:
  reference:
    title: Published figures
    options: SELECT DISTINCT reference, reference FROM reference_values ORDER BY reference
    default_text: the first one by name
    default: SELECT min(reference) FROM reference_values
  baseline:
    use: baseline
    default_text: the one of the published figures, else study.baseline, null, baseline or the first scenario
    default: |-
      SELECT scenario FROM (
          SELECT baseline AS scenario, 0 AS place FROM reference_facts
           WHERE reference = :reference AND kind = 'difference' AND baseline <> ''
          UNION SELECT scenario, 1 + (scenario NOT IN present_scenarios) * 8
                + (scenario <> coalesce((SELECT json_extract(content, '$') FROM study_settings
                                          WHERE section = 'baseline'), '')) * 4
                + (scenario <> 'null') * 2 + (scenario <> 'baseline')
            FROM (SELECT DISTINCT scenario FROM (SELECT DISTINCT country, scenario FROM job_results)))
       ORDER BY place, scenario LIMIT 1
  scenario:
    use: scenario
    default_text: the first one with published figures
    default: |-
      SELECT scenario FROM reference_values WHERE reference = :reference
       ORDER BY scenario NOT IN (SELECT scenario FROM (SELECT DISTINCT country, scenario FROM job_results)), scenario LIMIT 1
  label:
    use: label
    default_text: the first one with published figures
    default: |-
      SELECT element_label FROM reference_values
       WHERE reference = :reference AND scenario = :scenario ORDER BY element_label LIMIT 1
  countries:
  until:
    use: until
    default_text: the one of the published figures
    default: |-
      SELECT until_year FROM reference_facts
       WHERE reference = :reference AND element_label = :label AND kind = 'difference'
  discount_rate:
    use: discount_rate
    default_text: the one of the published figures, else 0%
    default: |-
      SELECT CASE WHEN :label IN (SELECT element_label FROM labels WHERE over_years NOT IN ('', 'sum'))
                  THEN '0%' ELSE printf('%.6g%%', 100 * discount_rate) END FROM reference_facts
       WHERE reference = :reference AND element_label = :label AND kind = 'difference'
         AND discount_rate IS NOT NULL
  base_year:
    use: base_year
    default_text: the one of the published figures
    default: |-
      SELECT base_year FROM reference_facts
       WHERE reference = :reference AND element_label = :label AND kind = 'difference'
columns:
  country: ISO3 code of each country that the publication has
  name: name of the country
  model_value: >-
    difference between scenario and baseline in the model, over the years; null where the results lack
    the country
  reference_value: the published figure
  ratio: model_value / reference_value
  first_year: first year that counts
  last_year: last year that counts
charts:
  Chart:
    mark: point
    x: reference_value
    y: model_value
    name: name
  Ratio:
    mark: bar
    measure: model / published
    x: ratio
    y: name
---
*/
WITH RECURSIVE
-- include: chosen, pairs, yearly, numbers, adding_up,
summed AS (
    SELECT series AS country, high - low AS model_value, first_year, last_year FROM added
)
SELECT published.country, coalesce(countries.name, published.country) AS name, model_value,
       published.value AS reference_value,
       model_value / nullif(published.value, 0) AS ratio,
       first_year, last_year
  FROM reference_values AS published
  LEFT JOIN summed ON summed.country = published.country
  LEFT JOIN countries ON countries.iso3 = published.country
 WHERE reference = :reference AND scenario = :scenario AND element_label = :label
   AND (coalesce(:countries, '') = ''
        OR instr(',' || replace(:countries, ' ', '') || ',', ',' || published.country || ',') > 0)
 ORDER BY published.country
