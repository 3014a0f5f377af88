"""A run in words and bars: what it is, how far it is, and what it has found so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from xlt.corpus.labelled import Run
from xlt.corpus.shares import Row, counted, fold, pooled
from xlt.engine.follow import RunState
from xlt.engine.words import count, duration
from xlt.languages import name
from xlt.tui.scheme import Scheme, bar, scheme_of
from xlt.tui.widgets.rows import GAP, Cell, Column, Rows
from xlt.tui.words import one_line

_EIGHTHS = " ▏▎▍▌▋▊▉"
LEAST_BAR = 10
STATES = {
    "reading": "reading",
    "loading": "loading",
    "scoring": "at work",
    "writing": "writing",
    "stopped": "stopped",
    "waiting": "waiting",
    "complete": "complete",
}


def gauge(part: float, width: int) -> str:
    """A bar that is `part` full, to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, part)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width, "─")[:width]


def asked_words(asked: dict[str, Any], source: str = "corpus") -> str:
    """Which posts a run is about."""
    parts = [", ".join(name(lang) for lang in asked.get("langs", ()))]
    parts.append(one_line(f"where {asked['where']}") if asked.get("where") else "")
    parts.append(f"the first {asked['limit']:,}" if asked.get("limit") else "")
    said = "; ".join(part for part in parts if part)
    if source != "corpus":
        return f"{source}: {said}" if said else source
    return said or "all posts"


def headline(state: RunState) -> str:
    """How far a run is, in one line."""
    part = f"{100 * state.done / state.total:.0f} %" if state.total else ""
    texts = f"{state.done:,} of {state.total:,} distinct texts   {part}" if state.total else ""
    if state.phase == "scoring" and state.progress is not None:
        rate = f"{count(state.progress.texts_per_second)} texts/s"
        left = state.progress.seconds_left
        return "   ".join([texts, rate, f"ETA {duration(left)}" if left is not None else ""]).rstrip()
    return {
        "reading": "Reading the posts …",
        "loading": f"Loading the model …   {texts}",
        "scoring": texts,
        "writing": f"Writing the predictions …   {texts}",
        # Less than the last count on the screen: blocks that were not finished are scored again.
        "stopped": f"Stopped: {state.done:,} of {state.total:,} distinct texts are kept   {part}"
        if texts
        else "Stopped before it had read the posts",
        "waiting": f"Complete: {texts}; the predictions wait for the corpus",
        "complete": f"Complete: {state.total:,} distinct texts",
    }[state.phase]


def details(state: RunState) -> str:
    """What stands below the headline."""
    staged = state.staged
    if staged is None:
        return ""
    posts = staged.rows - staged.without_text
    distinct = staged.distinct + staged.known
    parts = [f"{staged.rows:,} posts are {distinct:,} distinct texts"]
    if posts and 1 - distinct / posts >= 0.005:
        parts[0] += f" ({100 * (1 - distinct / posts):.0f} % repeats, scored once)"
    parts += [f"{staged.known:,} known before"] if staged.known else []
    parts += [f"{staged.without_text:,} without text"] if staged.without_text else []
    parts += [f"{len(state.pids)} processes"] if len(state.pids) > 1 else []
    parts += ["enter shows its breakdown"] if state.phase == "complete" and state.source == "corpus" else []
    parts += ["r goes on where it was"] if state.resumable else []
    return " · ".join(parts)


class RunRows:
    """The runs of a workspace, the newest first."""

    def __init__(self, states: Sequence[RunState]) -> None:
        self.states = list(states)

    def __len__(self) -> int:
        return len(self.states)

    def row(self, index: int) -> Sequence[Cell]:
        """The cells of a run."""
        state = self.states[index]
        part = state.done / state.total if state.total else 0.0
        at_work = "" if state.at_work else "dim"
        return [
            Text(state.id, at_work),
            Text(state.model, at_work),
            Text(asked_words(state.asked, state.source), at_work),
            Text(f"{state.total:,}" if state.total else "", at_work),
            Text(f"{100 * part:.0f} %" if state.total else "", at_work),
            Text(STATES[state.phase], "bold" if state.at_work else "dim"),
        ]

    def columns(self) -> list[Column]:
        """As wide as they need to be."""
        models = max((len(state.model) for state in self.states), default=5)
        return [
            Column("run", "run", 19),
            Column("model", "model", min(24, max(8, models))),
            Column("posts", "posts", 9, fill=True),
            Column("texts", "texts", 9, "right"),
            Column("done", "done", 5, "right"),
            Column("state", "", 8),
        ]


class SoFar:
    """The labels that a run has given so far, a row for each language, then all together."""

    def __init__(self, state: RunState, rows: Rows, dark: bool) -> None:
        run = Run(state.id, state.model, state.task, "", state.names, state.seen, state.done)
        self.scheme: Scheme = scheme_of(run)
        self._rows, self._dark, self._seen = rows, dark, state.seen
        cells = (((language,), label, texts) for (language, label), texts in state.labels.items())
        found = fold(cells)
        groups = self.scheme.groups
        self.rows = sorted(
            (counted(keys, labels, groups) for keys, labels in found.items()), key=lambda row: (-row.n, row.lang)
        )
        if len(self.rows) > 1:
            self.rows.append(counted((), pooled(found.values()), groups))

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, index: int) -> Sequence[Cell]:
        """The cells of a language."""
        row = self.rows[index]
        title = Text("all" if not row.keys else name(row.lang), "" if row.keys else "bold")
        if row.keys and self._seen and row.lang not in self._seen:
            title.append(" unseen", "dim italic")
        cells: list[Cell] = [title, f"{row.n:,}"]
        if self.scheme.lead:
            cells.append(_percent(row, *self.scheme.lead))
        cells.append(bar(row, self.scheme, self._rows.width_of("bar"), self._dark))
        return [*cells, *(_percent(row, self.scheme.group, each.name) for each in self.scheme.classes)]

    def columns(self, width: int) -> list[Column]:
        """The bar takes what the numbers leave; on a narrow screen it takes their place."""
        found = [Column("language", "so far", 20), Column("texts", "texts", 9, "right")]
        if self.scheme.lead:
            found.append(Column("lead", "on topic %", 10, "right"))
        numbers = [Column(each.name, each.short, 7, "right") for each in self.scheme.classes]
        room = width - sum(each.width + GAP for each in (*found, *numbers)) - 2
        if room < LEAST_BAR:
            numbers = []
        return [*found, Column("bar", "stance", 4, fill=True), *numbers]


def _percent(row: Row, group: str, of: str) -> str:
    share = row.share(group, of)
    return "–" if share is None else f"{100 * share:.1f}"
