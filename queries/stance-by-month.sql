-- Stance by month
-- How the posts on topic divide into pro, neutral and anti, month by month (UTC).
-- $part = stance: the task's group of classes; `topic` gives on topic against the rest
SELECT
    strftime(date_trunc('month', created_at), '%Y-%m') AS month,
    class,
    count(*) AS posts,
    round(100 * count(*) / sum(count(*)) OVER (PARTITION BY date_trunc('month', created_at)), 1) AS percent
FROM labelled JOIN classes USING (label)
WHERE part = $part AND created_at IS NOT NULL
GROUP BY date_trunc('month', created_at), class
ORDER BY date_trunc('month', created_at), class;
