-- Most reposted, by stance
-- The posts of each stance that were reposted most often within the corpus.
-- $top = 10: posts per stance
WITH reposts AS (
    SELECT retweet_of, class, count(*) AS reposts, count(DISTINCT author) AS authors, min(id) AS one
    FROM (SELECT retweet_of, label, author, id FROM labelled WHERE retweet_of IS NOT NULL)
    JOIN classes USING (label)
    WHERE part = 'stance'
    GROUP BY retweet_of, class
    QUALIFY row_number() OVER (PARTITION BY class ORDER BY reposts DESC, retweet_of) <= $top
)
SELECT
    r.class,
    r.reposts,
    r.authors AS by_authors,
    coalesce(t.lang, t.lang_tag, 'und') AS language,
    r.retweet_of AS id,
    t.text
FROM reposts r JOIN tweets t ON t.id = r.one
ORDER BY r.class, r.reposts DESC, r.retweet_of;
