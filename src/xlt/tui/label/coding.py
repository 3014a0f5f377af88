"""Coding: one text at a time, one key for each label, and nothing to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from xlt.tui.actions import bindings
from xlt.tui.choice import Choice, Line
from xlt.tui.jobs import Job
from xlt.tui.label import sheet
from xlt.tui.label.book import book_screen, book_text, label_keys, label_mark
from xlt.tui.label.people import People, ask_competence, is_known
from xlt.tui.label.session import Session
from xlt.tui.label.writing import Writer
from xlt.tui.scheme import scheme_of_task
from xlt.tui.screen import XltScreen
from xlt.tui.words import harmless

if TYPE_CHECKING:
    from xlt.corpus.labelled import Run

BESIDE, BOOK_BESIDE = 120, 130
"""Columns from which the languages, and the codebook, stand beside the text."""


class LabelLine(Static):
    """A label with its key; a click gives it."""

    def __init__(self, label: str) -> None:
        super().__init__(classes="label-line")
        self.label = label

    def on_click(self, event: events.Click) -> None:
        event.stop()
        screen = self.screen
        assert isinstance(screen, CodingScreen)
        screen.give(self.label)


class CodingScreen(XltScreen):
    """A coder's way through a draw, or an adjudicator's through what coders disagree on."""

    MODE = "label"
    CSS_PATH = "coding.tcss"
    BINDINGS = bindings("coding")

    def __init__(self, session: Session, people: People, writer: Writer, run: Run | None) -> None:
        super().__init__()
        self.session, self.people, self.writer, self._run = session, people, writer, run
        self.scheme = scheme_of_task(session.task)
        self._keys = label_keys(session.task)
        self._predicted: dict[str, tuple[str, tuple[float, ...]]] = {}
        self._asked: set[str] = set()
        """Languages that the coder was asked about and did not answer for."""

    def body(self) -> ComposeResult:
        with Horizontal(id="head"):
            yield Static(id="where")
            yield Static(id="count")
        with Horizontal(id="desk"):
            with Vertical(id="paper"), Vertical(id="column"):
                yield Static(id="about-text")
                with VerticalScroll(id="sheet", can_focus=False):
                    yield Static(id="text")
                    yield Static(id="said")
                with VerticalScroll(id="labels", can_focus=False):
                    for label in self._keys.values():
                        yield LabelLine(label)
                yield Static(id="last")
            with VerticalScroll(id="side", can_focus=False):
                yield Static(id="languages")
                yield Static(id="book")

    def on_mount(self) -> None:
        self.writer.heard = self._say_count
        self.set_class(self.state.get("book") is True, "-book")
        self._fold()
        self._show()
        self.watch(self.app, "theme", self._show, init=False)

    def load(self) -> None:
        if self._run is not None and not self._predicted:
            self.jobs.start("predictions", self._read, self._predicted.update)

    def _read(self, job: Job) -> dict[str, tuple[str, tuple[float, ...]]]:
        from xlt.corpus.gold import predictions_of

        with job.corpus(self.xlt.corpus) as con:
            return predictions_of(con, self._run.id if self._run else "", self.session.keys)

    # What is shown

    def _show(self) -> None:
        """The text at hand, and all that belongs to it."""
        session, dark = self.session, self.app.current_theme.dark
        item = session.item
        self.set_class(item is None, "-done")
        self.query_one("#where", Static).update(sheet.where(session))
        self._say_count()
        self._say_about()
        self.query_one("#text", Static).update(sheet.body(item) if item else sheet.end(session))
        self.query_one("#said", Static).update(self._said())
        width = max(cell_len(label) for label in self._keys.values()) + 3
        for key, line in zip(self._keys, self.query(LabelLine), strict=True):
            known = next(each for each in session.task.labels if each.name == line.label)
            text = Text.assemble((f"{key}  ", "bold"), label_mark(self.scheme, line.label, dark))
            text.pad_right(width - cell_len(line.label))
            line.update(text.append(known.description, "dim"))
        self.query_one("#last", Static).update(sheet.last(session, self.scheme, dark))
        self.query_one("#languages", Static).update(sheet.languages(session))
        if self.has_class("-book"):
            self.query_one("#book", Static).update(book_text(session.task, self.scheme, dark))
        self.query_one("#sheet").scroll_home(animate=False)
        unasked = item is not None and is_known(item.lang) and item.lang not in self._asked
        if item is not None and unasked and self.people.competence(session.coder, item.lang) is None:
            self._asked.add(item.lang)
            self.call_after_refresh(self.action_competence)

    def _say_about(self) -> None:
        item, coder = self.session.item, self.session.coder
        text = Text("")
        if item is not None:
            reads = self.people.coded_from(coder, item.lang), self.people.competence(coder, item.lang)
            text = sheet.about(self.session, item, *reads, self.has_class("-narrow"))
        self.query_one("#about-text", Static).update(text)

    def _said(self) -> Text:
        session, dark = self.session, self.app.current_theme.dark
        item = session.item
        if item is None:
            return Text("")
        model = None
        if session.sheet.revealed and self._run is not None:
            label, p = self._predicted[item.text_key]
            model = (self._run, label, max(p, default=0.0))
        return sheet.said(session, item, model, self.scheme, dark)

    def _say_count(self) -> None:
        self.query_one("#count", Static).update(sheet.count(self.session, self.writer.waiting))

    def on_resize(self) -> None:
        self._fold()
        self._say_about()

    def _fold(self) -> None:
        self.set_class(self.size.width < BESIDE, "-narrow")
        self.set_class(self.size.width >= BOOK_BESIDE, "-wide")

    # What the coder does

    def on_key(self, event: events.Key) -> None:
        """A label's key; any other number is no key here, least of all one of another screen."""
        key = event.character or ""
        if key in self._keys:
            event.stop()
            self.give(self._keys[key])
        elif key.isdecimal():
            event.stop()

    def give(self, label: str | None) -> None:
        """Label the text at hand, and go on."""
        item = self.session.item
        if item is None:
            return
        self.clear()
        source = self.people.coded_from(self.session.coder, item.lang)
        coding = self.session.code(label, source, self.people.competence(self.session.coder, item.lang))
        if coding is not None:
            self.session.done(coding, self.writer.put(coding))
            self._show()

    def action_label(self) -> None:
        """Choose the label from a list."""
        options = [(label, f"{key}  {label}") for key, label in self._keys.items()]
        asked = Choice("Which label?", options, keys=self._keys)
        self.app.push_screen(asked, lambda label: self.give(label) if label else None)

    def action_uncodable(self) -> None:
        """No label fits; the note says why."""
        session = self.session
        if session.item is None:
            return
        if session.sheet.note:
            self.give(None)
            return

        def why(given: str | None) -> None:
            if given is not None:
                session.sheet.note = given.strip() or None
                self.give(None)

        self.app.push_screen(Line("Why can it not be coded?", "", "no sentence; cut short; not readable"), why)

    def action_skip(self) -> None:
        """The next text; this one comes back at the end."""
        self.clear()
        if self.session.skip():
            self._show()
        elif self.session.item is not None:
            self.tell("It is the last one; there is nothing to skip to.")

    def action_undo(self) -> None:
        """Back to the text before."""
        self.clear()
        step = self.session.undo()
        if step is None:
            self.tell("There is nothing before this text.")
            return
        if step.given is not None:
            self.writer.take_back(*step.given)
        self._show()

    def action_note(self) -> None:
        """Write a note."""
        session = self.session
        if session.item is None:
            self.tell("The note is written before the label: u goes back.")
            return

        def written(given: str | None) -> None:
            if given is not None:
                session.sheet.note = given.strip() or None
                self._show()

        self.app.push_screen(Line("A note, kept with the label", session.sheet.note or ""), written)

    def action_codebook(self) -> None:
        """What the labels mean."""
        if self.has_class("-wide"):
            self.toggle_class("-book")
            self.state["book"] = self.has_class("-book")
            self._show()
            return
        self.app.push_screen(book_screen(self.session.task, self.scheme, self.app.current_theme.dark))

    def action_translation(self) -> None:
        """Between original and translation."""
        item, coder = self.session.item, self.session.coder
        if item is not None:
            now = self.people.coded_from(coder, item.lang)
            self.people.set_coded_from(coder, item.lang, "original" if now == "translation" else "translation")
            self.xlt.settings.save()
            self._show()

    def action_competence(self) -> None:
        """How well the coder reads this language."""
        item, coder = self.session.item, self.session.coder
        if item is None or not is_known(item.lang):
            self.tell("The language of this text is not known.")
            return

        def said(level: str | None) -> None:
            if level is not None:
                self.people.set_competence(coder, item.lang, level)
                self.xlt.settings.save()
                self._show()

        ask_competence(self.xlt, item.lang, self.people.competence(coder, item.lang), said)

    def action_reveal(self) -> None:
        """Show the model's label of this text."""
        item = self.session.item
        if item is None:
            return
        if item.text_key not in self._predicted:
            self.tell("No model has labelled this text.")
            return
        self.session.sheet.revealed = True
        self._show()

    def action_copy(self) -> None:
        """Copy the text."""
        if self.session.item is not None:
            self.app.copy_to_clipboard(harmless(self.session.item.text))
            self.tell("Copied: the text.")

    def action_down(self) -> None:
        """Scroll the text."""
        self.query_one("#sheet").scroll_page_down(animate=False)

    def action_up(self) -> None:
        """Scroll the text."""
        self.query_one("#sheet").scroll_page_up(animate=False)

    def action_book_down(self) -> None:
        """Scroll the codebook."""
        self.query_one("#side").scroll_page_down(animate=False)

    def action_book_up(self) -> None:
        """Scroll the codebook."""
        self.query_one("#side").scroll_page_up(animate=False)
