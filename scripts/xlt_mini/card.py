"""Writes `card.toml` and `README.md` of the two models. Every figure in them comes from the build or the evaluation."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from xlt.cards.card import Card, Scalar, Score
from xlt.cards.read import write_card
from xlt.tasks.spec import Task
from xlt_mini.learn import Recipe
from xlt_mini.rows import Row
from xlt_mini.tweets import LANGUAGES

BASE, TUNED = "xlt-mini-base", "xlt-mini"


def made(rows: Sequence[Row], recipe: Recipe) -> dict[str, Scalar]:
    """What made a pair of models: data, recipe, libraries."""
    packed = json.dumps([(row.lang, row.label, row.text) for row in rows], ensure_ascii=False).encode()
    settings = ", ".join(f"{name}={value}" for name, value in asdict(recipe).items() if name != "seed")
    return {
        "data": f"{len(rows)} tweets",
        "data_hash": hashlib.sha256(packed).hexdigest()[:16],
        "seed": recipe.seed,
        "recipe": settings,
        "precision": "trained in fp32 with bf16 products, stored in bf16",
        "torch": version("torch"),
        "tokenizers": version("tokenizers"),
        "scikit_learn": version("scikit-learn"),
    }


def write_cards(out: Path, rows: Sequence[Row], task: Task, recipe: Recipe, parameters: int, shipped: bool) -> None:
    """Both models' `card.toml`, without scores."""
    origin = "our own tweets alone" if shipped else "our own tweets and further files; not to be passed on"
    seen = tuple(sorted({row.lang for row in rows}))
    common = {"licence": "MIT" if shipped else "", "parameters": parameters}
    write_card(
        out / BASE / "card.toml",
        Card(
            name=BASE,
            title="xlt-mini, before it learnt the task",
            description=f"A tiny Llama that has read {len(rows)} tweets ({origin}) and no label. It is there so that "
            "fine-tuning can be tried offline.",
            made=made(rows, recipe),
            **common,  # type: ignore[arg-type]
        ),
    )
    write_card(
        out / TUNED / "card.toml",
        Card(
            name=TUNED,
            title="xlt-mini: immigration, for trying the tool",
            description=f"A tiny Llama tuned on {len(rows)} tweets ({origin}). For trying xlt; research wants a "
            "tuned 3B model.",
            task=task.name,
            languages=seen,
            base=BASE,
            made=made(rows, recipe),
            **common,  # type: ignore[arg-type]
        ),
    )


@dataclass(frozen=True)
class Measured:
    """Scores of one system on one set of rows: metric → value, and interval where there is one."""

    of: str
    """Empty for the shipped model."""
    data: str
    n: int
    language: str
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def entries(self) -> list[Score]:
        """As the card's TOML holds them."""
        names = {"accuracy": "accuracy", "macro_f1": "macro-F1", "topic_f1": "topic macro-F1"}
        return [
            Score(
                metric=names[name],
                value=round(value, 3),
                data=self.data,
                n=self.n,
                language=self.language,
                low=round(self.intervals[name][0], 3) if name in self.intervals else None,
                high=round(self.intervals[name][1], 3) if name in self.intervals else None,
                of=self.of,
            )
            for name, value in self.scores.items()
        ]

    def cells(self) -> list[str]:
        """As a table's cells: `.654 (.62 to .69)`."""
        return [
            _point(value)
            + (f" ({_point(self.intervals[k][0])} to {_point(self.intervals[k][1])})" if k in self.intervals else "")
            for k, value in self.scores.items()
        ]


def _point(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def counts(rows: Sequence[Row], task: Task) -> str:
    """Training tweets per language and label, as a Markdown table."""
    found = Counter((row.lang, row.label) for row in rows)
    shorts = [label.short for label in task.labels]
    lines = []
    for lang in LANGUAGES:
        numbers = [found[lang, i] for i in range(len(shorts))]
        lines.append([lang, *map(str, numbers), str(sum(numbers))])
    numbers = [sum(found[lang, i] for lang in LANGUAGES) for i in range(len(shorts))]
    lines.append(["all", *map(str, numbers), str(sum(numbers))])
    return table(["language", *shorts, "all"], lines)
