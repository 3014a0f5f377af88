-- Hand labels against predictions
-- For every hand label: what the run predicts for the same text. Each coder's label counts.
SELECT
    t.language,
    g.label AS by_hand,
    p.label AS predicted,
    count(*) AS labels,
    round(100 * count(*) / sum(count(*)) OVER (PARTITION BY t.language, g.label), 1) AS percent_of_by_hand,
    round(avg(p.confidence), 3) AS mean_confidence
FROM gold g
JOIN predictions p ON p.text_key = g.text_key AND p.run = $run
JOIN (
    SELECT text_key, any_value(coalesce(lang, lang_tag, 'und')) AS language
    FROM tweets SEMI JOIN gold USING (text_key)
    GROUP BY text_key
) t ON t.text_key = g.text_key
WHERE g.task = $task AND g.label IS NOT NULL
GROUP BY t.language, g.label, p.label
ORDER BY language, by_hand, labels DESC, predicted;
