"""The draws of a corpus, and how far one of them is: as `Rows` draws them, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from xlt.corpus.coding import Item, queue, split
from xlt.corpus.draws import Draw
from xlt.languages import name
from xlt.tui.classify.progress import gauge
from xlt.tui.widgets.rows import GAP, Cell, Column
from xlt.tui.words import one_line

_GAUGE, _LONGEST = 8, 40
"""Cells of a bar at least and at most."""

PURPOSES = {
    "estimate": "measures and corrects; never trained on",
    "train": "a model learns from it; measures nothing",
    "dev": "chooses between models; measures nothing",
}


class DrawRows:
    """The draws, the newest first."""

    def __init__(self, draws: Sequence[Draw]) -> None:
        self.draws = sorted(draws, key=lambda draw: (draw.created_at, draw.id), reverse=True)
        self._gauge = _GAUGE

    def __len__(self) -> int:
        return len(self.draws)

    def row(self, index: int) -> Sequence[Cell]:
        """The cells of a draw."""
        draw = self.draws[index]
        return [
            draw.id,
            draw.purpose,
            one_line(draw.task),
            f"{draw.drawn:,}",
            f"{draw.coded:,}",
            Text(gauge(draw.coded / draw.drawn if draw.drawn else 0.0, self._gauge), "dim"),
        ]

    def columns(self, width: int) -> list[Column]:
        """As wide as they need to be; the bar takes what is left."""
        ids = max((len(draw.id) for draw in self.draws), default=4)
        tasks = max((len(draw.task) for draw in self.draws), default=4)
        found = [
            Column("draw", "draw", ids),
            Column("purpose", "for", 8),
            Column("task", "task", min(20, max(4, tasks))),
            Column("drawn", "drawn", 6, "right"),
            Column("coded", "coded", 6, "right"),
        ]
        self._gauge = max(_GAUGE, min(_LONGEST, _left(found, width)))
        return [*found, Column("gauge", "", self._gauge)]


class Progress:
    """How far each coder is in each language: a row for each language, then all together."""

    def __init__(self, items: Sequence[Item], coder: str | None) -> None:
        """`coder` is who codes here, and stands first."""
        people = {each for item in items for each in item.coders}
        people |= {voice.coder for item in items for voice in item.voices if voice.role == "coder"}
        self.coders = sorted(
            people | ({coder} if coder and not people else set()), key=lambda each: (each != coder, each)
        )
        langs = Counter(each.lang for each in items).most_common()
        parts = [(name(lang), [each for each in items if each.lang == lang]) for lang, _ in langs]
        self._gauge = _GAUGE
        """0: there is no room for a bar."""
        self._parts = [*parts, ("all", list(items))] if len(parts) > 1 else parts

    def __len__(self) -> int:
        return len(self._parts)

    def row(self, index: int) -> Sequence[Cell]:
        """The cells of a language."""
        title, items = self._parts[index]
        coded = sum(bool(each.voices) for each in items)
        cells: list[Cell] = [
            Text(title, "bold" if title == "all" else ""),
            f"{len(items):,}",
            f"{coded:,}",
        ]
        if self._gauge:
            cells.append(Text(gauge(coded / len(items), self._gauge), "dim"))
        for coder in self.coders:
            done = sum(each.by(coder) is not None for each in items)
            given = done + len(queue(items, coder))
            cells.append(Text(f"{done:,} of {given:,}", "" if done < given else "dim") if given else Text("–", "dim"))
        return cells

    def columns(self, width: int) -> list[Column]:
        """A column for each coder; the bar where it fits."""
        found = [
            Column("language", "language", 14),
            Column("drawn", "drawn", 6, "right"),
            Column("coded", "coded", 6, "right"),
        ]
        people = [Column(f"by-{each}", one_line(each), max(10, len(each)), "right") for each in self.coders]
        room = min(_LONGEST, _left((*found, *people), width))
        self._gauge = room if room >= _GAUGE else 0
        return [*found, *([Column("gauge", "", self._gauge)] if self._gauge else []), *people]


def _left(columns: Sequence[Column], width: int) -> int:
    """Cells that a further column can have."""
    return width - 1 - sum(each.width + GAP for each in columns) - GAP


def draw_words(draw: Draw, items: Sequence[Item]) -> str:
    """What a draw is, in a line or two."""
    shared = sum(len(each.coders) > 1 for each in items)
    disputed = len(split(items))
    strata = len(draw.parts)
    drawn = f"{draw.drawn:,} of {draw.frame_size:,} {draw.unit}, {strata} {'stratum' if strata == 1 else 'strata'}"
    parts = [drawn, f"seed {draw.seed}"]
    parts += [f"{shared:,} go to two coders"] if shared else []
    parts += [f"{disputed:,} to settle: d"] if disputed else []
    return f"for {draw.purpose}: {PURPOSES.get(draw.purpose, '')}\n{' · '.join(parts)}"
