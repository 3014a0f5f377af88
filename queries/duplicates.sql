-- Texts that recur
-- The texts that most posts repeat, from how many authors, and when: campaigns, bots and jokes.
-- $top = 100: how many texts
WITH repeated AS (
    SELECT
        text_key,
        count(*) AS posts,
        count(*) FILTER (WHERE retweet_of IS NOT NULL) AS reposts,
        min(created_at) AS first_seen,
        max(created_at) AS last_seen
    FROM tweets
    WHERE text_key IS NOT NULL
    GROUP BY text_key
    HAVING count(*) > 1
    ORDER BY posts DESC, text_key
    LIMIT $top
)
SELECT
    any_value(r.posts) AS posts,
    any_value(r.reposts) AS marked_as_reposts,
    count(DISTINCT t.author) AS authors,
    any_value(r.first_seen) AS first_seen,
    any_value(r.last_seen) AS last_seen,
    any_value(coalesce(t.lang, t.lang_tag, 'und')) AS language,
    any_value(t.text) AS text
FROM repeated r JOIN tweets t USING (text_key)
GROUP BY r.text_key
ORDER BY posts DESC, r.text_key;
