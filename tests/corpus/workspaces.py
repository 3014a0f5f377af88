"""Corpora and runs for tests: made with the real parts, without a model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from xlt.corpus import gate, schema, store
from xlt.corpus.rounds import Round, stage_round
from xlt.corpus.stage import Selection, read_block
from xlt.disk import write_json
from xlt.engine.shards import write_shard
from xlt.tasks.load import load_task

TASK = load_task("immigration")


def make_corpus(folder: Path, texts: Sequence[str | None] = (), langs: Sequence[str] = ("en", "de")) -> Path:
    """A corpus in `folder` with one tweet per text, in languages by turns."""
    folder.mkdir(parents=True, exist_ok=True)
    path = store.corpus_path(folder)
    store.ensure(path)
    add_tweets(path, texts, langs)
    return path


def add_tweets(corpus: Path, texts: Sequence[str | None], langs: Sequence[str] = ("en", "de")) -> None:
    """Add tweets with ids that go on counting."""
    if not texts:
        return
    with gate.opened(corpus, write=True) as con:
        con.execute(
            "CREATE TEMP TABLE fresh AS SELECT unnest(?) AS text, unnest(?) AS lang",
            [list(texts), _turns(texts, langs)],
        )
        con.execute(
            "INSERT INTO tweets BY NAME SELECT ((SELECT count(*) FROM tweets) + row_number() OVER ())::VARCHAR AS id, "
            f"'x' AS platform, text, {schema.text_key('text')} AS text_key, lang AS lang_tag, 1 AS source FROM fresh"
        )


def _turns(texts: Sequence[str | None], langs: Sequence[str]) -> list[str]:
    return [langs[at % len(langs)] for at in range(len(texts))]


def make_run(corpus: Path, name: str = "2026-01-01-abcdef12") -> Path:
    """A run folder over the corpus, without rounds."""
    run = store.runs_folder(corpus) / name
    run.mkdir(parents=True, exist_ok=True)
    record = {
        "fingerprint": name[-8:] * 2,
        "created": "2026-01-01T10:00:00+01:00",
        "identity": {"xlt": "0", "corpus": corpus.name},
        "model": {"name": "tiny", "hash": "ff", "languages": ["en"]},
        "task": {"name": TASK.name, "version": TASK.version, "hash": TASK.hash, "labels": list(TASK.names)},
    }
    write_json(run / "run.json", record)
    return run


def stage_into(run: Path, corpus: Path, **options: Any) -> Round | None:
    """Stage a round of the tweets selected."""
    return stage_round(run, Selection((), corpus=corpus, **options), TASK.normalise)[0]


def score(each: Round, blocks: Sequence[int] | None = None) -> None:
    """Write the shards of a round, with probabilities that the keys decide."""
    for block in range(each.staged.blocks) if blocks is None else blocks:
        keys, _ = read_block(each.folder, block)
        drawn = np.array([[1 + byte for byte in key[:4]] for key in keys], np.float32).reshape(-1, 4)
        write_shard(each.folder, block, TASK, keys, drawn / drawn.sum(axis=1, keepdims=True))


def scored_run(corpus: Path, name: str = "2026-01-01-abcdef12", **options: Any) -> Path:
    """A run with one complete round that is not merged."""
    run = make_run(corpus, name)
    each = stage_into(run, corpus, **options)
    assert each is not None
    score(each)
    return run


def query(corpus: Path, sql: str) -> list[Any]:
    """Rows of a query."""
    with gate.opened(corpus) as con:
        return con.execute(sql).fetchall()


@contextmanager
def python(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A second Python that runs `code`, begun when it has printed a line; killed at the end."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert cast("IO[str]", process.stdout).readline().strip() == "ready"
        yield process
    finally:
        process.kill()
        process.communicate()


HOLD = """
import sys
from pathlib import Path
from xlt.corpus import gate
with gate.opened(Path(sys.argv[1]), write=sys.argv[2] == "write") as con:
    con.execute("SELECT count(*) FROM tweets").fetchall()
    if sys.argv[2] == "write":
        con.execute("BEGIN")
        con.execute("DELETE FROM tweets")
    print("ready", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holder(corpus: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    """A second process that has the corpus open; a writer has deleted every tweet and not committed."""
    with python(HOLD, corpus, mode) as process:
        yield process


def let_go(process: subprocess.Popen[str]) -> None:
    """Let a holder end by itself."""
    process.communicate("\n")
