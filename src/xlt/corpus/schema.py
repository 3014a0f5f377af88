"""The tables of a corpus file, and the migrations that bring an older file up to them.

No primary keys and no indexes: at 10M rows they make an import four times and a merge sixteen times slower. Rows stay
unique because every writer uses MERGE or an anti-join inside one transaction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VERSION = 3

TABLES = """
CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL);

CREATE TABLE tweets (
    id VARCHAR NOT NULL,             -- the platform's own id, as text
    platform VARCHAR NOT NULL,       -- x, bluesky, mastodon, reddit, telegram, table …
    text VARCHAR,                    -- the author's own words; of a retweet the full text of the post it refers to
    text_key UUID,                   -- what the words are known by (`words_key`); null where there are no own words
    quoted_text VARCHAR,             -- what a quote refers to, apart from the own words
    created_at TIMESTAMP,            -- UTC
    lang_tag VARCHAR,                -- the platform's tag, canonical code (languages.canonical), or und
    lang VARCHAR,                    -- detected; null until `detect` has run
    lang_confidence FLOAT,
    author VARCHAR,                  -- keyed hash unless handles are kept
    conversation VARCHAR,
    reply_to VARCHAR,
    retweet_of VARCHAR,
    quote_of VARCHAR,
    country VARCHAR,                 -- ISO 3166-1 alpha-2 where it can be known
    place VARCHAR,
    place_source VARCHAR,            -- place, coordinates or profile
    latitude DOUBLE,
    longitude DOUBLE,
    likes BIGINT,
    reposts BIGINT,
    replies BIGINT,
    quotes BIGINT,
    url VARCHAR,
    extra JSON,                      -- columns that the mapping keeps but xlt has no name for
    source INTEGER NOT NULL          -- imports.id of the file that this version of the row came from
);

CREATE TABLE imports (
    id INTEGER NOT NULL,
    file VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    mapping VARCHAR NOT NULL,
    imported_at TIMESTAMP NOT NULL,
    rows BIGINT NOT NULL,
    added BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    xlt VARCHAR NOT NULL
);

CREATE TABLE forgotten (
    mark VARCHAR NOT NULL,           -- keyed hash of platform and id: an erased post must not come back with its file
    erased_at TIMESTAMP NOT NULL
);

CREATE TABLE gold (
    text_key UUID NOT NULL,
    tweet_id VARCHAR,
    task VARCHAR NOT NULL,
    label VARCHAR,                   -- null: uncodable or skipped, with the reason in `note`
    coder VARCHAR NOT NULL,
    coded_at TIMESTAMP NOT NULL,
    codebook VARCHAR,                -- hash of the codebook that the coder went by
    draw VARCHAR,                    -- how the tweet was drawn; null for labels that came with the data
    note VARCHAR,
    role VARCHAR,                    -- coder or adjudicator, whose row settles what coders disagree on; null: coder
    coded_from VARCHAR,              -- original or translation; null where nobody said
    competence VARCHAR,              -- how well the coder reads the tweet's language; null where nobody said
    blind BOOLEAN                    -- whether the model's label was hidden; null where nobody said
);

CREATE TABLE runs (
    id VARCHAR NOT NULL,             -- the run folder's name
    fingerprint VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    model_hash VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    task_hash VARCHAR NOT NULL,
    labels VARCHAR[] NOT NULL,
    seen VARCHAR[] NOT NULL,         -- languages in the model's fine-tuning set
    created_at TIMESTAMP NOT NULL,
    merged_at TIMESTAMP NOT NULL,
    texts BIGINT NOT NULL,
    record JSON NOT NULL             -- run.json, whole
);

CREATE TABLE predictions (
    run VARCHAR NOT NULL,
    text_key UUID NOT NULL,
    label VARCHAR NOT NULL,
    confidence FLOAT NOT NULL,
    p FLOAT[] NOT NULL               -- one per label, in the order of runs.labels
);
"""

# A share estimated from gold needs to know how each tweet came to be coded; `gold.draw` names the draw.
DRAWS = """
CREATE TABLE draws (
    id VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    purpose VARCHAR NOT NULL,        -- train, dev or estimate; only an `estimate` draw's gold may correct a share
    unit VARCHAR NOT NULL,           -- posts or texts
    frame VARCHAR NOT NULL,          -- the condition on tweets that chose what could be drawn, as SQL
    frame_hash VARCHAR NOT NULL,     -- SHA-256 over how many units the frame has and the XOR of the MD5 of their keys
    frame_size BIGINT NOT NULL,      -- units in the frame
    run VARCHAR,                     -- the run whose confidence made strata; null where none did
    seed BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE drawn (
    draw VARCHAR NOT NULL,           -- draws.id
    text_key UUID NOT NULL,
    tweet_id VARCHAR,                -- null where texts were drawn
    stratum VARCHAR NOT NULL,
    probability DOUBLE NOT NULL,     -- of this unit being drawn: above 0, at most 1
    position INTEGER NOT NULL,       -- 1, 2, … in random order, so that coding may stop early and still be a sample
    coders VARCHAR[]                 -- who is to code it; null: anyone
);
"""


def text_key(expression: str) -> str:
    """SQL for the key of a text: the first 128 bits of SHA-256 of its UTF-8 bytes, as UUID; null for null."""
    return f"left(sha256({expression}), 32)::UUID"


def words_key(text: str = "text", quoted: str = "quoted_text") -> str:
    """SQL for the key of a post's words: of its own, or of these and what it quotes; null where it has none of its own.

    Two posts that say the same of different posts say different things, and a task may look at both.
    """
    return text_key(f"CASE WHEN {quoted} IS NULL THEN {text} ELSE {text} || chr(31) || {quoted} END")


TWEETS = tuple(re.findall(r"(?m)^    (\w+) ", TABLES.split("CREATE TABLE tweets (")[1].split("\n);")[0]))
"""The columns of `tweets`, in order."""

# Until schema 2 a key was that of the own words alone.
REKEYED = f"""
CREATE TEMP TABLE rekeyed AS SELECT platform, id, text_key AS old, {words_key()} AS new FROM tweets
    WHERE text_key IS NOT NULL AND quoted_text IS NOT NULL;
INSERT INTO predictions SELECT p.run, r.new, p.label, p.confidence, p.p FROM predictions p
    JOIN (SELECT DISTINCT old, new FROM rekeyed) r ON p.text_key = r.old;
UPDATE gold SET text_key = r.new FROM rekeyed r WHERE gold.tweet_id = r.id AND gold.text_key = r.old;
UPDATE drawn SET text_key = r.new FROM rekeyed r WHERE drawn.tweet_id = r.id AND drawn.text_key = r.old;
UPDATE tweets SET text_key = r.new FROM rekeyed r WHERE tweets.platform = r.platform AND tweets.id = r.id;
CREATE TEMP TABLE homeless AS SELECT old, min(new) AS new FROM rekeyed
    WHERE old NOT IN (SELECT text_key FROM tweets WHERE text_key IS NOT NULL) GROUP BY old;
UPDATE gold SET text_key = h.new FROM homeless h WHERE gold.tweet_id IS NULL AND gold.text_key = h.old;
UPDATE drawn SET text_key = h.new FROM homeless h WHERE drawn.tweet_id IS NULL AND drawn.text_key = h.old;
DELETE FROM predictions WHERE text_key IN (SELECT old FROM homeless);
DROP TABLE rekeyed; DROP TABLE homeless;
"""

MIGRATIONS: dict[int, str] = {
    1: "ALTER TABLE gold ADD COLUMN role VARCHAR; ALTER TABLE gold ADD COLUMN coded_from VARCHAR; "
    "ALTER TABLE gold ADD COLUMN competence VARCHAR; ALTER TABLE gold ADD COLUMN blind BOOLEAN;" + DRAWS,
    2: REKEYED,
}
"""Schema version → the SQL that brings a file of that version to the next."""


def create(con: DuckDBPyConnection, database: str) -> None:
    """Make the tables in the attached, empty `database`."""
    con.execute("BEGIN")
    con.execute(f"USE {database}")
    con.execute(TABLES + DRAWS)
    con.execute("INSERT INTO meta VALUES ('schema', ?), ('corpus', uuid()::VARCHAR)", [str(VERSION)])
    con.execute("COMMIT")
    con.execute("USE memory")


def version_of(con: DuckDBPyConnection) -> int | None:
    """The schema version of an open file; None when it is no corpus."""
    import duckdb

    try:
        # Asked for by name: to list the tables takes eight times as long, and every job opens the file.
        con.execute("SELECT 1 FROM tweets, runs LIMIT 0")
        row = con.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except (duckdb.CatalogException, duckdb.BinderException):
        return None
    return int(row[0]) if row and str(row[0]).isdecimal() else None


def migrate(con: DuckDBPyConnection) -> None:
    """Bring an open file up to VERSION, step by step, all or nothing."""
    con.execute("BEGIN")
    try:
        found = version_of(con)
        while found is not None and found < VERSION:
            con.execute(MIGRATIONS[found])
            found += 1
            con.execute("UPDATE meta SET value = ? WHERE key = 'schema'", [str(found)])
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
