"""Measures `xlt tui` over a large corpus: first paint, every action, the plainest SQL for the same, turns, memory.

    python scripts/bench_tui.py --rows 1_000_000 --folder /tmp/bench-tui [--repeat 5] [--keep]

The app is the real one in a pseudo-terminal; `tui_driven.py` runs it there and presses the keys. An action is timed
from the key until the frame with its rows is written, and until nothing is at work any more (the curves of a breakdown,
the post at the cursor). It and the plain SQL take turns, so that a shared machine slows both; the medians count. The
plain SQL runs in this process in a DuckDB with its default memory, on an open connection, so the memory told is the
app's alone. A turn is what the event loop does between two looks at the keyboard, in CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import select
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tui_driven import RUN, STEPS

BUDGET = 0.016
"""Seconds of one frame."""
FEW = 0.02
"""Below so many seconds of plain SQL a ratio says nothing; what the app adds does."""


@dataclass
class Found:
    """What was measured of one action, in seconds."""

    rows: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)


def make(folder: Path, rows: int) -> None:
    """A workspace with so many posts, and a run that labels every distinct text."""
    from filled import TASK
    from make_tweets import make as make_tweets
    from xlt.corpus import gate
    from xlt.corpus.store import corpus_path

    folder.mkdir(parents=True, exist_ok=True)
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


def spawn(command: list[str], keep: tuple[int, ...] = ()) -> tuple[int, int]:
    """Start a program in a pseudo-terminal of 120×36: its process, and the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        for each in keep:
            os.set_inheritable(each, True)
        os.environ.update({"COLUMNS": "120", "LINES": "36", "TERM": "xterm-256color"})
        os.execv(sys.executable, [sys.executable, *command])
    return pid, terminal


def first_paint(folder: Path) -> tuple[float, float]:
    """Seconds from the start of the process until the screens' names are drawn, and until rows of the corpus are."""
    (folder / ".xlt" / "tui.json").unlink(missing_ok=True)
    began = time.perf_counter()
    pid, terminal = spawn(["-m", "xlt", "tui", "--workspace", str(folder)])
    seen, found = b"", []
    for awaited in (b"Breakdown", b"Spanish"):
        while awaited not in seen:
            if not select.select([terminal], [], [], 60)[0]:
                raise SystemExit(f"{awaited!r} was never drawn")
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                raise SystemExit(seen.decode("utf-8", "replace")) from None
        found.append(time.perf_counter() - began)
    os.write(terminal, b"\x11")
    drain(terminal)
    os.close(terminal)
    os.waitpid(pid, 0)
    return found[0], found[1]


def drain(terminal: int, patience: float = 10) -> None:
    """Read what a program still draws, until it ends."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if select.select([terminal], [], [], 0.2)[0] and not os.read(terminal, 65536):
                return
        except OSError:
            return


def measure(folder: Path, repeat: int) -> tuple[dict[str, Found], dict[str, tuple[float, float]], float]:
    """Every action, the longest turn by what was opened, and the most memory of the app in MB."""
    (folder / ".xlt" / "tui.json").unlink(missing_ok=True)
    (said, tell), (hear, answer) = os.pipe(), os.pipe()
    script = str(Path(__file__).parent / "tui_driven.py")
    pid, terminal = spawn([script, str(folder), str(repeat), str(tell), str(hear)], (tell, hear))
    os.close(tell)
    os.close(hear)
    actions = {step.name: Found() for step in STEPS}
    sql = {step.name: step.sql for step in STEPS}
    waiting = b""
    drawn = b""
    turns: dict[str, tuple[float, float]] = {}
    memory = 0.0
    while True:
        ready = select.select([said, terminal], [], [], 900)[0]
        if terminal in ready:
            try:
                drawn = (drawn + os.read(terminal, 65536))[-20_000:]
            except OSError:
                ready.remove(terminal)
        if said not in ready:
            continue
        piece = os.read(said, 65536)
        if not piece:
            break
        waiting += piece
        while b"\n" in waiting:
            line, _, waiting = waiting.partition(b"\n")
            told: dict[str, Any] = json.loads(line)
            if "step" in told:
                found = actions[told["step"]]
                found.rows.append(told["rows"])
                found.whole.append(told["whole"])
                found.turns.append(told["turn"])
                if sql[told["step"]]:
                    found.plain.append(plain(folder / "corpus.duckdb", str(sql[told["step"]])))
                os.write(answer, b".")
            else:
                turns, memory = told["turns"], told["memory"]
    drain(terminal, 1)
    os.close(terminal)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit(drawn.rpartition(b"\x1b")[2].decode("utf-8", "replace"))
    return actions, turns, memory


def plain(corpus: Path, sql: str) -> float:
    """Seconds of the same in a bare DuckDB."""
    import duckdb

    with duckdb.connect(str(corpus), read_only=True) as con:
        con.execute("SELECT 1").fetchall()
        began = time.perf_counter()
        for statement in sql.split(";"):
            con.sql(statement).fetchnumpy()
        return time.perf_counter() - began


def table(actions: dict[str, Found]) -> None:
    """The actions as Markdown. Within: at most 1.3 times the SQL and one frame more, or, where the SQL takes less than
    20 ms, three frames more."""
    print("| action | rows (ms) | all (ms) | plain SQL (ms) | ratio | over it (ms) | longest turn (ms CPU) | within |")
    print("| --- | --: | --: | --: | --: | --: | --: | --- |")
    median = statistics.median
    for step in STEPS:
        found = actions[step.name]
        rows, whole, turn = median(found.rows), median(found.whole), max(found.turns)
        judged = whole if step.whole else rows
        bare = median(found.plain) if found.plain else None
        cells = [f"{1000 * rows:.0f}", f"{1000 * whole:.0f}"]
        if bare is None:
            cells += ["", "", ""]
        else:
            cells += [f"{1000 * bare:.0f}", f"{judged / bare:.2f}" if bare >= FEW else "–"]
            cells.append(f"{1000 * (judged - bare):.0f}")
        most = None if bare is None else bare + 3 * BUDGET if bare < FEW else 1.3 * bare + BUDGET
        within = "" if most is None else "yes" if judged <= most else "no"
        print(f"| {step.name} | {' | '.join(cells)} | {1000 * turn:.0f} | {within} |")


def main() -> None:
    """Read the command line, make the corpus, measure, print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/bench-tui"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--make", action="store_true", help="only make the corpus, and keep it")
    options = parser.parse_args()
    if not (options.folder / "corpus.duckdb").exists():
        make(options.folder, options.rows)
    if options.make:
        return
    paints = [first_paint(options.folder) for _ in range(options.repeat)]
    frame, rows = (1000 * statistics.median(each) for each in zip(*paints, strict=True))
    actions, turns, memory = measure(options.folder, options.repeat)
    print(f"first frame {frame:.0f} ms, rows {rows:.0f} ms after the start; memory of the app {memory:.0f} MB\n")
    table(actions)
    print("\n| opened | longest turn, first time (ms CPU) | again |\n| --- | --: | --: |")
    for name, (first, again) in turns.items():
        print(f"| {name} | {1000 * first:.0f} | {1000 * again:.0f} |")
    if not options.keep:
        shutil.rmtree(options.folder)


if __name__ == "__main__":
    main()
