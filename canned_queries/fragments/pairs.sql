-- pairs (country, baseline_set, scenario_set): the newest success of both scenarios by that run in the
-- chosen countries, or in all of the study; with :consistent only those of the inputs that the study had at
-- that run; needs chosen
current AS MATERIALIZED (
    SELECT input_set_id FROM current_inputs WHERE run_id = (SELECT run_id FROM chosen)
),
known AS MATERIALIZED (
    SELECT DISTINCT country FROM study_countries
     WHERE run_id = (SELECT run_id FROM chosen) AND coalesce(:countries, '') = ''
     UNION SELECT country FROM (SELECT DISTINCT country FROM job_results) WHERE :countries <> ''
),
pairs AS MATERIALIZED (
    SELECT country,
           (SELECT CASE WHEN coalesce(:consistent, '') = '' OR input_set_id IN current
                    THEN result_set_id END FROM job_results
             WHERE country = known.country AND scenario = :baseline AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS baseline_set,
           (SELECT CASE WHEN coalesce(:consistent, '') = '' OR input_set_id IN current
                    THEN result_set_id END FROM job_results
             WHERE country = known.country AND scenario = :scenario AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS scenario_set
      FROM known
     WHERE coalesce(:countries, '') = ''
        OR instr(',' || replace(:countries, ' ', '') || ',', ',' || country || ',') > 0
)
