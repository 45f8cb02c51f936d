/*
---
title: How well does the model fit observed or published levels?
description: >-
  Each loaded level (an observed or published value of a label in a country and year, perhaps with an
  interval) beside the result of the same country and year. Every level has a row: one that the results
  lack has no model value.
topic: Compare
unit: the label's own
answer: |-
  {% set fit = fit() -%}
  {% if fit.figures -%}
  Over {{ fit.figures | count("figure") }} of {{ reference }}, {{ label }} of {{ scenario }} is on average
  {{ fit.bias | higher }}
  {%- if fit.bias and fit.relative_bias is not none %} (mean of the relative errors
  {{ fit.relative_bias | percent }}){% endif %}; root mean square error {{ fit.rmse | quantity }}.
  {%- if fit.with_interval %} {{ fit.inside | thousands }} of
  {{ fit.with_interval | thousands }} with an interval {{ "lies" if fit.inside == 1 else "lie" }} inside it
  ({{ "%.0f" | format(100 * fit.inside_share) }} %).{% endif %}
  {%- else -%}
  The results of {{ scenario }} have no {{ label }} in the countries and years of {{ reference }}. Choose
  another scenario or label.
  {%- endif %}
  {%- if fit.figures and fit.lacking %} The results lack {{ fit.lacking | count("figure") }}:
  {% set lacking = rows | selectattr("model_value", "none") | list -%}
  {% for row in lacking[:5] %}{{ row.name }} {{ row.timestamp_year }}{{ ", " if not loop.last }}{% endfor -%}
  {{ " and " ~ ((fit.lacking - 5) | thousands) ~ " more" if fit.lacking > 5 }}.
  {%- endif %}
empty: |-
  {% if reference -%}
  {{ reference }} has no such level of {{ label }} for {{ scenario }}. Choose something else above.
  {%- else -%}
  No levels are loaded yet. Load some with: ingest reference load FILE --name NAME
  {%- endif %}
parameters:
  run:
  reference:
    title: Published levels
    options: SELECT DISTINCT reference, reference FROM reference_levels ORDER BY reference
    default_text: the first one by name
    default: SELECT min(reference) FROM reference_levels
  label:
    use: label
    default_text: the first one with levels
    default: |-
      SELECT element_label FROM reference_levels WHERE reference = :reference
       ORDER BY element_label LIMIT 1
  scenario:
    use: scenario
    default_text: the one of the levels, else study.baseline, null or baseline
    default: |-
      SELECT scenario FROM (
          SELECT scenario, 0 AS place FROM reference_levels
           WHERE reference = :reference AND element_label = :label AND scenario <> ''
          UNION SELECT baseline, 1 FROM reference_facts
           WHERE reference = :reference AND element_label = :label AND kind = 'level'
             AND baseline <> ''
          UNION SELECT scenario, 2 + (scenario <> coalesce((SELECT json_extract(content, '$')
                FROM study_settings WHERE section = 'baseline'), '')) * 4
                + (scenario <> 'null') * 2 + (scenario <> 'baseline') FROM present_scenarios)
       ORDER BY place, scenario LIMIT 1
  group:
    title: Group
    options: |-
      SELECT '' AS name, 'every group' AS label UNION ALL SELECT * FROM (
          SELECT region, region FROM countries WHERE region <> ''
          UNION SELECT income_group, income_group FROM countries WHERE income_group <> '')
    default: ""
  countries:
  since:
    title: From the year
    type: year
    default_text: all years of up to 500 levels, else the last one that the results reach
    default: |-
      SELECT CASE WHEN count(*) > 500 THEN max(timestamp_year) FILTER (
                  WHERE timestamp_year <= (SELECT max(last_year) FROM result_sets)) ELSE '' END
        FROM reference_levels
       WHERE reference = :reference AND element_label = :label AND scenario IN ('', :scenario)
  until:
  consistent:
columns:
  country: ISO3 code
  name: name of the country
  timestamp_year: calendar year
  reference_value: the published level
  low: lower end of its interval; null where it has none
  high: upper end of its interval
  model_value: the result of this country and year; null where there is none
  difference: model_value - reference_value
  percent: difference as a percentage of |reference_value|; null where that is 0
  interval: whether the result is inside, below or above the interval
  source: where the level is from, as its file says it
charts:
  Chart:
    mark: point
    x: reference_value
    y: model_value
    low: low
    high: high
    name: [name, timestamp_year]
---
*/
WITH chosen AS (
    SELECT CAST(coalesce(nullif(:run, ''), (SELECT max(run_id) FROM validation_runs)) AS INTEGER)
               AS run_id,
           (SELECT element_id FROM elements WHERE element_label = :label) AS element_id
),
current AS MATERIALIZED (
    SELECT input_set_id FROM current_inputs WHERE run_id = (SELECT run_id FROM chosen)
),
published AS MATERIALIZED (
    SELECT * FROM reference_levels
     WHERE reference = :reference AND element_label = :label AND scenario IN ('', :scenario)
       AND (coalesce(:since, '') = '' OR timestamp_year >= CAST(:since AS INTEGER))
       AND (coalesce(:until, '') = '' OR timestamp_year <= CAST(:until AS INTEGER))
       AND (coalesce(:countries, '') = ''
            OR instr(',' || replace(:countries, ' ', '') || ',', ',' || country || ',') > 0)
       AND (coalesce(:group, '') = '' OR country IN (
            SELECT iso3 FROM countries WHERE region = :group OR income_group = :group))
),
-- the newest success of each country by that run, of the countries that the study had
state AS MATERIALIZED (
    SELECT country,
           (SELECT CASE WHEN coalesce(:consistent, '') = '' OR input_set_id IN current
                    THEN result_set_id END FROM job_results
             WHERE country = known.country AND scenario = :scenario AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS result_set_id
      FROM (SELECT DISTINCT country FROM published) AS known
     WHERE country IN (SELECT country FROM study_countries
                        WHERE run_id = (SELECT run_id FROM chosen))
),
both AS (
    SELECT published.*,
           (SELECT model.value FROM metric_values AS model
             WHERE model.result_set_id = state.result_set_id
               AND model.element_id = (SELECT element_id FROM chosen)
               AND model.timestamp_year = published.timestamp_year) AS model_value
      FROM published LEFT JOIN state USING (country)
)
SELECT both.country, coalesce(countries.name, both.country) AS name, timestamp_year,
       both.value AS reference_value, low, high, model_value,
       model_value - both.value AS difference,
       100 * (model_value - both.value) / nullif(abs(both.value), 0) AS percent,
       CASE WHEN model_value < low THEN 'below' WHEN model_value > high THEN 'above'
            WHEN low IS NOT NULL AND model_value IS NOT NULL THEN 'inside' END AS interval,
       source
  FROM both LEFT JOIN countries ON countries.iso3 = both.country
 ORDER BY both.country, timestamp_year
