"""What would be classified with what: a line of choices, each with its dialog."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from xlt.errors import UsageError
from xlt.tui.choice import Line
from xlt.tui.classify.progress import asked_words
from xlt.tui.filtering import codes_of
from xlt.tui.jobs import Job
from xlt.tui.widgets.bar import Chip
from xlt.tui.widgets.picker import Item, Picker

if TYPE_CHECKING:
    from xlt.tui.classify.screen import ClassifyScreen

_LONGEST = 40
"""Cells of a choice in the line."""


@dataclass
class Setup:
    """What would be classified with what."""

    model: str = "xlt-mini"
    task: str = ""
    """Empty: the one that the model was tuned for."""
    langs: list[str] = field(default_factory=list)
    where: str = ""
    limit: int | None = None

    @staticmethod
    def remembered(state: dict[str, Any]) -> Setup:
        """The setup that was kept; the usual one when that is damaged."""
        found = Setup()
        for name, usual in vars(found).items():
            kept = state.get(name, usual)
            if isinstance(kept, type(usual) if usual is not None else int):
                setattr(found, name, kept)
        return found

    @property
    def asked(self) -> dict[str, Any]:
        """Which posts, as a run's record has it."""
        return {"langs": self.langs, "where": self.where, "limit": self.limit}

    def arguments(self, workspace: Path, corpus: Path) -> list[str]:
        """The arguments of `xlt` that do it."""
        from xlt.engine.process import classify_corpus

        found = classify_corpus(
            workspace, model=self.model, task=self.task, langs=self.langs, where=self.where, limit=self.limit
        )
        # The corpus may not be the workspace's own.
        found[1] = str(corpus.resolve())
        return found


class SetupBar(Horizontal):
    """The choices in a line; a click or a key opens a dialog."""

    class Changed(Message):
        """Something else was chosen."""

    def __init__(self) -> None:
        super().__init__(classes="chips")
        self.setup = Setup()
        self.languages: list[tuple[str, int]] = []
        """(code, posts), the most frequent first."""

    def compose(self) -> ComposeResult:
        for name in ("model", "task", "langs", "where", "limit"):
            yield Chip(f"choose('{name}')", name, name)

    @property
    def _owner(self) -> ClassifyScreen:
        return cast("ClassifyScreen", self.screen)

    def show(self, setup: Setup) -> None:
        """Show what is chosen."""
        self.setup = setup
        said = {
            "model": (setup.model, True),
            "task": (setup.task or "its task", bool(setup.task)),
            "langs": (asked_words({"langs": setup.langs}) if setup.langs else "all languages", bool(setup.langs)),
            "where": (f"where {setup.where}" if setup.where else "no condition", bool(setup.where)),
            "limit": (
                f"the first {setup.limit:,}" if setup.limit is not None else "all posts",
                setup.limit is not None,
            ),
        }
        for chip in self.query(Chip):
            words, active = said[chip.name or ""]
            chip.say(words if len(words) < _LONGEST else words[: _LONGEST - 1] + "…", active)

    def _change(self, **changes: Any) -> None:
        self.show(Setup(**{**vars(self.setup), **changes}))
        self.post_message(self.Changed())

    def choose(self, what: str) -> None:
        """Open the dialog of one choice."""
        setup, app = self.setup, self.app
        if what == "model":
            self._owner.jobs.start("models", self._models, self._choose_model, about="Looking for models")
        elif what == "task":
            app.push_screen(Picker("Task", self._tasks(), setup.task), self._chose_task)
        elif what == "langs":
            there = ", ".join(f"{code} ({posts:,})" for code, posts in self.languages[:8])
            title = "Only these languages, such as en, de, Turkish; none for all"
            app.push_screen(Line(title, ",".join(setup.langs), there), self._chose_langs)
        elif what == "where":
            hint = "created_at >= '2024-01-01' AND country = 'DE'"
            app.push_screen(Line("Only posts for which this SQL condition holds", setup.where, hint), self._chose_where)
        else:
            now = "" if setup.limit is None else str(setup.limit)
            app.push_screen(Line("Only the first so many posts; none for all", now, "1000"), self._chose_limit)

    def _models(self, job: Job) -> list[Item]:
        from xlt.cards.listing import known

        items = []
        for each in known(self._owner.xlt.workspace):
            if each.where == "not downloaded" or each.problem:
                continue
            tuned = f"tuned for {each.task} on {', '.join(each.languages)}" if each.task else "a base model, not tuned"
            items.append(Item(each.name, each.name, each.title, f"{tuned}\n{each.where}, {each.size / 1e9:.2f} GB"))
        return items

    def _choose_model(self, items: list[Item]) -> None:
        self.app.push_screen(Picker("Model", items, self.setup.model), self._chose_model)

    def _tasks(self) -> list[Item]:
        from xlt.tasks.load import builtin_names

        own = [str(path) for path in sorted(self._owner.xlt.workspace.glob("*.toml")) if path.name != "xlt.toml"]
        usual = Item("", "the model's own", "", "The task that the model was tuned for; immigration for a base.")
        return [usual, *(Item(name, name) for name in (*builtin_names(), *own))]

    def _chose_model(self, name: str | None) -> None:
        if name:
            self._change(model=name)

    def _chose_task(self, name: str | None) -> None:
        if name is not None:
            self._change(task=name)

    def _chose_langs(self, given: str | None) -> None:
        if given is None:
            return
        try:
            self._change(langs=list(codes_of(given)))
        except ValueError as error:
            self._owner.fail(UsageError(str(error)))

    def _chose_where(self, given: str | None) -> None:
        if given is not None:
            self._change(where=given.strip())

    def _chose_limit(self, given: str | None) -> None:
        if given is None:
            return
        number = given.strip().replace(",", "")
        if number and not number.isdecimal():
            self._owner.fail(UsageError(f"{given} is no number of posts."))
            return
        self._change(limit=int(number) if number else None)
