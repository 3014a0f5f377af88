"""A recipe: how a base is tuned, whatever the data. A TOML file in which every key is explained, or a built-in one."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from xlt.backends.base import Precision
from xlt.backends.training import Course, Lora, Loss
from xlt.errors import UsageError, XltError, at_line

BUILTIN = Path(__file__).parent / "recipes"
DEFAULT = "default"

Schedule = Literal["constant", "linear", "cosine"]
Best = Literal["macro-F1", "accuracy", "loss", "last"]
Of = Literal["last", "best"]
LabelWeights = Literal["none", "balanced"]


@dataclass(frozen=True)
class Recipe:
    """The settings of a training. What each key does is said in `recipes/default.toml` too, for users."""

    name: str
    title: str

    rank: int
    alpha: float
    """The update is multiplied with alpha / rank."""
    dropout: float
    targets: tuple[str, ...]
    """Last names of the linear modules that get an update; empty: all of them."""
    layers: int
    """Only the last so many layers; 0: all."""

    lr: float
    """The highest learning rate."""
    schedule: Schedule
    """What the learning rate does after warm-up: stay, or fall to 0 along a line or half a cosine."""
    warmup: float
    """Share of all steps in which the learning rate rises from 0 in a line."""
    epochs: int
    batch: int
    """Examples of one optimizer step."""
    weight_decay: float
    betas: tuple[float, float]
    epsilon: float
    max_norm: float
    """Gradients are scaled down to this global norm; 0: never."""

    loss: Loss
    label_weights: LabelWeights
    """`balanced`: an example counts n / (labels x n of its label), so that every label weighs the same."""

    precision: Precision
    """Of the frozen base: auto, fp32, bf16 or nf4."""
    checkpointing: bool
    pass_tokens: int
    """Tokens of one forward and backward pass."""

    dev_share: float
    """Share of each language's and label's examples that is held out; 0: none, and the last weights are kept."""
    evals: int
    """Evaluations on the dev share in each epoch."""
    best: Best
    """What decides which checkpoint is kept, over the dev examples of seen languages together."""
    patience: int
    """Stop after so many evaluations without a better one; 0: never."""
    average_checkpoints: int
    """Mean of the adapters of so many evaluations; 0 or 1: one adapter as it is."""
    average_of: Of
    """Whether these are the last evaluations or the best ones by `best`."""

    def course(self, seed: int) -> Course:
        """What the backend must know; `seed` is that of the dropout masks."""
        return Course(
            lora=Lora(self.rank, self.alpha, self.dropout, self.targets, self.layers),
            precision=self.precision,
            loss=self.loss,
            seed=seed,
            pass_tokens=self.pass_tokens,
            checkpointing=self.checkpointing,
            betas=self.betas,
            epsilon=self.epsilon,
            weight_decay=self.weight_decay,
            max_norm=self.max_norm,
        )

    def steps_per_epoch(self, examples: int) -> int:
        """Optimizer steps of one epoch over so many examples; the last batch may be smaller than the others."""
        return math.ceil(examples / self.batch)

    def record(self) -> dict[str, Any]:
        """The settings as JSON takes them: what a run folder and a model card keep."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def changed(self, settings: Sequence[str]) -> Recipe:
        """With `--set key=value` settings applied. Raises UsageError for an unknown key or a value that won't do."""
        found = self
        for setting in settings:
            key, equals, spelt = (part.strip() for part in setting.partition("="))
            if not equals:
                raise UsageError(f"--set {setting}: write key=value, such as lr=1e-4.")
            if key not in _CHECKS:
                raise UsageError(f"--set {setting}: a recipe has no key {key!r}; it knows {', '.join(_CHECKS)}.")
            try:
                found = replace(found, **{key: _CHECKS[key](_spelt(spelt))})
            except ValueError as error:
                raise UsageError(f"--set {setting}: {key} {error}.") from None
        return found


def recipe_names() -> list[str]:
    """The recipes that ship with xlt."""
    return sorted(path.stem for path in BUILTIN.glob("*.toml"))


def load_recipe(name: str) -> Recipe:
    """A built-in recipe by name, or a user's own by the path of its TOML file.

    Raises UsageError when there is no such recipe, XltError (file, line, reason) when the file is bad.
    """
    path = Path(name).expanduser()
    if path.suffix != ".toml":
        path = BUILTIN / f"{name}.toml"
        if not path.is_file():
            known = ", ".join(recipe_names())
            raise UsageError(f"There is no recipe {name!r}; the built-in ones are {known}, or give a .toml file.")
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"There is no recipe file {name}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise XltError(f"The recipe file {name} can't be read: {error}.") from None
    return parse_recipe(source, path.stem, str(path) if path.parent != BUILTIN else path.name)


def parse_recipe(source: str, name: str, where: str = "recipe.toml") -> Recipe:
    """A recipe from the text of its file; keys that it lacks are those of the recipe `default`.

    `where` names the file in messages.
    """
    try:
        table = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise XltError(f"{where} is no valid TOML: {error}.") from None
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _CHECKS:
            raise _bad(source, where, key, f"a recipe has no key {key!r}; it knows {', '.join(_CHECKS)}")
        try:
            found[key] = _CHECKS[key](value)
        except ValueError as error:
            raise _bad(source, where, key, f"{key} {error}") from None
    missing = [key for key in _CHECKS if key not in found]
    if not missing:
        return Recipe(name=name, **found)
    if where == f"{DEFAULT}.toml":
        raise XltError(f"{where} lacks {', '.join(missing)}.")
    default = load_recipe(DEFAULT)
    found.setdefault("title", name)
    return replace(default, name=name, **found)


def _bad(source: str, where: str, key: str, reason: str) -> XltError:
    return at_line(where, source, re.escape(key) + r"\b", reason)


def _spelt(value: str) -> Any:
    """What a value on the command line means: a number, true or false, a list, or else text without quotes."""
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parts = [part.strip() for part in value.split(",")]
        return [_spelt(part) for part in parts if part] if len(parts) > 1 else value


# Each check gives the value in its own type or raises ValueError with the end of a sentence that begins with the key.
_Check = Callable[[Any], Any]


def _number(low: float, high: float = math.inf, *, above: bool = False) -> _Check:
    """A number from `low` (`above`: greater than it) to `high`."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"must be a number, not {value!r}")
        if value < low or value > high or (above and value == low):
            least = f"more than {low:g}" if above else f"{low:g} or more"
            raise ValueError(f"is {value:g}; it must be {least}{'' if high == math.inf else f' and at most {high:g}'}")
        return float(value)

    return check


def _whole(low: int) -> _Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, not {value!r}")
        if value < low:
            raise ValueError(f"is {value}; it must be {low} or more")
        return value

    return check


def _one_of(*names: str) -> _Check:
    def check(value: Any) -> str:
        if value not in names:
            raise ValueError(f"is {value!r}; it can be {', '.join(names)}")
        return cast("str", value)

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text in quotes, and not empty")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")
    return value


def _modules(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) and value else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("must be a list of modules such as q_proj, or empty for all")
    return tuple(names)


def _betas(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("must be two numbers, such as [0.9, 0.999]")
    first, second = (_number(0)(each) for each in value)
    if max(first, second) >= 1:
        raise ValueError("must be smaller than 1")
    return first, second


_CHECKS: dict[str, _Check] = {
    "title": _text,
    "rank": _whole(1),
    "alpha": _number(0, above=True),
    "dropout": _number(0, 0.9),
    "targets": _modules,
    "layers": _whole(0),
    "lr": _number(0, 1, above=True),
    "schedule": _one_of("constant", "linear", "cosine"),
    "warmup": _number(0, 1),
    "epochs": _whole(1),
    "batch": _whole(1),
    "weight_decay": _number(0, 1),
    "betas": _betas,
    "epsilon": _number(0, 1, above=True),
    "max_norm": _number(0),
    "loss": _one_of("vocabulary", "labels"),
    "label_weights": _one_of("none", "balanced"),
    "precision": _one_of("auto", "fp32", "bf16", "nf4"),
    "checkpointing": _flag,
    "pass_tokens": _whole(64),
    "dev_share": _number(0, 0.5),
    "evals": _whole(1),
    "best": _one_of("macro-F1", "accuracy", "loss", "last"),
    "patience": _whole(0),
    "average_checkpoints": _whole(0),
    "average_of": _one_of("last", "best"),
}
assert set(_CHECKS) == {field.name for field in fields(Recipe)} - {"name"}
