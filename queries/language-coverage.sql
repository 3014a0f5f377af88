-- Coverage of languages
-- What there is of each language: posts, distinct texts, how surely it was detected, whether the platform's tag agrees, and hand labels.
WITH coded AS (
    SELECT DISTINCT text_key FROM gold WHERE label IS NOT NULL
)
SELECT
    coalesce(lang, lang_tag, 'und') AS language,
    count(*) AS posts,
    count(DISTINCT t.text_key) AS texts,
    round(100 * count(lang) / count(*), 1) AS percent_detected,
    round(avg(lang_confidence), 3) AS mean_confidence,
    round(100 * count(*) FILTER (WHERE lang = lang_tag)
        / nullif(count(*) FILTER (WHERE lang IS NOT NULL AND lang_tag <> 'und'), 0), 1) AS percent_tag_agrees,
    count(c.text_key) AS posts_with_hand_label,
    min(created_at)::DATE AS first_day,
    max(created_at)::DATE AS last_day
FROM tweets t LEFT JOIN coded c ON c.text_key = t.text_key
GROUP BY ALL
ORDER BY posts DESC, language;
