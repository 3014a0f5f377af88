"""The SQL editor: colours nothing, weighs keywords; offers what could be meant while you write."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import OptionList, TextArea
from textual.widgets.option_list import Option

from xlt.corpus.completion import Candidate, Words, complete, word_before
from xlt.tui.actions import bindings

_LOOKS = {
    "keyword": Style(bold=True),
    "string": Style(italic=True),
    "comment": Style(dim=True),
    "number": Style(),
}
_SHORTEST = 2
"""Characters of a word from which candidates come by themselves."""


class Candidates(OptionList, can_focus=False):
    """What could be meant, below the cursor."""

    def on_mount(self) -> None:
        self.display = False


class SqlEditor(TextArea):
    """A text area that knows SQL. Its words come when the corpus has told them; until then it is a plain one."""

    BINDINGS = bindings("editor")

    class Left(Message):
        """The user goes from the text to the rows."""

    def __init__(self, candidates: Candidates, *, id: str | None = None) -> None:
        super().__init__(
            soft_wrap=True, tab_behavior="indent", show_line_numbers=True, highlight_cursor_line=False, id=id
        )
        self.words: Words | None = None
        self._candidates = candidates
        self._offered: list[Candidate] = []
        self._chosen = False
        self._looks: tuple[str, dict[int, list[tuple[int, int, Style]]]] = ("", {})

    # Where the cursor is, in characters

    @property
    def cursor(self) -> int:
        """Characters before the cursor."""
        row, column = self.cursor_location
        return sum(len(line) + 1 for line in self.text.split("\n")[:row]) + column

    def place(self, script: str, cursor: int) -> None:
        """Put in another text, with the cursor there."""
        self.load_text(script)
        row = script.count("\n", 0, cursor)
        self.move_cursor((row, cursor - (script.rfind("\n", 0, cursor) + 1)))

    # Looks

    def get_line(self, line_index: int) -> Text:
        line = super().get_line(line_index)
        for start, end, style in self._marks().get(line_index, ()):
            line.stylize(style, start, end)
        return line

    def _marks(self) -> dict[int, list[tuple[int, int, Style]]]:
        """Line → (begin, end, style). DuckDB tells its own words apart, so there is no grammar to go wrong."""
        if self.words is None:
            return {}
        script = self.text
        if self._looks[0] != script:
            from xlt.corpus.statements import tokens

            found: dict[int, list[tuple[int, int, Style]]] = {}
            lines = script.split("\n")
            starts = [0]
            for line in lines:
                starts.append(starts[-1] + len(line) + 1)
            number = 0
            for start, end, kind in tokens(script):
                # `label` and `text` are keywords too, and mostly columns.
                if kind == "keyword" and script[start:end].upper() not in self.words.reserved:
                    continue
                while start >= starts[number + 1]:
                    number += 1
                at = number
                while at < len(lines) and starts[at] < end:
                    begin, stop = max(start - starts[at], 0), min(end - starts[at], len(lines[at]))
                    found.setdefault(at, []).append((begin, stop, _LOOKS[kind]))
                    at += 1
            self._looks = (script, found)
        return self._looks[1]

    def know(self, words: Words) -> None:
        """The corpus has told its words."""
        self.words = words
        # Lines that were drawn without them are kept otherwise.
        self.notify_style_update()

    # Candidates

    def on_text_area_changed(self) -> None:
        self._offer(least=_SHORTEST)

    def _offer(self, least: int) -> None:
        if self.words is None or not self.has_focus:
            return
        script, cursor = self.text, self.cursor
        word = word_before(script, cursor)
        before = script[: cursor - len(word)]
        if len(word) < least and not before.endswith((".", "$")):
            self.close()
            return
        self._offered = complete(self.words, script, cursor)
        self._chosen = False
        if not self._offered:
            self.close()
            return
        box = self._candidates
        box.clear_options()
        width = max(len(each.text) for each in self._offered)
        abouts = max(len(each.about or each.kind) for each in self._offered)
        for each in self._offered:
            line = Text(each.text.ljust(width + 2)).append(each.about or each.kind, "dim")
            box.add_option(Option(line))
        box.highlighted = 0
        # Two between them, one at each side, one for the scroll bar.
        box.styles.width = min(72, width + abouts + 5)
        # Below the word's beginning.
        x, y = self.cursor_screen_offset
        box.styles.offset = (max(0, x - len(word) - 1), y + 1)
        box.display = True

    def close(self) -> bool:
        """Take the candidates away; whether there were any."""
        was = self._candidates.display
        self._candidates.display = False
        return bool(was)

    def accept(self, index: int) -> None:
        """Put a candidate in place of the word before the cursor."""
        if not 0 <= index < len(self._offered):
            return
        word = word_before(self.text, self.cursor)
        row, column = self.cursor_location
        self.replace(self._offered[index].text, (row, column - len(word)), (row, column))
        self.close()

    async def _on_key(self, event: events.Key) -> None:
        box = self._candidates
        if box.display:
            if event.key in ("down", "up"):
                (box.action_cursor_down if event.key == "down" else box.action_cursor_up)()
                self._chosen = True
            elif event.key == "tab" or (event.key == "enter" and self._chosen):
                self.accept(box.highlighted or 0)
            elif event.key == "escape":
                self.close()
            else:
                await super()._on_key(event)
                return
            event.prevent_default()
            event.stop()
        elif event.key != "escape":
            # A text area would take escape to mean the next widget; here it is an action.
            await super()._on_key(event)
        else:
            event.prevent_default()

    def on_blur(self) -> None:
        self.close()

    def action_complete(self) -> None:
        """Offer what could be meant here."""
        self._offer(least=0)

    def action_leave(self) -> None:
        """To the rows."""
        if not self.close():
            self.post_message(self.Left())
