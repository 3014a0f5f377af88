"""A small corpus with known counts, for tests that ask it questions: no model needed."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xlt.corpus import gate
from xlt.corpus.store import corpus_path, ensure
from xlt.tasks.load import load_task

TASK = load_task("immigration")
PRO, ANTI, NEUTRAL, UNRELATED = TASK.names


@dataclass(frozen=True)
class Post:
    """One tweet with the label that the run gives its text."""

    id: str
    text: str | None
    label: str | None = None
    lang: str | None = None
    tag: str = "und"
    author: str | None = None
    at: str | None = "2026-03-01 12:00:00"
    repost_of: str | None = None
    country: str | None = None
    confidence: float = 0.9


def key_of(text: str) -> uuid.UUID:
    """What `tweets.text_key` holds."""
    return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def fill(workspace: Path, posts: Sequence[Post], run: str | None = "2026-03-02-aaaaaaaa") -> Path:
    """A corpus with these posts and, unless `run` is None, one run with their labels."""
    workspace.mkdir(parents=True, exist_ok=True)
    path = corpus_path(workspace)
    ensure(path)
    with gate.opened(path, write=True) as con:
        con.execute("BEGIN")
        con.execute(
            "INSERT INTO imports VALUES (1, 'posts.csv', 'x', 'table', '2026-03-02', ?, ?, 0, 0, '0')", [len(posts)] * 2
        )
        columns = [
            [each.id for each in posts],
            [each.text for each in posts],
            [None if each.text is None else key_of(each.text) for each in posts],
            [each.at for each in posts],
            [each.tag for each in posts],
            [each.lang for each in posts],
            [None if each.lang is None else 0.9 for each in posts],
            [each.author for each in posts],
            [each.repost_of for each in posts],
            [each.country for each in posts],
        ]
        # Whole lists: row by row takes a tenth of a second.
        con.execute(
            "INSERT INTO tweets (id, platform, text, text_key, created_at, lang_tag, lang, lang_confidence, "
            "author, retweet_of, country, source) SELECT unnest(?), 'x', unnest(?), unnest(?::UUID[]), "
            "unnest(?::TIMESTAMP[]), unnest(?), unnest(?), unnest(?::FLOAT[]), unnest(?), unnest(?), unnest(?), 1",
            columns,
        )
        con.execute("COMMIT")
    if run is not None:
        add_run(path, posts, run)
    return path


def add_run(
    corpus: Path, posts: Sequence[Post], run: str, seen: Sequence[str] = ("en",), task: str = "immigration"
) -> None:
    """A run with the posts' labels, one prediction per distinct text."""
    labels = {key_of(post.text): post for post in posts if post.text is not None and post.label is not None}
    with gate.opened(corpus, write=True) as con:
        con.execute("BEGIN")
        con.execute(
            "INSERT INTO runs VALUES (?, 'f', 'tiny', 'h', ?, ?, ?, ?, now()::TIMESTAMP, now()::TIMESTAMP, ?, ?)",
            [run, task, TASK.hash, list(TASK.names), list(seen), len(labels), json.dumps({})],
        )
        chances = [
            [post.confidence if name == post.label else (1 - post.confidence) / 3 for name in TASK.names]
            for post in labels.values()
        ]
        con.execute(
            "INSERT INTO predictions SELECT ?, unnest(?::UUID[]), unnest(?), unnest(?), unnest(?::FLOAT[][])",
            [
                run,
                list(labels),
                [post.label for post in labels.values()],
                [post.confidence for post in labels.values()],
                chances,
            ],
        )
        con.execute("COMMIT")
