"""Measures a large corpus: import, plan, merge, breakdown and every named query, beside the plainest SQL for the same.

    python scripts/bench_corpus.py --rows 10_000_000 --folder /tmp/bench [--memory 700MB] [--repeat 2]
    python scripts/bench_corpus.py --rows 1_000_000 --folder /tmp/bench --only import --kinds parquet,csv,jsonl

Every step runs in a process of its own, so that its peak of memory is its own, and xlt's and the plain one take turns,
so that a shared machine slows both; the best of the repeats counts. An import is measured against a bare CREATE TABLE
AS of the same file, and against one that makes the same columns. xlt opens the corpus through its gate with
`--memory` as DuckDB's limit; the plain SQL runs in a DuckDB with its default limit (80 % of the machine's memory).
Prints the table of docs/size.md. The folder is removed at the end unless --keep is given.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RUN = "2026-01-01-bench000"
TASK = "immigration"
_TOP = """
    (WITH a AS (SELECT {keys} author, count(*) AS n FROM l WHERE author IS NOT NULL GROUP BY ALL),
          r AS (SELECT *, row_number() OVER (PARTITION BY {part} ORDER BY n DESC) AS place,
                       count(*) OVER (PARTITION BY {part}) AS authors FROM a)
     SELECT {keys} sum(n) FILTER (WHERE place <= ceil(authors * 0.01)) / sum(n) AS top FROM r GROUP BY ALL)"""
_LABELLED = (
    "SELECT {keys} t.author, t.text_key, p.label FROM tweets t "
    "JOIN predictions p ON p.text_key = t.text_key WHERE p.run = '{run}'"
)


@dataclass(frozen=True)
class Place:
    """Where everything lies."""

    folder: Path
    memory: str

    @property
    def source(self) -> Path:
        """The generated tweets."""
        return self.folder / "tweets.parquet"

    def of_kind(self, kind: str) -> Path:
        """The same tweets as csv or jsonl."""
        return self.source.with_suffix(f".{kind}")

    @property
    def corpus(self) -> Path:
        """xlt's corpus."""
        return self.folder / "corpus.duckdb"

    @property
    def plain(self) -> Path:
        """The database of the plain SQL."""
        return self.folder / "plain" / "plain.duckdb"

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.folder / "runs" / RUN

    def open_plain(self, read_only: bool = False) -> DuckDBPyConnection:
        """A DuckDB as anybody would open it."""
        import duckdb

        self.plain.parent.mkdir(exist_ok=True)
        return duckdb.connect(str(self.plain), read_only=read_only)


def step_import(place: Place, kind: str) -> None:
    """`xlt import`."""
    from xlt.corpus.importing.job import Import, run

    reports = run(Import((place.of_kind(kind),), place.folder, place.corpus), lambda sentence: None)
    assert reports[0].error is None, reports


def prepare_import(place: Place, kind: str) -> None:
    """The file in another format, and no corpus."""
    import duckdb

    place.corpus.unlink(missing_ok=True)
    if not place.of_kind(kind).exists():
        options = "FORMAT json" if kind == "jsonl" else "FORMAT csv, HEADER true"
        with duckdb.connect() as con:
            con.execute(f"COPY (FROM read_parquet('{place.source}')) TO '{place.of_kind(kind)}' ({options})")


def plain_import(place: Place, kind: str, selected: str) -> None:
    """CREATE TABLE AS of the same file."""
    place.plain.unlink(missing_ok=True)
    con = place.open_plain()
    con.execute(f"CREATE TABLE raw AS SELECT {selected} FROM {_READERS[kind]}('{place.of_kind(kind)}')")
    con.close()


_READERS = {"parquet": "read_parquet", "csv": "read_csv", "jsonl": "read_json"}
_NULLS = ("quoted_text", "lang", "conversation", "reply_to", "quote_of", "place", "place_source", "url", "extra")
_NONE = ("lang_confidence", "latitude", "longitude", "likes", "replies", "quotes")
SAME = (
    "id::VARCHAR AS id, 'table' AS platform, regexp_replace(text, '\\B@\\w+', '@user', 'g') AS text, "
    "left(sha256(regexp_replace(text, '\\B@\\w+', '@user', 'g')), 32)::UUID AS text_key, "
    "created_at::TIMESTAMP AS created_at, lower(lang) AS lang_tag, "
    "left(sha256('key' || sha256('key' || author_id)), 24) AS author, retweet_of::VARCHAR AS retweet_of, "
    "upper(country) AS country, retweet_count::BIGINT AS reposts, 1 AS source, "
    + ", ".join(f"NULL::VARCHAR AS {name}" for name in _NULLS)
    + ", "
    + ", ".join(f"NULL::DOUBLE AS {name}" for name in _NONE)
)
"""The columns of a corpus, with the same hashes and one mask for handles."""


def step_plan(place: Place) -> None:
    """What `xlt classify corpus` does before it scores: distinct texts, keyed, in blocks."""
    from xlt.corpus.rounds import stage_round
    from xlt.corpus.stage import Selection
    from xlt.tasks.load import load_task

    shutil.rmtree(place.run / "rounds", ignore_errors=True)
    (place.run).mkdir(parents=True, exist_ok=True)
    staged = stage_round(place.run, Selection((), corpus=place.corpus), load_task(TASK).normalise)
    assert staged is not None


def plain_plan(place: Place) -> None:
    """The same keys and blocks in one statement, with DuckDB's normalisation instead of the task's."""
    con = place.open_plain()
    con.execute(f"ATTACH '{place.corpus}' AS c (READ_ONLY)")
    con.execute(
        "COPY (SELECT key, any_value(text) AS text, hash(key) % 512 AS block FROM (SELECT "
        "unhex(left(sha256(text), 32)) AS key, text FROM (SELECT DISTINCT trim(nfc_normalize(text)) AS text "
        "FROM c.tweets)) GROUP BY key "
        f"ORDER BY block, key) TO '{place.folder / 'plain' / 'texts.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
    )
    con.close()


def prepare_merge(place: Place) -> None:
    """Shards as the engine writes them, with labels drawn by a hash; and the run's record."""
    import duckdb

    from xlt.corpus.rounds import rounds
    from xlt.tasks.load import load_task

    task = load_task(TASK)
    (done,) = rounds(place.run)
    shards = done.folder / "shards"
    shutil.rmtree(shards, ignore_errors=True)
    shards.mkdir()
    con = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(place.folder / "spill")})
    names = ", ".join(f"'{name}'" for name in task.names)
    chances = ", ".join(f"0.1::FLOAT AS {task.column(name)}" for name in task.names)
    con.execute(
        f"CREATE TABLE t AS SELECT key, block FROM read_parquet('{done.folder / 'texts.parquet'}') ORDER BY block"
    )
    for block in range(done.staged.blocks):
        shard = shards / f"{block:06d}.parquet"
        con.execute(
            f"COPY (SELECT key, [{names}][1 + (hash(key) % 4)::BIGINT] AS predicted, "
            f"(0.3 + 0.7 * (hash(key, 1) % 1000) / 1000)::FLOAT AS confidence, {chances} FROM t WHERE block = {block}) "
            f"TO '{shard}' (FORMAT parquet, COMPRESSION zstd)"
        )
    record = {
        "fingerprint": "bench",
        "created": "2026-01-01T00:00:00+00:00",
        "identity": {"corpus": place.corpus.name},
        "model": {"name": "bench", "hash": "bench", "languages": ["en"]},
        "task": {"name": task.name, "version": task.version, "hash": task.hash, "labels": task.names},
    }
    (place.run / "run.json").write_text(json.dumps(record), "utf-8")


def step_merge(place: Place) -> None:
    """Merging a run's shards; a merge that is there already is undone first, outside the clock."""
    from xlt.corpus.runs import merge_runs

    (merged,) = merge_runs(place.corpus, [place.run])
    assert merged.added, merged


def undo_merge(place: Place) -> None:
    """So that a merge can be measured again."""
    from xlt.corpus import gate
    from xlt.corpus.rounds import rounds
    from xlt.disk import write_json

    with gate.opened(place.corpus, write=True) as con:
        con.execute("DELETE FROM predictions")
        con.execute("DELETE FROM runs")
    (done,) = rounds(place.run)
    write_json(done.folder / "round.json", {**done.record, "merged": None})


def plain_merge(place: Place) -> None:
    """One INSERT of the shards joined to the keys."""
    from xlt.corpus.rounds import rounds

    (done,) = rounds(place.run)
    con = place.open_plain()
    con.execute("DROP TABLE IF EXISTS predictions")
    con.execute(
        "CREATE TABLE predictions AS SELECT 'r' AS run, raw::UUID AS text_key, predicted AS label, confidence, "
        "[p_pro_immigration, p_anti_immigration, p_neutral, p_unrelated] AS p "
        f"FROM read_parquet('{done.folder / 'join.parquet'}') JOIN "
        f"read_parquet('{done.folder / 'shards'}/*.parquet') USING (key)"
    )
    con.close()


def xlt_breakdown(place: Place, **options: Any) -> None:
    """`xlt breakdown`."""
    from xlt.corpus import gate
    from xlt.corpus.breakdown import Question, breakdown
    from xlt.corpus.labelled import find_runs, from_corpus
    from xlt.tasks.load import load_task

    task = load_task(TASK)
    with gate.opened(place.corpus, memory=place.memory) as con:
        breakdown(con, from_corpus(con, find_runs(con)), Question(**options), task.groups, task.names)


def plain_breakdown(place: Place, keys: str, unit: str) -> None:
    """The same counts and shares of the most active authors, in two or three statements."""
    import duckdb

    con = duckdb.connect(str(place.corpus), read_only=True)
    names = "".join(f"k{position}, " for position in range(len(keys.split(";")))) if keys else ""
    selected = "".join(f"{key} AS k{position}, " for position, key in enumerate(keys.split(";"))) if keys else ""
    labelled = f"WITH l AS ({_LABELLED.format(keys=selected, run=RUN)}) "
    counted = {"posts": "count(*)", "texts": "count(DISTINCT text_key)"}
    if unit == "authors":
        per = (
            f"SELECT {names}author, count(*) FILTER (label <> 'unrelated') / count(*) AS s FROM l "
            "WHERE author IS NOT NULL GROUP BY ALL"
        )
        con.execute(f"{labelled} SELECT {names}count(*), avg(s) FROM ({per}) GROUP BY ALL").fetchall()
    else:
        con.execute(f"{labelled} SELECT {names}label, {counted[unit]} FROM l GROUP BY ALL").fetchall()
    part = ", ".join(names.rstrip(", ").split(", ")) or "1"
    con.execute(f"{labelled} SELECT * FROM {_TOP.format(keys=names, part=part)}").fetchall()
    con.execute(f"{labelled} SELECT * FROM {_TOP.format(keys='', part='1')}").fetchall()
    con.close()


def xlt_query(place: Place, name: str) -> None:
    """`xlt query NAME`."""
    from xlt.corpus import gate
    from xlt.corpus.labelled import find_runs
    from xlt.corpus.queries import find, prepare, run, values_of
    from xlt.tasks.load import load_task

    query = find(name, place.folder)
    with gate.opened(place.corpus, memory=place.memory) as con:
        values = values_of(query, []) | prepare(con, find_runs(con)[0], load_task(TASK).groups)
        run(con, query.sql, values, 100)


def plain_query(place: Place, name: str) -> None:
    """The query's SQL in a DuckDB without limits."""
    import duckdb

    from xlt.corpus.asking import checked
    from xlt.corpus.labelled import find_runs
    from xlt.corpus.queries import find, prepare, values_of
    from xlt.tasks.load import load_task

    query = find(name, place.folder)
    con = duckdb.connect(str(place.corpus), read_only=True)
    values = values_of(query, []) | prepare(con, find_runs(con)[0], load_task(TASK).groups)
    found = checked(con, query.sql, values)
    con.execute(found.sql, found.values).fetchmany(101)
    con.close()


Step = Callable[[Place], None]
BY_LANG, BY_MONTH = "coalesce(t.lang, t.lang_tag, 'und')", "date_trunc('month', t.created_at)"


def steps(kinds: Sequence[str] = ("parquet",)) -> dict[str, tuple[Step, Step, Step | None]]:
    """Name → xlt's way, the plain way, and what must come before each of xlt's turns."""
    from xlt.bundled import bundled

    found: dict[str, tuple[Step, Step, Step | None]] = {}
    # Last the bare one of Parquet, whose corpus the other steps go on with.
    for kind in sorted(kinds, key=["jsonl", "csv", "parquet"].index):
        for against, selected in (("the same columns", SAME), ("a bare table", "*")):
            found[f"import of {kind}, against {against}"] = (
                lambda place, kind=kind: step_import(place, kind),  # type: ignore[misc]
                lambda place, kind=kind, selected=selected: plain_import(place, kind, selected),  # type: ignore[misc]
                lambda place, kind=kind: prepare_import(place, kind),  # type: ignore[misc]
            )
    found |= {
        "classify: de-duplication and plan": (step_plan, plain_plan, None),
        "merge of predictions": (step_merge, plain_merge, undo_merge),
    }
    asked: dict[str, tuple[dict[str, Any], str, str]] = {
        "breakdown by language": ({}, BY_LANG, "posts"),
        "breakdown by language and month": ({"by": ("lang", "month")}, f"{BY_LANG};{BY_MONTH}", "posts"),
        "breakdown by language, unit texts": ({"unit": "texts"}, BY_LANG, "texts"),
        "breakdown by language, unit authors": ({"unit": "authors"}, BY_LANG, "authors"),
    }
    for name, (options, keys, unit) in asked.items():
        found[name] = (
            lambda place, options=options: xlt_breakdown(place, **options),  # type: ignore[misc]
            lambda place, keys=keys, unit=unit: plain_breakdown(place, keys, unit),  # type: ignore[misc]
            None,
        )
    for path in sorted(bundled("queries").glob("*.sql")):
        found[f"query {path.stem}"] = (
            lambda place, name=path.stem: xlt_query(place, name),  # type: ignore[misc]
            lambda place, name=path.stem: plain_query(place, name),  # type: ignore[misc]
            None,
        )
    return found


def measure(place: Place, name: str, which: str) -> tuple[float, float, float]:
    """Seconds, seconds of CPU and peak memory in MB of one turn, in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--folder",
        str(place.folder),
        "--memory",
        place.memory,
        "--step",
        name,
        "--which",
        which,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} ({which}) failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return found["seconds"], found["cpu"], found["peak"]


def one_step(place: Place, name: str, which: str) -> None:
    """What a child process does."""
    ours, plain, before = steps(tuple(_READERS))[name]
    if which == "before":
        if before:
            before(place)
        print(json.dumps({"seconds": 0, "cpu": 0, "peak": 0}))
        return
    # Outside the clock for both: what Python takes to load libraries.
    for module in ("duckdb", "pyarrow.parquet", "xlt.corpus.importing.job", "xlt.corpus.runs", "xlt.corpus.breakdown"):
        importlib.import_module(module)
    for module in ("xlt.corpus.queries", "xlt.corpus.rounds", "xlt.tasks.load"):
        importlib.import_module(module)
    begun, cpu = time.perf_counter(), time.process_time()
    (ours if which == "xlt" else plain)(place)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak_megabytes()}))


def peak_megabytes() -> float:
    """This process's peak of resident memory. On Linux from /proc: getrusage begins with the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main() -> None:
    """Measure everything, or one step of one process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--memory", default="700MB")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--kinds", default="parquet", help="formats to import: parquet,csv,jsonl")
    parser.add_argument("--only", default="", help="steps whose names begin with this")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--which", help=argparse.SUPPRESS)
    options = parser.parse_args()
    place = Place(options.folder.resolve(), options.memory)
    if options.step:
        one_step(place, options.step, options.which)
        return
    place.folder.mkdir(parents=True, exist_ok=True)
    if not place.source.exists():
        maker = Path(__file__).with_name("make_tweets.py")
        subprocess.run([sys.executable, maker, "--rows", str(options.rows), "--seed", "1", place.source], check=True)
    print("| step | xlt, s | plain SQL, s | ratio | xlt, CPU s | plain, CPU s | ratio | xlt, MB | plain, MB |")
    print("| --- " + "| --: " * 8 + "|")
    for name in steps(options.kinds.split(",")):
        if not name.startswith(options.only):
            continue
        ours, plain = [], []
        for turn in range(options.repeat):
            if name == "merge of predictions" and turn == 0 and not (place.run / "run.json").exists():
                prepare_merge(place)
            else:
                measure(place, name, "before")
            ours.append(measure(place, name, "xlt"))
            plain.append(measure(place, name, "plain"))
        cells = []
        for position in (0, 1):
            mine, theirs = (min(turn[position] for turn in turns) for turns in (ours, plain))
            cells += [f"{mine:.2f}", f"{theirs:.2f}", f"{mine / theirs:.2f}"]
        cells += [f"{max(turn[2] for turn in turns):,.0f}" for turns in (ours, plain)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if not options.keep:
        shutil.rmtree(place.folder)


if __name__ == "__main__":
    main()
