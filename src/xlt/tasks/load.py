"""Reads task files (TOML) and refuses bad ones with the line and the reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xlt.errors import UsageError, XltError, at_line
from xlt.tasks.spec import WORDS, Codebook, Example, Label, Normalisation, Rule, Task, Words

BUILTIN = Path(__file__).parent / "builtin"
MAX_LABELS = 32


def builtin_names() -> list[str]:
    """The tasks that ship with xlt."""
    return sorted(path.stem for path in BUILTIN.glob("*.toml"))


def load_task(name: str) -> Task:
    """A built-in task by name, or a user's own by the path of its TOML file.

    Raises UsageError when there is no such task, XltError (file, line, reason) when the file is bad.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = BUILTIN / f"{name}.toml"
        if not path.is_file():
            known = ", ".join(builtin_names())
            raise UsageError(f"There is no task {name!r}; the built-in ones are {known}, or give a .toml file.")
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"There is no task file {name}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise XltError(f"The task file {name} can't be read: {error}.") from None
    if path.parent == BUILTIN:
        return parse_task(source, path.name)
    return replace(parse_task(source, str(path)), source=source)


def find_task(name: str, folder: Path) -> Task:
    """The task that a corpus knows by this name: a built-in one, or that of a .toml file in the folder.

    Raises UsageError when there is none.
    """
    if name in builtin_names() or name.endswith(".toml"):
        return load_task(name)
    for path in sorted(folder.glob("*.toml")):
        try:
            task = load_task(str(path))
        except XltError:
            # Another kind of file; a task that is named itself says what is wrong with it.
            continue
        if task.name == name:
            return task
    raise UsageError(f"The task {name} is not here; put its .toml file into {folder.resolve()}.")


def task_of(name: str, labels: Sequence[str], folder: Path | None = None) -> Task:
    """The task of a run, by the name and the labels that it has; its file may be in the folder.

    Raises UsageError when it is not here.
    """
    try:
        task = load_task(name) if folder is None else find_task(name, folder)
    except XltError:
        there = f"put its .toml file into {folder.resolve()}" if folder else "name its file with --task FILE.toml"
        raise UsageError(f"The run's task {name} is not here; {there}.") from None
    if not set(labels) <= set(task.names):
        raise UsageError(f"The task {name} has other labels than the run ({', '.join(labels)}); name it with --task.")
    return task


def parse_task(source: str, where: str = "task.toml") -> Task:
    """A task from the text of its file; `where` names the file in messages."""
    try:
        tables = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise XltError(f"{where} is no valid TOML: {error}.") from None
    return _Reader(source, where).task(tables)


class _Reader:
    """Checks the tables of one file; knows where in the file a complaint belongs."""

    def __init__(self, source: str, where: str) -> None:
        self.source = source
        self.where = where

    def bad(self, pattern: str, reason: str, nth: int = 0) -> XltError:
        """An error at the nth line that matches the pattern (the first line when none does)."""
        return at_line(self.where, self.source, pattern, reason, nth)

    def task(self, tables: dict[str, Any]) -> Task:
        known = {"name", "version", "title", "description", "labels", "groups", "prompt", "text", "codebook"}
        self._only(tables, known | {"codebook_of"}, "the task", r"\[*{}\b")
        prompt = self._table(tables, "prompt")
        self._only(prompt, {"template", "answer_begins", "max_text_tokens"}, "[prompt]", r"{}\b")
        labels = self._labels(tables)
        name = self._string(tables, "name", "the task")
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise self.bad(r"name\b", f"name {name!r} may hold small letters, digits, - and _ only")
        return Task(
            name=name,
            version=self._string(tables, "version", "the task"),
            title=self._string(tables, "title", "the task", default=name),
            description=self._string(tables, "description", "the task", default=""),
            labels=labels,
            groups=self._groups(tables, labels),
            template=self._template(prompt),
            answer_begins=self._string(prompt, "answer_begins", "[prompt]", default=" ", blank=True),
            max_text_tokens=self._tokens(prompt),
            normalise=self._normalisation(tables),
            codebook=self._codebook(tables, labels),
            coded=self._coded(tables),
        )

    def _only(self, table: dict[str, Any], known: set[str], where: str, pattern: str) -> None:
        for key in table:
            if key not in known:
                raise self.bad(
                    pattern.format(re.escape(key)), f"{where} has no key {key!r}; it knows {', '.join(sorted(known))}"
                )

    def _table(self, tables: dict[str, Any], key: str, default: dict[str, Any] | None = None) -> dict[str, Any]:
        table = tables.get(key, default)
        if not isinstance(table, dict):
            raise self.bad(rf"\[*{key}\b", f"[{key}] is missing or no table")
        return table

    def _string(
        self,
        table: dict[str, Any],
        key: str,
        where: str,
        default: str | None = None,
        nth: int = 0,
        blank: bool = False,
    ) -> str:
        value = table.get(key, default)
        if value is None:
            raise self.bad(
                r"\[\[labels" if where.startswith("label") else re.escape(where), f"{where} lacks {key!r}", nth
            )
        if not isinstance(value, str) or not (value.strip() or blank or value == default):
            raise self.bad(rf"{key}\b", f"{key!r} of {where} must be text in quotes, and not empty", nth)
        return value

    def _labels(self, tables: dict[str, Any]) -> tuple[Label, ...]:
        rows = tables.get("labels")
        if not isinstance(rows, list) or not 2 <= len(rows) <= MAX_LABELS:
            raise self.bad(r"\[*labels", f"a task needs 2 to {MAX_LABELS} [[labels]]")
        labels: list[Label] = []
        for nth, row in enumerate(rows):
            if not isinstance(row, dict):
                raise self.bad(r"\[*labels", "each label is a [[labels]] table", nth)
            where = f"label {nth + 1}"
            self._only(row, {"name", "short", "answer", "colour", "description"}, where, r"{}\b")
            name = self._string(row, "name", where, nth=nth)
            label = Label(
                name=name,
                short=self._string(row, "short", where, default=name),
                answer=self._string(row, "answer", where, nth=nth),
                colour=self._string(row, "colour", where, default="#8a8f98"),
                description=self._string(row, "description", where, default=""),
            )
            if not re.fullmatch(r"#[0-9a-fA-F]{6}", label.colour):
                raise self.bad(r"colour\b", f"colour {label.colour!r} is not like #3b8eea", nth)
            for other in labels:
                if other.name == label.name:
                    raise self.bad(rf"name\s*=\s*.{re.escape(name)}", f"two labels are called {name!r}", 1)
                if other.answer == label.answer:
                    raise self.bad(
                        rf"answer\s*=\s*.{re.escape(label.answer)}",
                        f"{other.name!r} and {name!r} have the same answer {label.answer!r}",
                        1,
                    )
            labels.append(label)
        return tuple(labels)

    def _groups(self, tables: dict[str, Any], labels: tuple[Label, ...]) -> dict[str, dict[str, tuple[str, ...]]]:
        names = {label.name for label in labels}
        groups: dict[str, dict[str, tuple[str, ...]]] = {}
        for group, classes in self._table(tables, "groups", default={}).items():
            header = rf"\[groups\.{re.escape(group)}\]"
            if not isinstance(classes, dict) or len(classes) < 2:
                raise self.bad(header, f"group {group!r} needs two classes or more")
            used: set[str] = set()
            for name, members in classes.items():
                if not isinstance(members, list) or not members:
                    raise self.bad(rf"{re.escape(name)}\b", f"class {name!r} of group {group!r} must list labels")
                for member in members:
                    if member not in names:
                        raise self.bad(
                            rf"{re.escape(name)}\s*=",
                            f"group {group!r} names {member!r}, which is no label of the task",
                        )
                    if member in used:
                        raise self.bad(rf"{re.escape(name)}\s*=", f"group {group!r} counts {member!r} twice")
                    used.add(member)
            groups[group] = {name: tuple(members) for name, members in classes.items()}
        return groups

    def _template(self, prompt: dict[str, Any]) -> str:
        template = self._string(prompt, "template", "[prompt]")
        if template.count("{text}") != 1:
            raise self.bad(r"template\b", f"the template must hold {{text}} once, not {template.count('{text}')} times")
        return template

    def _tokens(self, prompt: dict[str, Any]) -> int:
        tokens = prompt.get("max_text_tokens", 512)
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 8:
            raise self.bad(r"max_text_tokens\b", "max_text_tokens must be a whole number, 8 or more")
        return tokens

    def _normalisation(self, tables: dict[str, Any]) -> Normalisation:
        table = self._table(tables, "text", default={})
        self._only(table, {"unicode", "handles", "links", "strip", "coded"}, "[text]", r"{}\b")
        unicode = table.get("unicode", "NFC")
        if unicode not in ("NFC", "none"):
            raise self.bad(r"unicode\b", "unicode must be 'NFC' or 'none'")
        for key in ("handles", "links"):
            if not isinstance(table.get(key, ""), str):
                raise self.bad(rf"{key}\b", f"{key} must be text in quotes")
        if not isinstance(table.get("strip", True), bool):
            raise self.bad(r"strip\b", "strip must be true or false")
        return Normalisation(unicode, table.get("handles"), table.get("links"), table.get("strip", True))

    def _coded(self, tables: dict[str, Any]) -> Words:
        given = self._table(tables, "text", default={}).get("coded", "own")
        found = next((each for each in WORDS if each == given), None)
        if found is None:
            raise self.bad(r"coded\b", f"coded must be {', '.join(map(repr, WORDS))}, not {given!r}")
        return found

    def _codebook(self, tables: dict[str, Any], labels: tuple[Label, ...]) -> Codebook | None:
        shared = tables.get("codebook_of")
        if shared is not None:
            if shared not in builtin_names():
                raise self.bad(r"codebook_of\b", f"codebook_of names {shared!r}, which is no built-in task")
            return load_task(shared).codebook
        if "codebook" not in tables:
            return None
        book = self._table(tables, "codebook")
        self._only(book, {"version", "target", "uncodable", "rules", "examples"}, "[codebook]", r"\[*(codebook\.)?{}\b")
        names = {label.name for label in labels}
        examples: list[Example] = []
        for nth, row in enumerate(book.get("examples", [])):
            example = Example(*(self._string(row, key, "an example") for key in ("label", "text", "why")))
            if example.label not in names:
                raise self.bad(r"label\b", f"an example has the label {example.label!r}, which the task lacks", nth)
            examples.append(example)
        return Codebook(
            version=self._string(book, "version", "[codebook]"),
            target=self._string(book, "target", "[codebook]"),
            uncodable=self._string(book, "uncodable", "[codebook]"),
            rules=tuple(Rule(*(self._string(row, k, "a rule") for k in ("about", "rule"))) for row in book["rules"])
            if "rules" in book
            else (),
            examples=tuple(examples),
        )
