-- Top hashtags of each stance
-- The hashtags that most posts of each stance carry, and what share of all posts with the hashtag is of that stance.
-- $top = 15: hashtags per stance
WITH texts AS (
    SELECT text_key, class, any_value(text) AS text, count(*) AS posts
    FROM labelled JOIN classes USING (label)
    WHERE part = 'stance' AND contains(text, '#')
    GROUP BY text_key, class
),
tagged AS (
    SELECT
        class,
        unnest(list_distinct(regexp_extract_all(lower(text), '#([\p{L}\p{M}\p{N}_]+)', 1))) AS hashtag,
        posts
    FROM texts
),
counted AS (
    SELECT class, hashtag, sum(posts)::BIGINT AS posts FROM tagged GROUP BY class, hashtag
)
SELECT
    class,
    hashtag,
    posts,
    round(100 * posts / sum(posts) OVER (PARTITION BY hashtag), 1) AS percent_of_hashtag
FROM counted
QUALIFY row_number() OVER (PARTITION BY class ORDER BY posts DESC, hashtag) <= $top
ORDER BY class, posts DESC, hashtag;
