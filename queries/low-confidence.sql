-- Tweets to check by hand
-- Distinct texts that the model was least sure of, and how many posts hang on each.
-- $below = 0.6: only texts with less confidence than this
-- $rows = 200: how many
WITH unsure AS (
    SELECT text_key, label, confidence
    FROM predictions
    WHERE run = $run AND confidence < $below
    ORDER BY confidence, text_key
    LIMIT $rows
)
SELECT
    round(u.confidence, 3) AS confidence,
    u.label,
    any_value(coalesce(t.lang, t.lang_tag, 'und')) AS language,
    count(*) AS posts,
    min(t.id) AS id,
    any_value(t.text) AS text
FROM unsure u JOIN tweets t USING (text_key)
GROUP BY u.text_key, u.confidence, u.label
ORDER BY u.confidence, u.text_key;
