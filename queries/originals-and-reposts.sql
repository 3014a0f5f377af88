-- Originals against reposts
-- Whether what is reposted takes another side than what is written.
SELECT
    CASE WHEN retweet_of IS NULL THEN 'original' ELSE 'repost' END AS kind,
    language,
    class,
    count(*) AS posts,
    round(100 * count(*) / sum(count(*)) OVER (PARTITION BY retweet_of IS NULL, language), 1) AS percent
FROM labelled JOIN classes USING (label)
WHERE part = 'stance'
GROUP BY retweet_of IS NULL, kind, language, class
ORDER BY language, kind, class;
