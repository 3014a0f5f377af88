-- The loudest authors
-- Who posts most on topic, how much of it repeats itself, which stance prevails and how strongly.
-- $top = 50: how many authors
WITH stances AS (
    SELECT author, class, count(*) AS posts, count(*) FILTER (WHERE retweet_of IS NOT NULL) AS reposts
    FROM labelled JOIN classes USING (label)
    WHERE part = 'stance' AND author IS NOT NULL
    GROUP BY author, class
)
SELECT
    author,
    sum(posts)::BIGINT AS posts_on_topic,
    round(100 * sum(posts) / sum(sum(posts)) OVER (), 3) AS percent_of_all,
    round(100 * sum(reposts) / sum(posts), 1) AS percent_reposts,
    arg_max(class, posts) AS mostly,
    round(100 * max(posts) / sum(posts), 1) AS percent_mostly
FROM stances
GROUP BY author
ORDER BY posts_on_topic DESC, author
LIMIT $top;
