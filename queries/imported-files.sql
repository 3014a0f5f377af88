-- What came from which file
-- Every import: what was read, added, changed and rejected, and how many of the corpus's rows are from it now.
SELECT
    i.id AS import,
    i.file,
    i.mapping,
    i.imported_at,
    i.rows,
    i.added,
    i.changed,
    i.rejected,
    coalesce(t.posts, 0) AS rows_now
FROM imports i
LEFT JOIN (SELECT source, count(*) AS posts FROM tweets GROUP BY source) t ON t.source = i.id
ORDER BY i.id;
