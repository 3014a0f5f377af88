"""Measures `xlt tui` over a large corpus: first paint, every action, the plainest SQL for the same, memory.

    python scripts/bench_tui.py --rows 1_000_000 --folder /tmp/bench-tui [--repeat 5] [--keep]

The app is the real one, without a terminal (Textual's test driver), except for the first paint, which is timed in a
pseudo-terminal from the start of the process. An action is timed from the key until nothing is at work any more; it and
the plain SQL take turns, so that a shared machine slows both. The medians count. The longest turn is the most CPU time
that the event loop spent at once during an action, when it heard no key. The plain SQL runs in a DuckDB with its
default memory, on an open connection.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pty
import resource
import select
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

RUN = "2026-01-01-bench000"
_JOIN = f"tweets t JOIN predictions p ON p.text_key = t.text_key WHERE p.run = '{RUN}'"
_LEFT = f"tweets t LEFT JOIN (SELECT * FROM predictions WHERE run = '{RUN}') p ON p.text_key = t.text_key"


@dataclass
class Step:
    """One action: the keys, and what anybody would write in SQL for it."""

    name: str
    keys: tuple[str, ...]
    sql: str | None = None
    before: tuple[str, ...] = ()
    """Keys that are pressed first and not timed."""
    after: tuple[str, ...] = ()
    typed: str = ""
    times: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)


STEPS = [
    Step(
        "breakdown by language, with its curves",
        ("ctrl+r",),
        f"SELECT coalesce(lang, lang_tag, 'und') AS k, label, count(*) FROM {_JOIN} GROUP BY ALL; SELECT "
        f"coalesce(lang, lang_tag, 'und') AS k, date_trunc('month', created_at) AS m, count(*) FROM {_JOIN} AND "
        "label <> 'unrelated' GROUP BY ALL",
    ),
    Step(
        "breakdown, only texts with a word",
        ("enter",),
        f"SELECT coalesce(lang, lang_tag, 'und') AS k, label, count(*) FROM {_JOIN} AND regexp_matches(text, 'border', "
        "'i') GROUP BY ALL; SELECT coalesce(lang, lang_tag, 'und') AS k, date_trunc('month', created_at) AS m, "
        f"count(*) FROM {_JOIN} AND label <> 'unrelated' AND regexp_matches(text, 'border', 'i') GROUP BY ALL",
        before=("slash",),
        typed="border",
        after=("x",),
    ),
    Step(
        "open a bar (anti in English, by confidence)",
        ("enter",),
        f"SELECT t.rowid FROM {_JOIN} AND coalesce(lang, lang_tag, 'und') = 'en' AND label = 'anti-immigration' "
        "ORDER BY confidence, t.rowid",
        before=("g", "left"),
        after=("q", "right"),
    ),
    Step("switch to Posts, which asks anew", ("2",), before=("1",)),
    Step("to the last post", ("G",), before=("g",)),
    Step("one page down", ("pagedown",)),
    Step("sort by date", ("enter",), "SELECT rowid FROM tweets ORDER BY created_at, rowid", ("s", "g", "j")),
    Step(
        "sort by confidence",
        ("enter",),
        f"SELECT t.rowid FROM {_LEFT} ORDER BY confidence, t.rowid",
        ("s", "home", "j", "j", "j", "j"),
    ),
    Step(
        "search",
        ("enter",),
        "SELECT rowid FROM tweets WHERE regexp_matches(text, 'refugees', 'i')",
        before=("slash", "ctrl+u"),
        typed="refugees",
        # What is searched for is searched for again in every new selection.
        after=("slash", "ctrl+u", "enter"),
    ),
    Step("switch to Breakdown", ("1",)),
]


def make(folder: Path, rows: int) -> None:
    """A workspace with so many posts, and a run that labels every distinct text."""
    from filled import TASK
    from make_tweets import make as make_tweets
    from xlt.corpus import gate
    from xlt.corpus.store import corpus_path

    folder.mkdir(parents=True)
    make_tweets(folder / "tweets.parquet", rows, 1)
    command = ["import", str(folder / "tweets.parquet"), "--workspace", str(folder), "--quiet"]
    subprocess.run([sys.executable, "-m", "xlt", *command], check=True)
    (folder / "tweets.parquet").unlink()
    names = "['" + "', '".join(TASK.names) + "']"
    with gate.opened(corpus_path(folder), write=True) as con:
        con.execute(
            f"INSERT INTO predictions SELECT ?, text_key, {names}[1 + (h % 4)::INTEGER], 0.4 + (h % 599) / 1000, "
            "[0.1, 0.2, 0.3, 0.4] FROM (SELECT text_key, hash(text_key::VARCHAR) AS h FROM tweets WHERE text_key IS "
            "NOT NULL GROUP BY text_key)",
            [RUN],
        )
        con.execute(
            "INSERT INTO runs SELECT ?, 'f', 'some-model', 'h', 'immigration', ?, ?, ['en', 'es'], '2026-01-01', "
            "'2026-01-01', count(*), '{}' FROM predictions",
            [RUN, TASK.hash, list(TASK.names)],
        )


def first_paint(folder: Path) -> float:
    """Seconds from the start of the process until the screens' names are drawn."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"COLUMNS": "120", "LINES": "36", "TERM": "xterm-256color"})
        os.execv(sys.executable, [sys.executable, "-m", "xlt", "tui", "--workspace", str(folder)])
    seen = b""
    while b"Breakdown" not in seen:
        if select.select([terminal], [], [], 20)[0]:
            seen += os.read(terminal, 65536)
    found = time.perf_counter() - began
    os.write(terminal, b"\x11")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if select.select([terminal], [], [], 0.2)[0] and not os.read(terminal, 65536):
                break
        except OSError:
            break
    os.close(terminal)
    os.waitpid(pid, 0)
    return found


async def measure(folder: Path, repeat: int) -> None:
    """Drive the app through every step, over and over."""
    from tui.driven import Driven
    from xlt.tui.app import XltApp

    app = XltApp(folder)
    async with app.run_test(size=(120, 36)) as pilot:
        driven = Driven(app, pilot)
        await driven.settled(600)
        for _ in range(repeat):
            for step in STEPS:
                await driven.press(*step.before)
                if step.typed:
                    await driven.type(step.typed)
                turn = asyncio.create_task(longest_turn())
                step.times.append(await timed(driven, step.keys))
                turn.cancel()
                step.turns.append(await turn)
                if step.sql:
                    step.plain.append(plain(app.corpus, step.sql))
                await driven.press(*step.after)


async def timed(driven: Any, keys: tuple[str, ...]) -> float:
    """Seconds until what the keys began is drawn. The driver's own pauses are left out."""
    began = time.perf_counter()
    for key in keys:
        driven.app.simulate_key(key)
    await asyncio.sleep(0)
    quiet = 0
    end = began
    while quiet < 3:
        await asyncio.sleep(0.004)
        quiet = 0 if driven.busy() else quiet + 1
        if quiet < 2:
            end = time.perf_counter()
    return end - began


async def longest_turn() -> float:
    """The most CPU time between two turns of the event loop; cancelled to get it."""
    longest, last = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest


def plain(corpus: Path, sql: str) -> float:
    """Seconds of the same in a bare DuckDB."""
    import duckdb

    with duckdb.connect(str(corpus), read_only=True) as con:
        con.execute("SELECT 1").fetchall()
        began = time.perf_counter()
        for statement in sql.split(";"):
            con.sql(statement).fetchnumpy()
        return time.perf_counter() - began


def main() -> None:
    """Read the command line, make the corpus, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/bench-tui"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if not (options.folder / "corpus.duckdb").exists():
        make(options.folder, options.rows)
    paints = [first_paint(options.folder) for _ in range(options.repeat)]
    asyncio.run(measure(options.folder, options.repeat))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    median: Callable[[list[float]], float] = statistics.median
    print(f"{options.rows:,} posts; first paint {1000 * median(paints):.0f} ms; peak memory {peak:.0f} MB\n")
    print("| action | time (ms) | plain SQL (ms) | ratio | longest turn (ms CPU) |")
    print("| --- | --: | --: | --: | --: |")
    for step in STEPS:
        took, turn = 1000 * median(step.times), 1000 * median(step.turns)
        bare = 1000 * median(step.plain) if step.plain else 0.0
        ratio = f"{took / bare:.2f}" if bare else ""
        print(f"| {step.name} | {took:.0f} | {f'{bare:.0f}' if bare else ''} | {ratio} | {turn:.0f} |")
    if not options.keep:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
