-- Stance by language
-- How the posts on topic divide into pro, neutral and anti, language by language.
-- $part = stance: the task's group of classes; `topic` gives on topic against the rest
SELECT
    language,
    class,
    count(*) AS posts,
    round(100 * count(*) / sum(count(*)) OVER (PARTITION BY language), 1) AS percent,
    sum(count(*)) OVER (PARTITION BY language)::BIGINT AS posts_of_language
FROM labelled JOIN classes USING (label)
WHERE part = $part
GROUP BY language, class
ORDER BY posts_of_language DESC, language, class;
