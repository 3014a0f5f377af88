"""What Posts reads of the corpus, in jobs: a selection with the lines that are seen first, more lines, one post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlt.corpus.selection import Numbers, Wanted, part
from xlt.tui.posts.pages import PAGE

if TYPE_CHECKING:
    from xlt.corpus.labelled import Run
    from xlt.corpus.leash import Connection
    from xlt.corpus.pages import Line


@dataclass(frozen=True)
class Window:
    """What was seen before of a list: the new one opens there when it is as long."""

    length: int | None
    """None where nothing was seen yet."""
    cursor: int
    top: int
    height: int
    """Lines of the list, perhaps not known yet."""

    def place(self, length: int) -> int:
        """Where the cursor will stand in a list of this length."""
        return min(self.cursor, max(0, length - 1)) if length == self.length else 0

    def pages(self, length: int) -> range:
        """The pages of which something will be seen."""
        cursor, height = self.place(length), max(1, self.height)
        top = max(min(self.top if length == self.length else 0, cursor), cursor - height + 1)
        return range(top // PAGE, (min(top + height, max(1, length)) - 1) // PAGE + 1)


@dataclass(frozen=True)
class Found:
    """A selection, with what is seen of it first."""

    numbers: Numbers
    cursor: int
    seen: range
    """Pages."""
    pages: list[tuple[int, list[Line]]]


def beside(seen: range, length: int) -> list[int]:
    """The pages before and after those that are seen."""
    last = max(0, length - 1) // PAGE
    return [each for each in (seen.stop, seen.start - 1) if 0 <= each <= last]


def select(con: Connection, wanted: Wanted, run: Run | None, before: Window) -> Found:
    """The posts that are wanted, and the lines that will be seen of them."""
    from xlt.corpus.selection import select

    numbers = select(con, wanted, run)
    seen = before.pages(len(numbers))
    return Found(numbers, before.place(len(numbers)), seen, read_pages(con, numbers, seen, run.id if run else None))


def read_pages(
    con: Connection, numbers: Numbers, pages: Sequence[int], run: str | None
) -> list[tuple[int, list[Line]]]:
    """These pages of a selection: in one go, since each would read all predictions."""
    from xlt.corpus.pages import page

    of = {number: part(numbers, number * PAGE, (number + 1) * PAGE) for number in pages}
    lines = {line.number: line for line in page(con, [each for rows in of.values() for each in rows], run)}
    return [(number, [lines[row] for row in rows if row in lines]) for number, rows in of.items()]
