-- Where the platform's tag and the detected language differ
-- Pairs of tag and detected language that differ, with an example of the surest; the tag is not the truth, nor is the detector.
-- $least = 10: pairs with fewer posts are left out
SELECT
    lang_tag AS tag,
    lang AS detected,
    count(*) AS posts,
    round(avg(lang_confidence), 3) AS mean_confidence,
    arg_max(text, lang_confidence) AS example
FROM tweets
WHERE lang IS NOT NULL AND lang_tag IS NOT NULL AND lang <> lang_tag
GROUP BY lang_tag, lang
HAVING count(*) >= $least
ORDER BY posts DESC, tag, detected;
