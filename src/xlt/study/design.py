"""A study of transfer between languages: which models are made from which languages, and how they are tested.

A study is a TOML file. It unfolds into cells: one way of labelling the test rows each, with everything that decides its
labels in its key, so that a finished cell is never run twice and a changed study runs only what is new.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from xlt.errors import XltError, at_line
from xlt.languages import canonical
from xlt.languages import name as name_of

Strategy = Literal["finetune", "translate-test", "zero-shot", "few-shot", "ngrams", "commonest"]
Shown = Literal["same", "en", "mixed"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
TUNED: tuple[Strategy, ...] = ("finetune", "translate-test")
PROMPTED: tuple[Strategy, ...] = ("zero-shot", "few-shot")
_KEYS = {
    "name", "task", "train", "test", "sets", "shots", "shots_on", "seeds", "bases", "recipes", "settings",
    "strategies", "few_shot", "text_column", "label_column", "lang_column", "translation_column", "group_column",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One way of labelling the test rows."""

    strategy: Strategy
    set: str = ""
    """The training set as the study calls it, such as `en+es`; empty where nothing is trained on."""
    langs: tuple[str, ...] = ()
    shots: tuple[tuple[str, int], ...] = ()
    """Languages of which a few examples are added, with how many."""
    seed: int = 0
    base: str = ""
    recipe: str = ""
    shown: str = ""
    """few-shot: whose examples are in the prompt."""
    k: int = 0
    """few-shot: how many."""

    @property
    def base_name(self) -> str:
        """The base; of one that is named by its path, the folder's name."""
        return Path(self.base).name if Path(self.base).is_absolute() else self.base

    @property
    def key(self) -> str:
        """What the cell is, readable, and the name of its folder."""
        shots = "".join(f"+{lang}{number}" for lang, number in self.shots)
        parts = [self.strategy, f"{self.set}{shots}", self.base.rsplit("/", 1)[-1], self.recipe, self.shown]
        plain = "_".join(re.sub(r"[^A-Za-z0-9.+-]", "-", part) for part in parts if part)
        return f"{plain}_s{self.seed}-{self._digest()}"

    def seen(self) -> tuple[str, ...]:
        """Languages with labels in training or in the prompt."""
        return tuple(sorted({*self.langs, *(lang for lang, number in self.shots if number)}))

    def _digest(self) -> str:
        packed = json.dumps([self.langs, self.shots, self.base, self.recipe, self.shown, self.k])
        return hashlib.sha256(packed.encode()).hexdigest()[:6]


@dataclass(frozen=True)
class Study:
    """A study file, checked."""

    path: Path
    name: str
    task: str
    train: Path
    test: Path
    cells: tuple[Cell, ...]
    settings: tuple[str, ...]
    """`key=value` changes of every recipe."""
    columns: Mapping[str, str]
    """Named columns: text, label, lang, translation, group; what is not named is found by its name."""

    @property
    def folder(self) -> Path:
        """Where the study's cells and tables lie: beside the file, under its name."""
        return self.path.with_suffix("")


def shard_of(cells: Sequence[Cell], k: int, n: int) -> list[Cell]:
    """The k-th of n parts of the cells; those that use the same tuned model stay together."""
    models = dict.fromkeys(replace(cell, strategy="finetune") if cell.strategy in TUNED else cell for cell in cells)
    mine = set(list(models)[k - 1 :: n])
    return [cell for cell in cells if (replace(cell, strategy="finetune") if cell.strategy in TUNED else cell) in mine]


def load_study(path: Path) -> Study:
    """Read and unfold a study. Raises XltError (file, line, reason)."""
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise XltError(f"The study {path} can't be read: {(error.strerror or str(error)).lower()}.") from None
    except UnicodeDecodeError:
        raise XltError(f"The study {path} is not UTF-8 text; save it as UTF-8.") from None
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise XltError(f"{path} is no valid TOML: {error}.") from None
    return _Reader(path, source, table).study()


class _Reader:
    """Checks one file; every complaint names its line."""

    def __init__(self, path: Path, source: str, table: dict[str, Any]) -> None:
        self.path, self.source, self.table = path, source, table

    def bad(self, key: str, reason: str) -> XltError:
        """The refusal, at the line of the key where there is one."""
        return at_line(str(self.path), self.source, re.escape(key) + r"\b", reason)

    def study(self) -> Study:
        for key in self.table:
            if key not in _KEYS:
                raise self.bad(key, f"a study has no key {key!r}; it knows {', '.join(sorted(_KEYS))}")
        columns = {
            name: self._text(f"{name}_column") for name in ("text", "label", "lang", "translation", "group")
            if f"{name}_column" in self.table
        }  # fmt: skip
        return Study(
            path=self.path,
            name=self._text("name", self.path.stem),
            task=self._text("task", "immigration"),
            train=self._file("train"),
            test=self._file("test"),
            cells=self._cells(),
            settings=self._settings(),
            columns=columns,
        )

    def _cells(self) -> tuple[Cell, ...]:
        strategies = self._names("strategies", ["finetune", "ngrams", "commonest"])
        for each in strategies:
            if each not in STRATEGIES:
                raise self.bad("strategies", f"there is no strategy {each!r}; there are {', '.join(STRATEGIES)}")
        sets = self._sets()
        bases, recipes = self._names("bases", ["xlt-mini-base"]), self._names("recipes", ["default"])
        seeds = self._seeds()
        cells: dict[Cell, None] = {}
        for strategy in cast("list[Strategy]", strategies):
            for cell in self._of(strategy, sets, bases, recipes, seeds):
                cells[cell] = None
        return tuple(cells)

    def _of(
        self,
        strategy: Strategy,
        sets: dict[str, tuple[str, ...]],
        bases: list[str],
        recipes: list[str],
        seeds: list[int],
    ) -> list[Cell]:
        """The cells of one strategy, without what does not matter to it."""
        if strategy == "zero-shot":
            return [Cell(strategy, base=base) for base in bases]
        if strategy == "few-shot":
            k, shown = self._few_shot()
            return [Cell(strategy, base=base, shown=each, k=k, seed=seed)
                    for base in bases for each in shown for seed in seeds]  # fmt: skip
        trained = [(name, langs, shots) for name, langs in sets.items() for shots in self._shots(name, langs)]
        if strategy == "commonest":
            return [Cell(strategy, name, langs) for name, langs, shots in trained if not shots]
        if strategy == "ngrams":
            # The seed decides which shots are drawn; without shots there is nothing to draw.
            return [Cell(strategy, name, langs, shots, seed=seed)
                    for name, langs, shots in trained for seed in (seeds if shots else seeds[:1])]  # fmt: skip
        return [Cell(strategy, name, langs, shots, seed, base, recipe)
                for base in bases for recipe in recipes
                for name, langs, shots in trained for seed in seeds]  # fmt: skip

    def _sets(self) -> dict[str, tuple[str, ...]]:
        """Set → languages; `("all",)` and `("all", "-ko")` are settled when the data is read."""
        found: dict[str, tuple[str, ...]] = {}
        for name in self._names("sets", ["all"]):
            if name == "all" or name.startswith("all-"):
                without = [canonical(part) for part in name.split("-")[1:]]
                langs = ("all", *(f"-{lang}" for lang in without))
            else:
                langs = tuple(sorted({canonical(part.strip()) for part in name.split("+")}))
            codes = [lang.removeprefix("-") for lang in langs if lang != "all"]
            if any(name_of(code) in (code, "undetermined") for code in codes):
                raise self.bad("sets", f"{name!r} is no set of languages; write en, en+es, all or all-ko")
            found[name] = langs
        return found

    def _shots(self, name: str, langs: tuple[str, ...]) -> list[tuple[tuple[str, int], ...]]:
        """What is added to a set: nothing, and every number of `shots` of each language that the set lacks."""
        on = self._names("shots_on", [])
        found: list[tuple[tuple[str, int], ...]] = [()]
        table = self.table.get("shots", {})
        if not isinstance(table, dict):
            raise self.bad("shots", "[shots] is a table such as it = [10, 25, 50]")
        for lang, numbers in table.items():
            given = numbers if isinstance(numbers, list) else [numbers]
            if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in given):
                raise self.bad(lang, f"shots of {lang} must be whole numbers, 0 or more")
            if canonical(lang) not in langs and langs[0] != "all" and (not on or name in on):
                found += [((canonical(lang), n),) for n in given if n]
        return found

    def _few_shot(self) -> tuple[int, list[Shown]]:
        table = self.table.get("few_shot", {})
        if not isinstance(table, dict) or set(table) - {"k", "examples"}:
            raise self.bad("few_shot", "[few_shot] has k and examples")
        k, shown = table.get("k", 8), table.get("examples", ["same", "en", "mixed"])
        if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= 64:
            raise self.bad("k", "k must be a whole number from 1 to 64")
        if not isinstance(shown, list) or not shown or not set(shown) <= set(get_args(Shown)):
            raise self.bad("examples", f"examples lists some of {', '.join(get_args(Shown))}")
        return k, shown

    def _seeds(self) -> list[int]:
        given = self.table.get("seeds", [1])
        if not isinstance(given, list) or not given or not all(type(seed) is int and seed >= 0 for seed in given):
            raise self.bad("seeds", "seeds must be a list of whole numbers, such as [1, 2, 3]")
        return list(dict.fromkeys(given))

    def _settings(self) -> tuple[str, ...]:
        table = self.table.get("settings", {})
        if not isinstance(table, dict):
            raise self.bad("settings", "[settings] is a table of recipe keys, such as epochs = 4")
        return tuple(f"{key}={json.dumps(value)}" for key, value in table.items())

    def _names(self, key: str, default: Sequence[str]) -> list[str]:
        given = self.table.get(key, list(default))
        if not isinstance(given, list) or not all(isinstance(each, str) and each.strip() for each in given):
            raise self.bad(key, f"{key} must be a list of names in quotes")
        if key in self.table and not given and default:
            raise self.bad(key, f"{key} is empty")
        return list(dict.fromkeys(each.strip() for each in given))

    def _text(self, key: str, default: str | None = None) -> str:
        value = self.table.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.bad(key, f'a study needs {key} = "..."' if value is None else f"{key} must be text in quotes")
        return value

    def _file(self, key: str) -> Path:
        path = Path(self._text(key)).expanduser()
        path = path if path.is_absolute() else self.path.parent / path
        if not path.is_file():
            raise self.bad(key, f"there is no file {path}")
        return path
