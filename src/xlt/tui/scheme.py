"""How a run's labels are drawn: names, colours and patterns, and which group of classes is the bar."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.color import Color
from rich.style import Style
from rich.text import Text

from xlt.corpus.shares import SHADES, Groups, Row, groups_of
from xlt.errors import UsageError

if TYPE_CHECKING:
    from xlt.corpus.labelled import Run
    from xlt.tasks.spec import Task

GREY = "#8a8f98"
# For a task that is not here: in the order of its labels.
_SPARE = ("#3b8eea", "#8a8f98", "#e8853a", "#5c6068")


@dataclass(frozen=True)
class Class:
    """One part of a bar."""

    name: str
    short: str
    labels: tuple[str, ...]
    colour: str
    shade: str


@dataclass(frozen=True)
class Scheme:
    """What a screen must know of a task."""

    labels: tuple[str, ...]
    shorts: dict[str, str]
    colours: dict[str, str]
    groups: Groups
    lead: tuple[str, str] | None
    """(group, class) of the share that stands before the bar, such as `related` of `topic`; None without one."""
    group: str
    """The group of the bar."""
    classes: tuple[Class, ...]
    missing: str | None = None
    """A sentence when the run's task is not here."""

    @property
    def on_topic(self) -> tuple[str, ...]:
        """The labels that are in the bar."""
        return tuple(label for each in self.classes for label in each.labels)

    def of_label(self, label: str | None) -> Class | None:
        """The part of the bar that a label falls into; None for one that is in none, such as `unrelated`."""
        return next((each for each in self.classes if label in each.labels), None)


def scheme_of(run: Run) -> Scheme:
    """The scheme of a run's task, or of its bare labels when the task is not here."""
    from xlt.tasks.load import task_of

    try:
        task = task_of(run.task, run.labels)
    except UsageError as error:
        colours = {label: _SPARE[at % len(_SPARE)] for at, label in enumerate(run.labels)}
        return _scheme(run.labels, dict(zip(run.labels, run.labels, strict=True)), colours, {}, str(error))
    return scheme_of_task(task)


def scheme_of_task(task: Task) -> Scheme:
    """The scheme of a task."""
    shorts = {label.name: label.short for label in task.labels}
    return _scheme(task.names, shorts, {label.name: label.colour for label in task.labels}, task.groups)


def _scheme(
    labels: Sequence[str], shorts: dict[str, str], colours: dict[str, str], groups: Groups, missing: str | None = None
) -> Scheme:
    known = groups_of(groups, labels)
    lead = next(((name, next(iter(classes))) for name, classes in known.items() if len(classes) == 2), None)
    group = next((name for name, classes in known.items() if len(classes) > 2), next(iter(known)))
    if lead and lead[0] == group:
        lead = None
    classes = tuple(
        Class(name, shorts.get(members[0], name) if len(members) == 1 else name, members, colours[members[0]], shade)
        for (name, members), shade in zip(known[group].items(), SHADES, strict=False)
    )
    return Scheme(tuple(labels), shorts, colours, known, lead, group, classes, missing)


def ink(colour: str, dark: bool) -> Style:
    """A colour of a task as text: darker on a light background, where it would be too faint."""
    if dark:
        return Style(color=colour)
    triplet = Color.parse(colour).get_truecolor()
    return Style(color=Color.from_rgb(*(0.72 * part for part in triplet)))


def bar(row: Row, scheme: Scheme, width: int, dark: bool, chosen: int | None = None) -> Text:
    """A stacked bar of a row; the part `chosen` stands out."""
    text = Text(no_wrap=True)
    if not row.bases.get(scheme.group):
        return Text("no posts on topic" if scheme.lead else "no labels", "dim")
    if all(row.share(scheme.group, each.name) is None for each in scheme.classes):
        return Text("not estimable", "dim")
    for at, (each, length) in enumerate(zip(scheme.classes, row.lengths(scheme.group, width), strict=True)):
        style = ink(each.colour, dark)
        if chosen is not None and at != chosen:
            style += Style(dim=True)
        text.append(each.shade * length, style)
    return text


def part_at(row: Row, scheme: Scheme, width: int, at: float) -> int | None:
    """Which part of a row's bar lies at `at` (0 to 1 of its width); None beyond its end."""
    end, place = 0, at * width
    for number, length in enumerate(row.lengths(scheme.group, width)):
        end += length
        if place < end:
            return number
    return None


def spark(values: Sequence[int], width: int) -> str:
    """A small curve from nothing (a gap) to the highest; neighbours are averaged where there are more than cells."""
    if not any(values):
        return ""
    cells = min(width, len(values))
    edges = [round(at * len(values) / cells) for at in range(cells + 1)]
    means = [sum(values[start:end]) / (end - start) for start, end in itertools.pairwise(edges)]
    return "".join("▁▂▃▄▅▆▇█"[min(7, int(8 * each / max(means)))] if each else " " for each in means)
