"""One coder's way through a draw, without a screen: what comes next, what was given, and back again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from xlt.corpus.coding import Coding, Item, Role, Voice, queue, split
from xlt.corpus.draws import Draw
from xlt.tasks.spec import Task


@dataclass
class Sheet:
    """What belongs to a text until it has its label."""

    note: str | None = None
    revealed: bool = False
    """Whether the coder has asked for the model's label; that can't be undone."""


@dataclass(frozen=True)
class Step:
    """Something that the coder did."""

    item: Item
    skipped: bool = False
    given: tuple[Coding, datetime] | None = None
    """None for a label of an earlier day."""


class Session:
    """Texts in order, the first one at hand. An adjudicator gets those on which coders disagree."""

    def __init__(self, draw: Draw, items: Sequence[Item], task: Task, coder: str, role: Role = "coder") -> None:
        self.draw, self.task, self.coder, self.role = draw, task, coder, role
        self._queue = _once(split(items) if role == "adjudicator" else queue(items, coder))
        coded = [(voice, each) for each in _once(items) if (voice := each.by(coder, role)) is not None]
        coded.sort(key=lambda found: found[0].coded_at)
        self._steps = [Step(each) for _, each in coded]
        self._sheets: dict[int, Sheet] = {}
        self.total = Counter(each.lang for each in [*self._queue, *(each for _, each in coded)])
        """Texts by language, coded or not."""

    @property
    def keys(self) -> list[str]:
        """The keys of all texts, coded or not."""
        return [each.text_key for each in (*self._queue, *(step.item for step in self._steps))]

    @property
    def item(self) -> Item | None:
        """The text at hand; None when all is done."""
        return self._queue[0] if self._queue else None

    @property
    def sheet(self) -> Sheet:
        """What belongs to the text at hand."""
        return self._sheets.setdefault(self._queue[0].position, Sheet()) if self._queue else Sheet()

    @property
    def left(self) -> Counter[str]:
        """Texts that are still to be coded, by language."""
        return Counter(each.lang for each in self._queue)

    @property
    def last(self) -> Step | None:
        """What was done last."""
        return self._steps[-1] if self._steps else None

    def before(self) -> Voice | None:
        """The coder's own earlier word on the text at hand, which a new one replaces."""
        return self.item.by(self.coder, self.role) if self.item else None

    def code(self, label: str | None, coded_from: str, competence: str | None) -> Coding | None:
        """The label of the text at hand as it is written; `done` goes on to the next. None when there is no text."""
        item = self.item
        if item is None:
            return None
        sheet = self.sheet
        return Coding(
            item.text_key,
            self.task.name,
            label,
            self.coder,
            self.draw.id,
            item.tweet_id,
            self.task.codebook.hash if self.task.codebook else None,
            sheet.note,
            self.role,
            "translation" if coded_from == "translation" else "original",
            competence,
            not sheet.revealed,
        )

    def done(self, coding: Coding, at: datetime) -> None:
        """The text at hand has its label."""
        self._steps.append(Step(self._queue.pop(0), given=(coding, at)))

    def skip(self) -> bool:
        """The next text; this one comes back at the end. False when there is no other."""
        if len(self._queue) < 2:
            return False
        if self.before() is not None:
            # A text of an earlier day that was only looked at again.
            self._steps.append(Step(self._queue.pop(0)))
            return True
        self._queue.append(self._queue.pop(0))
        self._steps.append(Step(self._queue[-1], skipped=True))
        return True

    def undo(self) -> Step | None:
        """Back to the text before; the step that is undone, whose label, if it has one here, is to be taken back."""
        if not self._steps:
            return None
        step = self._steps.pop()
        if step.skipped:
            self._queue.remove(step.item)
        self._queue.insert(0, step.item)
        return step


def _once(items: Sequence[Item]) -> list[Item]:
    """Without the later ones of posts that have the same text: a label is the text's."""
    first: dict[str, Item] = {}
    for each in items:
        first.setdefault(each.text_key, each)
    return list(first.values())
