"""The posts of a selection as `Rows` draws them: pages that are asked for when they are seen, and few of them kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from rich.style import Style
from rich.text import Text

from xlt.corpus.pages import Line
from xlt.corpus.selection import Numbers, part
from xlt.languages import name
from xlt.tui.scheme import Scheme, ink
from xlt.tui.widgets.rows import Cell, Column
from xlt.tui.words import marked, one_line

PAGE = 48
"""Posts of a page, about as many as are seen: in an order of their own each lies elsewhere in the file."""
WITH_LANGUAGE = 68
"""Cells of the list from which it has a column for the language, which stands beside the text too."""
KEPT = 64
"""Pages in memory."""
FOUND = Style(reverse=True)


class Pages:
    """A window on a selection of any size."""

    def __init__(
        self, numbers: Numbers, scheme: Scheme | None, columns: Sequence[Column], want: Callable[[int], None]
    ) -> None:
        """`want` is told the number of a page that is seen and not here."""
        self.numbers, self.scheme, self.columns = numbers, scheme, tuple(columns)
        self.words: str | None = None
        """What was searched for."""
        self.dark = True
        self._want = want
        self._pages: OrderedDict[int, list[Line | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self.numbers)

    def has(self, page: int) -> bool:
        """Whether a page is here."""
        return page in self._pages

    def numbers_of(self, page: int) -> Sequence[int]:
        """The row numbers of a page."""
        return part(self.numbers, page * PAGE, (page + 1) * PAGE)

    def put(self, page: int, lines: Sequence[Line]) -> None:
        """A page has come."""
        found = {line.number: line for line in lines}
        self._pages[page] = [found.get(number) for number in self.numbers_of(page)]
        self._pages.move_to_end(page)
        while len(self._pages) > KEPT:
            self._pages.popitem(last=False)

    def forget(self) -> None:
        """Drop every page: the corpus has changed."""
        self._pages.clear()

    def line(self, index: int) -> Line | None:
        """A post; None when it is not here, or gone."""
        page = self._pages.get(index // PAGE)
        return page[index % PAGE] if page and index % PAGE < len(page) else None

    def row(self, index: int) -> Sequence[Cell] | None:
        """The cells of a post."""
        page = index // PAGE
        if page not in self._pages:
            self._want(page)
            return None
        line = self.line(index)
        if line is None:
            return [""] * (len(self.columns) - 1) + [Text("erased since", "dim")]
        return [self._cell(column.id, line) for column in self.columns]

    def _cell(self, column: str, line: Line) -> Cell:
        if column == "date":
            return line.created_at.date().isoformat() if line.created_at else Text("no date", "dim")
        if column == "language":
            return name(line.language)
        if column == "label":
            return label_text(self.scheme, line.label, self.dark)
        if column == "confidence":
            return "" if line.confidence is None else percent(line.confidence)
        if not line.text:
            return Text("no text", "dim")
        return marked(one_line(line.text), self.words, FOUND)


def label_text(scheme: Scheme | None, label: str | None, dark: bool) -> Text:
    """A label in its colour and behind its pattern; one outside the bar is dim."""
    if label is None or scheme is None:
        return Text("–", "dim")
    found = scheme.of_label(label)
    short = scheme.shorts.get(label, label)
    if found is None:
        return Text(f"  {short}", "dim")
    return Text.assemble((found.shade, ink(found.colour, dark)), f" {short}")


def percent(share: float) -> str:
    """A probability as `.52`; a sure one as `1.0`."""
    return "1.0" if share >= 0.995 else f"{share:.2f}".removeprefix("0")


def columns_for(width: int, labelled: bool, language: bool) -> tuple[Column, ...]:
    """The columns that fit; the text takes what is left, and comes last: some scripts turn a line around."""
    found = [Column("date", "date", 10)]
    if language and width >= WITH_LANGUAGE:
        found.append(Column("language", "language", 10))
    if labelled:
        found.append(Column("label", "label", 11))
        found.append(Column("confidence", "conf", 4, "right"))
    return (*found, Column("text", "text", 16, fill=True))
