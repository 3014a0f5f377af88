"""Walks through a newcomer's first ten minutes, a real `xlt tui` in a real terminal (tmux), and keeps the screens.

    python scripts/walk_tui.py [--size 80x24] [--record docs/tui-walk.md] [--keep FOLDER]

It begins in an empty folder. Every step presses keys and waits for words on the screen that were not there before; one
that does not come ends the walk, with the screen. The tmux server is the walk's own.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 120.0
"""Seconds to wait for what is not there yet."""
KEYS = {
    "Enter": "⏎",
    "Escape": "esc",
    "Right": "→",
    "Left": "←",
    "Down": "↓",
    "Up": "↑",
    "Tab": "tab",
    "C-p": "ctrl+p",
    "C-q": "ctrl+q",
}


class Lost(Exception):
    """A step did not show what it should."""


class Terminal:
    """A shell in a tmux of its own."""

    def __init__(self, folder: Path, width: int, height: int) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="xlt-tmux-"))
        self._server = ["tmux", "-S", str(self._place / "socket"), "-f", os.devnull]
        # Nothing of the user's own settings. Threads that spin while they wait take a busy machine's time twice over.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XLT_", "TMUX", "NO_COLOR"))}
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        env = kept | {"PATH": path, "COLORTERM": "truecolor", "PYTHONUTF8": "1", "OMP_WAIT_POLICY": "passive"}
        start = ["new-session", "-d", "-s", "walk", "-x", str(width), "-y", str(height), "-c", str(folder)]
        shell = "env PS1='$ ' " + ("bash --norc --noprofile" if shutil.which("bash") else "sh")
        subprocess.run([*self._server, *start, shell], env=env, check=True)
        self._tmux("set-option", "-g", "status", "off")
        # Else a lone escape waits half a second for what may follow it.
        self._tmux("set-option", "-s", "escape-time", "0")

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run([*self._server, *arguments], check=True, capture_output=True, text=True)
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self._tmux("send-keys", "-t", "walk", *keys)

    def write(self, text: str) -> None:
        """Write text as it stands."""
        self._tmux("send-keys", "-t", "walk", "-l", text)

    def screen(self, colours: bool = False) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p", "-t", "walk", *(["-e"] if colours else []))

    def close(self) -> None:
        """End the shell and what runs in it."""
        subprocess.run([*self._server, "kill-server"], capture_output=True, check=False)
        shutil.rmtree(self._place, ignore_errors=True)


INTRODUCTION = """\
# The first ten minutes

What a newcomer sees who starts `xlt tui` in an empty folder. `scripts/walk_tui.py` walked it and wrote this page: every
key was pressed in a real terminal, and every screen is what stood there. Times and names of runs are those of that day.
"""


@dataclass(frozen=True)
class Step:
    """What the person did, and what was then on the screen."""

    chapter: str
    doing: str
    keys: str
    screen: str | None
    seconds: float


class Walk:
    """A person before the terminal, who notes what happens."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._chapter = ""
        self.steps: list[Step] = []

    def begins(self, chapter: str) -> None:
        """The next step begins a chapter."""
        self._chapter = chapter

    def does(
        self,
        doing: str,
        *keys: str,
        sees: str | Sequence[str],
        gone: str = "",
        shown: bool = False,
    ) -> None:
        """Press keys (`"` begins what is written) and wait until the screen shows what is new, and not what is gone.

        Raises Lost when it does not come, or when all of it was there before: then the step would wait for nothing.
        """
        wanted = [sees] if isinstance(sees, str) else list(sees)
        if keys and _fits(self._terminal.screen(), wanted, gone):
            raise Lost(f"{doing}\n{wanted} is on the screen before {keys}:\n{self._terminal.screen()}")
        began = time.monotonic()
        for key in keys:
            if key.startswith('"'):
                self._terminal.write(key[1:])
            else:
                self._terminal.press(key)
        screen = self._terminal.screen()
        while not _fits(screen, wanted, gone):
            if time.monotonic() - began > PATIENCE:
                raise Lost(f"{doing}\nAfter {keys} there is no {wanted} (or still {gone!r}):\n{screen}")
            time.sleep(0.02)
            screen = self._terminal.screen()
        said = " ".join(f"`{key[1:]}`" if key[0] == '"' else f"**{KEYS.get(key, key)}**" for key in keys)
        self.steps.append(Step(self._chapter, doing, said, screen if shown else None, time.monotonic() - began))
        self._chapter = ""

    def lights(self) -> None:
        """Raises Lost unless the screen is light."""
        colours = re.findall(r"48;2;(\d+);(\d+);(\d+)", self._terminal.screen(colours=True))
        if sum(int(red) > 127 for red, _, _ in colours) <= len(colours) / 2:
            raise Lost(f"The theme is light, the screen is not: {colours}")


def _fits(screen: str, wanted: Sequence[str], gone: str) -> bool:
    # Lines may break anywhere.
    words = " ".join(screen.split())
    return all(each in words for each in wanted) and not (gone and gone in words)


def sample(walk: Walk) -> None:
    """The sample, and what is in it."""
    does = walk.does
    does("Start in an empty folder.", '"xlt tui', "Enter", sees="Nothing here yet.", shown=True)
    does("What is this?", "?", sees="A pile of posts in many languages")
    does("Back.", "Escape", sees="load the sample:", gone="A pile of posts")
    loaded = ("Portuguese", "all 3,667", "Shares are the classifier's")
    does("Load the sample.", "d", sees=loaded, gone="Nothing here", shown=True)
    does("To the row Spanish.", "Down", sees="Spanish: 425 posts")
    does(
        "Those against it, the last part of the bar: open them.",
        "Left",
        "Enter",
        sees=("anti", "row 1", "(tag es)"),
        shown=True,
    )
    does("The next post.", "j", sees="row 2")
    does("Search.", "/", sees="Find")
    does("A part of a word.", '"front', "Enter", sees="hold “front”", shown=True)
    does("The next match.", "n", sees="row 1", gone="row 62")
    does("Back.", "q", sees="Shares are the classifier's")


def another_model(walk: Walk) -> None:
    """Another model."""
    does = walk.does
    does("Classify.", "4", sees="c plans it")
    does("Which model?", "m", sees="a part of its name")
    does("Part of a name.", '"base', sees="a base model, not tuned")
    does("That one.", "Enter", sees="xlt-mini-base ▾")
    does("Plan it.", "c", sees="Classify all posts with xlt-mini-base", shown=True)
    does("Start it, without waiting for the plan.", "Enter", sees="of 2,200 distinct texts", gone="Classify all posts")
    does("Watch it.", sees="texts/s", shown=True)
    does("Stop it.", "s", sees="Stopped: ", shown=True)
    does("Go on.", "r", sees="In the corpus as run", shown=True)


def sql(walk: Walk) -> None:
    """Questions in SQL."""
    does = walk.does
    does("Query.", "3", sees="Nothing asked yet.")
    does("The queries that are there.", "F2", sees="Named queries", shown=True)
    does("Part of a name.", '"language-cov', sees="Coverage of languages", gone="loudest-authors")
    does("Run it.", "Enter", sees="13 rows", gone="Named queries", shown=True)
    own = '"SELECT platform, count(*) AS posts FROM tweets GROUP BY ALL'
    does("One of my own, in its place (F7 selects all).", "F7", own, "F5", sees="1 row ·")
    does("One with a mistake.", "F7", '"SELECT * FROM tweetz', "F5", sees='Did you mean "tweets"?', shown=True)


def side_by_side(walk: Walk) -> None:
    """A filter, and two models side by side."""
    does = walk.does
    does("From the text to the rows.", "Escape", sees="e export", gone="f8")
    does("Breakdown.", "1", sees="Shares are the classifier's")
    does("Filter.", "f", sees="Which posts")
    does("Only German.", '"German', "Enter", sees="German ▾", gone="Spanish")
    does("All again.", "x", sees=("Spanish", "all languages ▾"))
    does("A second run.", "v", sees="Beside it, line by line")
    does("The first model's.", "Down", "Enter", sees="▲▼ differ", shown=True)
    does("One again.", "x", sees="by language", gone="▲▼")
    does("What is known of the models.", "5", sees="13 languages")
    does("To the last one.", "G", sees="xlt-mini, before it learnt")
    does("Which to compare it with?", "v", sees="Compare xlt-mini-base with")
    does("Nothing, back.", "Escape", sees="xlt-mini, before", gone="Compare xlt-mini-base")


def by_hand(walk: Walk) -> None:
    """Labels by hand."""
    does = walk.does
    does("Label.", "6", sees="Nothing is drawn to be coded yet.", shown=True)
    does("Draw.", "n", sees="Draw texts to code")
    does("Only English.", "Tab", "Tab", "Tab", '"en', "Enter", sees="1 stratum")
    does("Code them.", "Enter", sees="Who codes?")
    does("A name.", '"ada', "Enter", sees="How well do you read English?")
    does("As my own.", "Enter", sees="0 of 200", gone="How well", shown=True)
    does("A label.", "1", sees="1 of 200", shown=True)
    does("And another.", "4", sees="2 of 200")
    does("No, back.", "u", sees="1 of 200")
    does("Which keys are there?", "?", sees="No label fits", shown=True)
    does("Back.", "Escape", sees="1 of 200", gone="No label fits")
    does("To the draws.", "q", sees="for estimate: measures and corrects")


def out_and_in(walk: Walk) -> None:
    """Out, and in again."""
    does = walk.does
    does("Breakdown.", "1", sees="by language ▾")
    does("Everything by its name.", "C-p", sees="Search for commands")
    does("The theme.", '"theme', sees="Change the colours", gone="Group by")
    does("Which one?", "Enter", sees="Search for themes")
    does("A light one.", '"xlt-light', sees="xlt-light", gone="dracula")
    does("That one.", "Enter", sees="by language ▾", gone="xlt-light")
    walk.lights()
    does("Group.", "b", sees="A row for each")
    does("By month.", "Down", "Enter", sees="2022-02", shown=True)
    does("Leave.", "C-q", sees="$", gone="2022-02")
    does("And in again.", '"xlt tui', "Enter", sees=("by month", "2022-02"), shown=True)
    walk.lights()


def first_ten_minutes(walk: Walk) -> None:
    """From an empty folder to coded texts, and back to the same state after a restart."""
    for chapter in (sample, another_model, sql, side_by_side, by_hand, out_and_in):
        walk.begins((chapter.__doc__ or "").rstrip("."))
        chapter(walk)


def record(walk: Walk) -> str:
    """The walk as a page."""
    lines = INTRODUCTION.splitlines()
    for step in walk.steps:
        if step.chapter:
            lines += [*([""] if lines[-1] else []), f"## {step.chapter}", ""]
        lines.append(f"- {step.doing} {step.keys}".rstrip())
        if step.screen is not None:
            lines += ["", "```text", *(line.rstrip() for line in step.screen.rstrip().splitlines()), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Read the command line and walk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="80x24", help="columns x lines")
    parser.add_argument("--record", type=Path, help="write what was seen to this file")
    parser.add_argument("--keep", type=Path, help="walk in this empty folder, and leave it")
    options = parser.parse_args()
    width, height = (int(each) for each in options.size.split("x"))
    folder = options.keep or Path(tempfile.mkdtemp(prefix="xlt-walk-"))
    folder.mkdir(exist_ok=True)
    terminal = Terminal(folder, width, height)
    walk = Walk(terminal)
    try:
        first_ten_minutes(walk)
    except Lost as lost:
        print(lost, file=sys.stderr)
        return 1
    finally:
        terminal.close()
        for step in walk.steps:
            print(f"{step.seconds:5.1f} s  {step.doing} {step.keys}")
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if options.record:
        options.record.write_text(record(walk), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
