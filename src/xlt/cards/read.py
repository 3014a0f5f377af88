"""Reads and writes `card.toml`; a bad one is refused with the file, the line and the reason."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from xlt.cards.card import Card, Scalar, Score
from xlt.disk import write_text
from xlt.errors import XltError, at_line

FILE = "card.toml"
NAME = r"[a-z0-9][a-z0-9._-]*"
HUB_ID = r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
_BACKENDS = ("torch", "mlx")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_card(path: Path) -> Card:
    """The card in a `card.toml`. Raises XltError: file, line, reason."""
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise XltError(f"There is no model card {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise XltError(f"The model card {path} can't be read: {error}.") from None
    return parse_card(source, str(path))


def parse_card(source: str, where: str = FILE) -> Card:
    """A card from the text of its file; `where` names the file in messages."""
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise XltError(f"{where} is no valid TOML: {error}.") from None
    return _Reader(source, where).card(table)


def write_card(path: Path, card: Card) -> None:
    """Write a `card.toml`, whole or not at all. Raises XltError when the disk refuses."""
    write_text(path, card_toml(card))


def card_toml(card: Card) -> str:
    """The text of a card's file; entries that say nothing are left out."""
    lines = []
    for entry in fields(Card):
        value = getattr(card, entry.name)
        if entry.name in ("hub", "shape", "made", "scores") or value in (None, "", (), 0, False):
            continue
        lines.append(f"{entry.name} = {_toml(value)}")
    for name in ("hub", "shape", "made"):
        if table := getattr(card, name):
            lines += ["", f"[{name}]", *(f"{_key(key)} = {_toml(value)}" for key, value in table.items())]
    for score in card.scores:
        lines += ["", "[[scores]]"]
        for entry in fields(Score):
            if (value := getattr(score, entry.name)) not in (None, ""):
                lines.append(f"{entry.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(each) for each in value)}]"
    # A JSON string is a TOML string but for DEL, which TOML wants escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _toml(key)


class _Reader:
    """Checks one file's tables; knows the line that a complaint belongs to."""

    def __init__(self, source: str, where: str) -> None:
        self.source = source
        self.where = where

    def bad(self, key: str, reason: str, nth: int = 0) -> XltError:
        """An error at the nth line that sets the key or opens its table (line 1 when none does)."""
        return at_line(self.where, self.source, re.escape(key) + r"\b", reason, nth)

    def card(self, table: dict[str, Any]) -> Card:
        self.only(table, [entry.name for entry in fields(Card)], "a model card")
        name = self.text(table, "name", None)
        if not re.fullmatch(NAME, name):
            raise self.bad("name", f"name {name!r} may hold small letters, digits, '.', '-' and '_' only")
        return Card(
            name=name,
            title=self.text(table, "title", name),
            description=self.text(table, "description", ""),
            task=self.text(table, "task", "") or None,
            languages=self.languages(table),
            base=self.text(table, "base", "") or None,
            licence=self.text(table, "licence", ""),
            parameters=self.count(table, "parameters", 0),
            hub=self.hub(table),
            gated=self.flag(table, "gated"),
            shape=self.scalars(table, "shape"),
            made=self.scalars(table, "made"),
            scores=self.scores(table),
        )

    def only(self, table: Mapping[str, Any], known: list[str], what: str) -> None:
        for key in table:
            if key not in known:
                raise self.bad(key, f"{what} has no key {key!r}; it knows {', '.join(sorted(known))}")

    def text(self, table: Mapping[str, Any], key: str, default: str | None, nth: int = 0) -> str:
        value = table.get(key, default)
        if value is None:
            raise self.bad(key, f"{key!r} is missing")
        if not isinstance(value, str):
            raise self.bad(key, f"{key!r} must be text in quotes", nth)
        return value

    def count(self, table: Mapping[str, Any], key: str, default: int, nth: int = 0) -> int:
        value = table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.bad(key, f"{key!r} must be a whole number, 0 or more", nth)
        return value

    def flag(self, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.bad(key, f"{key!r} must be true or false")
        return value

    def languages(self, table: Mapping[str, Any]) -> tuple[str, ...]:
        value = table.get("languages", [])
        if not isinstance(value, list) or not all(isinstance(v, str) and re.fullmatch("[a-z]{2,3}", v) for v in value):
            raise self.bad("languages", 'languages must be a list of language codes such as ["en", "de"]')
        if len(set(value)) < len(value):
            raise self.bad("languages", "languages names one twice")
        return tuple(value)

    def table(self, table: Mapping[str, Any], key: str) -> dict[str, Any]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise self.bad(key, f"[{key}] must be a table")
        return value

    def hub(self, table: Mapping[str, Any]) -> dict[str, str]:
        hub = self.table(table, "hub")
        self.only(hub, list(_BACKENDS), "[hub]")
        for backend, repo in hub.items():
            if not isinstance(repo, str) or not re.fullmatch(HUB_ID, repo):
                raise self.bad(backend, f'the hub repository for {backend} must look like "organisation/model"')
        return dict(hub)

    def scalars(self, table: Mapping[str, Any], key: str) -> dict[str, Scalar]:
        found = self.table(table, key)
        for each, value in found.items():
            if not isinstance(value, str | int | float | bool):
                raise self.bad(each, f"{each!r} of [{key}] must be text, a number, true or false")
        return dict(found)

    def scores(self, table: Mapping[str, Any]) -> tuple[Score, ...]:
        rows = table.get("scores", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.bad("scores", "each score is a [[scores]] table")
        return tuple(self.score(row, nth) for nth, row in enumerate(rows))

    def score(self, row: dict[str, Any], nth: int) -> Score:
        self.only(row, [entry.name for entry in fields(Score)], "a score")
        for key in ("metric", "value", "data", "n"):
            if key not in row:
                raise self.bad("scores", f"score {nth + 1} lacks {key!r}", nth)
        for key in ("value", "low", "high"):
            if key in row and (not isinstance(row[key], int | float) or isinstance(row[key], bool)):
                raise self.bad(key, f"{key!r} of score {nth + 1} must be a number", nth)
        return Score(
            metric=self.text(row, "metric", None, nth),
            value=float(row["value"]),
            data=self.text(row, "data", None, nth),
            n=self.count(row, "n", 0, nth),
            language=self.text(row, "language", "", nth),
            low=float(row["low"]) if "low" in row else None,
            high=float(row["high"]) if "high" in row else None,
            of=self.text(row, "of", "", nth),
        )
