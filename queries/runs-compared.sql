-- Runs compared
-- For each pair of runs of one task: on how many texts they agree, and how sure they are where they differ.
SELECT
    a.run AS first_run,
    b.run AS second_run,
    count(*) AS texts_in_both,
    round(100 * count(*) FILTER (WHERE a.label = b.label) / count(*), 2) AS percent_same_label,
    round(avg(a.confidence) FILTER (WHERE a.label <> b.label), 3) AS first_confidence_where_different,
    round(avg(b.confidence) FILTER (WHERE a.label <> b.label), 3) AS second_confidence_where_different
FROM predictions a
JOIN predictions b ON b.text_key = a.text_key AND b.run > a.run
JOIN runs ra ON ra.id = a.run
JOIN runs rb ON rb.id = b.run AND rb.task_hash = ra.task_hash
GROUP BY a.run, b.run
ORDER BY a.run, b.run;
