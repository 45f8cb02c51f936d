-- numbers (series, period, element_id, low_set, high_set, timestamp_year, low, high): the values of
-- yearly, a series for each country, all years in one period; needs chosen, pairs and yearly
numbers AS NOT MATERIALIZED (
    SELECT country AS series, NULL AS period, element_id, baseline_set AS low_set,
           scenario_set AS high_set, timestamp_year, baseline_value AS low, scenario_value AS high
      FROM chosen CROSS JOIN yearly CROSS JOIN pairs USING (country)
)
