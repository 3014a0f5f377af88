"""Throws broken, odd and hostile files at every reader of `xlt import`.

What must hold for each file: either a sentence (XltError), or a table of posts in which every line of the file is
accounted for; never another exception, and never a row that is lost without a word. Every fiftieth file, and those
that look sound, is also tried the short way (`importing.straight`), which must refuse it or give the same rows.

    python scripts/fuzz_readers.py --cases 100000 --seed 1 --jobs 2
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, given, seed, settings

from xlt.corpus import duck, schema
from xlt.corpus.importing import masks
from xlt.corpus.importing.inspect import drop_repeats, inspect
from xlt.corpus.importing.mapping import load, names
from xlt.corpus.importing.merge import merge
from xlt.corpus.importing.sources import open_source
from xlt.corpus.importing.staging import STAGED, Options, stage
from xlt.corpus.importing.straight import look
from xlt.errors import XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PORTION = 2_500

EXPORTS = Path(__file__).resolve().parents[1] / "tests" / "corpus" / "exports"
KEYS = sorted(
    {
        path.steps[0].name
        for name in names()
        for column in load(name).columns.values()
        for value in column
        for path in value.paths
    }
    | {"data", "includes", "posts", "feed", "messages", "orderedItems", "chats", "errors", "meta", "type", "title"}
)

words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "1.54E+18",
            "1212092628029698048",
            "2024-02-30",
            "Wed Oct 10 20:19:24 +0000 2018",
            "@a @b@c.d",
            "&amp;&#0;<p>x",
        ]
    ),
    st.sampled_from(["", " ", "\x00", "\ud83d", "\u2028", "'; --", '"', "{", "[1]", "null", "\ufeff", "9" * 40, "-1"]),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=8,
)
objects = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=4)), values, max_size=8)
_good = [
    (path.name, path.read_bytes()) for path in sorted(EXPORTS.iterdir()) if not path.name.endswith(".rejects.jsonl")
]


@st.composite
def json_lines(draw: st.DrawFn) -> tuple[str, bytes]:
    """Lines of JSON objects with the platforms' fields, among them lines that are none."""
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        what = draw(st.integers(0, 9))
        if what < 7:
            lines.append(json.dumps(draw(objects), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
        elif what == 7:
            lines.append(draw(st.binary(max_size=20)).replace(b"\n", b""))
        else:
            lines.append(json.dumps(draw(values)).encode())
    ending = draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
    return "f.jsonl", ending.join(lines) + draw(st.sampled_from([b"", b"\n"]))


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, bytes]:
    """Whole documents: lists, pages, anything."""
    return "f.json", json.dumps(draw(st.one_of(st.lists(objects, max_size=4), objects, values))).encode()


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bytes]:
    """Tables with odd headers and cells, quoted or not."""
    header = draw(
        st.lists(st.one_of(st.sampled_from(["id", "text", "created_at", "lang"]), words), min_size=1, max_size=4)
    )
    rows = [header, *draw(st.lists(st.lists(words, max_size=5), max_size=4))]
    between = draw(st.sampled_from([",", "\t", ";"]))
    quoted = draw(st.booleans())
    cells = [[f'"{cell}"' if quoted and draw(st.booleans()) else cell for cell in row] for row in rows]
    content = "\n".join(between.join(row) for row in cells)
    return draw(st.sampled_from(["f.csv", "f.tsv"])), content.encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good export, cut, or with some bytes changed."""
    name, content = draw(st.sampled_from(_good))
    changed = bytearray(content[: draw(st.integers(1, len(content)))] if draw(st.booleans()) else content)
    for _ in range(draw(st.integers(0, 4))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return name, bytes(changed)


@st.composite
def posts(draw: st.DrawFn) -> tuple[str, bytes]:
    """Files that are as they should be but for what stands in them: most can go the short way."""
    times = st.one_of(
        st.none(), st.sampled_from(["2024-02-29T10:00:00Z", "1709200800", "Wed Oct 10 20:19:24 +0000 2018"])
    )
    made = [
        {
            "id": str(number),
            "text": draw(words),
            "created_at": draw(times),
            "author_id": draw(words),
            "lang": draw(words),
        }
        for number in range(draw(st.integers(1, 4)))
    ]
    if draw(st.booleans()):
        return "short.jsonl", "\n".join(json.dumps(post) for post in made).encode()
    out = io.StringIO()
    writer = csv.DictWriter(out, list(made[0]))
    writer.writeheader()
    writer.writerows(made)
    return "short.csv", out.getvalue().encode("utf-8", "replace")


# The last kind goes both ways, which takes four times as long.
files = st.one_of(json_lines(), json_lines(), documents(), tables(), tables(), damaged(), damaged(), posts())


class Fuzz:
    """One connection for many files; counts what came of them."""

    def __init__(self, con: DuckDBPyConnection, folder: Path) -> None:
        self.con = con
        self.folder = folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.outcomes: Counter[str] = Counter()
        con.execute("SET TimeZone = 'UTC'")
        # Files are tiny: a second thread only has to be woken.
        con.execute("SET threads = 1")
        con.execute(schema.TABLES)
        masks.register(con)
        masks.set_key(con, bytes(32))

    def one(self, name: str, content: bytes) -> None:
        """Read one file. Raises what a user would see as a traceback, and AssertionError for a lost line."""
        path = self.folder / name
        path.write_bytes(content)
        try:
            self._read(path, content)
        except XltError as error:
            if "\n" in str(error):
                raise
            self.outcomes["sentence"] += 1
        except duckdb.Error as error:
            # `job` makes a sentence of these; a fatal one would take the connection down.
            if "FATAL" in str(error) or "INTERNAL" in str(error):
                raise
            self.outcomes[f"duckdb: {str(error)[:60]}"] += 1
        finally:
            for left in self.scratch.iterdir():
                left.unlink()
            path.unlink()

    def _read(self, path: Path, content: bytes) -> None:
        first = path.name.startswith("short") or sum(self.outcomes.values()) % 50 == 0
        short = self._short_way(path) if first else None
        source = open_source(self.con, path, self.scratch, None)
        stage(self.con, source, Options())
        staged = self.con.execute(f"SELECT count(*) FROM {STAGED}").fetchall()[0][0]
        if path.name == "f.jsonl" and not source.mapping.rows:
            lines = [line for line in content.split(b"\n") if line.strip()]
            told = staged + len(source.rejects)
            assert told >= len(lines) or any("from here on" in each.reason for each in source.rejects), (told, lines)
        inspect(self.con, str(path), True)
        drop_repeats(self.con)
        if short is not None:
            merge(self.con, 1, "id")
            assert short == self._emptied()
            self.outcomes["read both ways"] += 1
        else:
            self.outcomes["read" if staged else "nothing"] += 1

    def _short_way(self, path: Path) -> list[tuple[Any, ...]] | None:
        """The rows that go straight in, or None when the file has to be staged."""
        try:
            source = open_source(self.con, path, self.scratch, None, checked=False)
            straight = look(self.con, source, Options())
        except (XltError, duckdb.Error):
            # What is wrong is told by the other way.
            return None
        if straight is None:
            return None
        straight.put(self.con, 1)
        return self._emptied()

    def _emptied(self) -> list[tuple[Any, ...]]:
        rows = self.con.execute("SELECT * FROM tweets ORDER BY rowid").fetchall()
        self.con.execute("DELETE FROM tweets")
        return rows


def fuzz(cases: int, number: int, folder: Path) -> Counter[str]:
    """Try this many files, decided by the seed."""
    with duck.job(folder / "spill") as con:
        state = Fuzz(con, folder)

        @seed(number)
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(files)
        def attempt(file: tuple[str, bytes]) -> None:
            state.one(*file)

        attempt()
    return state.outcomes


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes that share the cases, each with a seed of its own"
    )
    given_options = parser.parse_args()
    began = time.monotonic()
    # Hypothesis keeps what it has seen: small portions stay fast.
    portions = -(-given_options.cases // PORTION)
    seeds = [given_options.seed * 100_000 + number for number in range(portions)]
    outcomes: Counter[str] = Counter()
    with ProcessPoolExecutor(given_options.jobs) as pool:
        for found in pool.map(_portion, [min(PORTION, given_options.cases)] * portions, seeds):
            outcomes += found
            print(f"{sum(outcomes.values()):,} files in {time.monotonic() - began:,.0f} s", file=sys.stderr, flush=True)
    for outcome, count in outcomes.most_common():
        print(f"{count:>8,}  {outcome}")


def _portion(cases: int, number: int) -> Counter[str]:
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(cases, number, Path(folder))


if __name__ == "__main__":
    main()
