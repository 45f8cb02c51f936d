-- chosen (run_id, until_year, growth, element_id): the state, the last year, 1 + the discount rate, the label.
-- Only what is summed over years is discounted
chosen AS (
    SELECT CAST(coalesce(nullif(:run, ''), (SELECT max(run_id) FROM validation_runs)) AS INTEGER)
               AS run_id,
           CAST(coalesce(nullif(:until, ''), 9999) AS INTEGER) AS until_year,
           CASE WHEN EXISTS (
                   SELECT 1 FROM study_labels
                    WHERE run_id = CAST(coalesce(nullif(:run, ''), (SELECT max(run_id) FROM validation_runs)) AS INTEGER)
                      AND element_label = :label AND over_years NOT IN ('', 'sum'))
               THEN 1.0 ELSE 1 + CAST(coalesce(:discount_rate, 0) AS REAL) END AS growth,
           (SELECT element_id FROM elements WHERE element_label = :label) AS element_id
)
