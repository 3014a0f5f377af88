"""What Breakdown shows, without a screen: rows of one run or of two, their curves, and what must be said below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from xlt.corpus.filters import Filter
from xlt.corpus.shares import Row
from xlt.languages import name
from xlt.tui import filtering
from xlt.tui.breakdown import hand
from xlt.tui.scheme import Scheme
from xlt.tui.words import one_line

if TYPE_CHECKING:
    from xlt.corpus.breakdown import Answer, Question, Unit
    from xlt.corpus.labelled import Run
    from xlt.corpus.leash import Connection
    from xlt.corpus.overview import Overview
    from xlt.corpus.trend import Trend

BY = {
    "lang": "language",
    "month": "month",
    "week": "week",
    "year": "year",
    "country": "country",
    "seen": "seen by the model",
    "run": "run",
    "platform": "platform",
    "source": "import",
}
UNITS: tuple[Unit, ...] = ("posts", "texts", "authors")
PERIODS = ("month", "week", "year")


@dataclass(frozen=True)
class View:
    """What the user asks for."""

    by: str = "lang"
    unit: Unit = "posts"
    filter: Filter = field(default_factory=Filter)
    second: str | None = None
    """Another run beside the first."""
    sort: str = ""
    """A column's id; empty is the order of the breakdown."""
    descending: bool = True
    corrected: bool = False
    """Shares corrected by hand labels, with intervals, in place of the classifier's own."""

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return {"by": self.by, "unit": self.unit, "second": self.second, "sort": self.sort} | {
            "descending": self.descending,
            "corrected": self.corrected,
            "filter": filtering.kept(self.filter),
        }


def remembered(state: dict[str, Any]) -> View:
    """The view that `kept` gave, as far as that makes sense."""
    by, unit = state.get("by"), state.get("unit")
    second, sort = state.get("second"), state.get("sort")
    return View(
        by=by if by in BY else "lang",
        unit=cast("Unit", unit) if unit in UNITS else "posts",
        filter=filtering.remembered(state.get("filter", {})),
        second=second if isinstance(second, str) else None,
        sort=sort if isinstance(sort, str) else "",
        descending=state.get("descending") is not False,
        corrected=state.get("corrected") is True,
    )


@dataclass(frozen=True)
class Pair:
    """One row of the screen: of one run, or of two."""

    key: str | None
    title: str
    first: Row
    second: Row | None = None
    unseen: bool = False


@dataclass(frozen=True)
class Board:
    """A breakdown, ready to be drawn."""

    view: View
    run: Run | None
    second: Run | None
    scheme: Scheme | None
    """None where no run has labelled anything yet."""
    rows: tuple[Pair, ...]
    total: Pair
    notes: tuple[str, ...]
    unit: Unit = "posts"
    """What n counts: of corrected shares what was drawn, whatever was asked for."""
    runs: tuple[Run, ...] = ()
    """Whose labels are counted."""


def ask(con: Connection, view: View, about: Overview, chosen: str | None, scheme_of: Callable[[Run], Scheme]) -> Board:
    """Ask an open corpus. Raises XltError."""
    run = about.run(chosen)
    question = asked(view)
    if run is None:
        return _unlabelled(con, view, question)
    second = about.run(view.second) if view.second and view.by != "run" else None
    if second is not None and (second.id == run.id or second.task_hash != run.task_hash):
        second = None
    scheme = scheme_of(run)
    runs = [each for each in about.runs if each.task_hash == run.task_hash] if view.by == "run" else [run]
    if view.corrected:
        found = hand.corrected(con, view, run, question)
        first, notes = found.corrected(), ["Shares are corrected by hand labels.", *found.notes]
    else:
        first = _answer(con, question, runs, scheme)
        notes = [scheme.missing or "Shares are the classifier's, uncorrected.", *hand.invitation(con, run)]
    beside = _answer(con, question, [second], scheme) if second else None
    there = {row.keys[0]: row for row in beside.rows} if beside else {}
    models = {each.id: each.model for each in about.runs}
    pairs = tuple(
        Pair(
            row.keys[0],
            _title(view.by, row.keys[0], models),
            row,
            there.get(row.keys[0]),
            view.by == "lang" and bool(run.seen) and row.keys[0] not in (*run.seen, "und", None),
        )
        for row in first.rows
    )
    total = Pair(None, "all", first.total, beside.total if beside else None)
    if first.unit != "posts" or view.corrected:
        notes.append(_unit_words(first.unit))
    if first.without_label:
        notes.append(f"{first.without_label:,} posts have no prediction and are in no count.")
    if first.without_author and view.unit == "authors":
        notes.append(f"{first.without_author:,} posts have no known author and are in no count.")
    shown = (*runs, second) if second else tuple(runs)
    return Board(view, run, second, scheme, pairs, total, tuple(notes), first.unit, shown)


def asked(view: View) -> Question:
    """The question of the command line that a view stands for."""
    # Not at the top: with what it imports it would be seen in the first paint.
    from xlt.corpus.breakdown import Question

    given = {name: getattr(view.filter, name) for name in view.filter.__dataclass_fields__}
    return Question(by=(view.by,), unit=view.unit, **given)


def _unlabelled(con: Connection, view: View, question: Question) -> Board:
    from xlt.corpus.breakdown import posts_by
    from xlt.corpus.labelled import without_labels

    view = replace(view, by="lang" if view.by in ("run", "seen") else view.by)
    rows = posts_by(con, without_labels(), replace(question, by=(view.by,), unit="posts", least=None, most=None))
    pairs = tuple(Pair(row.keys[0], _title(view.by, row.keys[0]), row) for row in rows)
    total = Pair(None, "all", Row((), sum(row.n for row in rows), {}, {}, {}))
    return Board(view, None, None, None, pairs, total, ("No model has labelled these posts yet.",))


def curves(con: Connection, board: Board) -> Trend | None:
    """Posts on topic over time for every row of a board."""
    if board.run is None or board.scheme is None or board.view.by in (*PERIODS, "run") or board.view.corrected:
        return None
    from xlt.corpus.labelled import from_corpus
    from xlt.corpus.trend import trend

    question = asked(replace(board.view, unit="posts"))
    return trend(con, from_corpus(con, [board.run]), question, board.scheme.on_topic)


def ordered(board: Board) -> list[Pair]:
    """The rows as the view sorts them; what has no such figure comes last, all together at the very end."""
    view, scheme = board.view, board.scheme
    if not view.sort:
        return [*board.rows, board.total]

    def figure(pair: Pair) -> float | str | None:
        if view.sort == "key":
            return pair.title.casefold()
        if view.sort == "n" or scheme is None:
            return pair.first.n
        if view.sort == "topic":
            return pair.first.share(*scheme.lead) if scheme.lead else None
        known = pair.first.counts.get(scheme.group, {})
        return pair.first.share(scheme.group, view.sort) if view.sort in known else None

    known = [(figure(pair), pair) for pair in board.rows]
    there = sorted([each for each in known if each[0] is not None], key=lambda each: cast("Any", each[0]))
    if view.descending:
        there.reverse()
    return [pair for _, pair in there] + [pair for value, pair in known if value is None] + [board.total]


def _answer(con: Connection, question: Question, runs: list[Run], scheme: Scheme) -> Answer:
    from xlt.corpus.breakdown import breakdown
    from xlt.corpus.labelled import all_of_run, from_corpus

    source = all_of_run(con, runs[0]) if len(runs) == 1 else from_corpus(con, runs)
    if question.unit != "authors":
        # Counting who wrote what costs as much again, and nothing here shows it.
        source = replace(source, columns=replace(source.columns, author=None))
    return breakdown(con, source, question, scheme.groups, scheme.labels)


def _title(by: str, key: str | None, models: dict[str, str] | None = None) -> str:
    if by == "lang":
        return one_line(name(key or "und"))
    if key is None:
        return {"seen": "language unknown", "country": "no country", "month": "no date"}.get(by, "–")
    if by == "run" and models and key in models:
        return one_line(f"{models[key]} ({key})")
    return one_line(key)


def _unit_words(unit: Unit) -> str:
    return {
        "posts": "n counts posts.",
        "texts": "n counts distinct texts.",
        "authors": "n counts authors, each once, with the shares of their own posts.",
    }[unit]
