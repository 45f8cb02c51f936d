-- pairs (country, baseline_set, scenario_set): the newest success of both scenarios by that run in the
-- chosen countries, or in all; needs chosen
known AS MATERIALIZED (SELECT DISTINCT country FROM job_results),
pairs AS MATERIALIZED (
    SELECT country,
           (SELECT result_set_id FROM job_results
             WHERE country = known.country AND scenario = :baseline AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS baseline_set,
           (SELECT result_set_id FROM job_results
             WHERE country = known.country AND scenario = :scenario AND job_status = 'success'
               AND run_id <= (SELECT run_id FROM chosen)
             ORDER BY run_id DESC LIMIT 1) AS scenario_set
      FROM known
     WHERE coalesce(:countries, '') = ''
        OR instr(',' || replace(:countries, ' ', '') || ',', ',' || country || ',') > 0
)
