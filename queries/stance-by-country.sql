-- Stance by country
-- How the posts on topic divide into pro, neutral and anti, for the countries with most of them, and how their place is known.
-- $least = 100: countries with fewer posts on topic are left out
SELECT
    country,
    class,
    count(*) AS posts,
    round(100 * count(*) / sum(count(*)) OVER (PARTITION BY country), 1) AS percent,
    mode(place_source) AS place_mostly_from
FROM labelled JOIN classes USING (label)
WHERE part = 'stance' AND country IS NOT NULL
GROUP BY country, class
QUALIFY sum(count(*)) OVER (PARTITION BY country) >= $least
ORDER BY sum(count(*)) OVER (PARTITION BY country) DESC, country, class;
