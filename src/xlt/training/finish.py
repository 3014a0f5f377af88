"""From a training's evaluations to the model that is kept: best or averaged adapter, signatures, card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from xlt import __version__
from xlt.backends.base import Loaded
from xlt.backends.training import Adapter, Pair
from xlt.cards.adapter import base_reference, write_adapter
from xlt.cards.card import Card, Scalar
from xlt.cards.read import FILE, write_card
from xlt.cards.registry import TASK, locate
from xlt.disk import write_text
from xlt.training.evaluation import SEEN, Evaluation, best_of
from xlt.training.examples import counts
from xlt.training.folder import Folder, Standing
from xlt.training.job import Tuning
from xlt.training.recipe import Recipe
from xlt.training.signatures import keep_signatures
from xlt.training.verdict import Verdict

Matrix = npt.NDArray[np.float32]


def measured_on(recipe: Recipe) -> str:
    """What a card says its scores were measured on."""
    return "held-out examples" if recipe.best == "last" else "held-out examples, which chose the checkpoint"


def wanted(evaluations: Sequence[Evaluation], recipe: Recipe) -> list[int]:
    """Steps of the evaluations whose adapters may still be kept in the end, in order."""
    if not evaluations:
        return []
    steps = {best_of(evaluations, recipe.best).step, *averaged(evaluations, recipe)}
    return sorted(steps)


def averaged(evaluations: Sequence[Evaluation], recipe: Recipe) -> list[int]:
    """Steps of the evaluations that an average is made of; none when the recipe asks for no average."""
    count = recipe.average_checkpoints
    if count < 2:
        return []
    ordered = list(evaluations)
    if recipe.average_of == "best":
        ordered.sort(key=lambda each: (*each.rank(recipe.best), -each.step))
    return sorted(each.step for each in ordered[-count:])


def mean(adapters: Sequence[Adapter]) -> dict[str, Pair]:
    """The mean of each matrix. Of points on one path, so down and up may be averaged apart."""

    def middle(matrices: list[Matrix]) -> Matrix:
        summed: npt.NDArray[np.float64] = np.sum(matrices, axis=0, dtype=np.float64)
        return (summed / len(matrices)).astype(np.float32)

    return {
        path: Pair(middle([each[path].down for each in adapters]), middle([each[path].up for each in adapters]))
        for path in adapters[0]
    }


def impatient(evaluations: Sequence[Evaluation], recipe: Recipe) -> bool:
    """Whether the recipe's patience is at its end."""
    if not recipe.patience or recipe.best == "last" or not evaluations or SEEN not in evaluations[-1].groups:
        return False
    best = best_of(evaluations, recipe.best)
    return sum(each.step > best.step for each in evaluations) >= recipe.patience


def write_model(
    folder: Folder,
    tuning: Tuning,
    adapter: Adapter,
    kept: Evaluation,
    judged: Verdict,
    standing: Standing,
    loaded: Loaded,
) -> Card:
    """Write adapter, signatures and, last, the card."""
    recipe, choice = tuning.recipe, tuning.choice
    place = locate(tuning.base.name, tuning.backend, tuning.workspace)
    base = base_reference(tuning.base.name, place)
    keep_signatures(folder.path, [each.text for each in choice.train], [each.text for each in choice.dev])
    if tuning.task.source:
        write_text(folder.path / TASK, tuning.task.source)
    write_adapter(folder.path, adapter, alpha=recipe.alpha, dropout=recipe.dropout, base=base)
    # By name, the card's base is each backend's own conversion: what was tuned in MLX's 4 bits runs on those again.
    named = base if place.where == "path" else tuning.base.name
    card = _card(tuning, adapter, kept, judged, standing, loaded, named)
    write_card(folder.path / FILE, card)
    return card


def _card(
    tuning: Tuning, adapter: Adapter, kept: Evaluation, judged: Verdict, standing: Standing, loaded: Loaded, base: str
) -> Card:
    recipe, choice, own = tuning.recipe, tuning.choice, tuning.base.card
    tuned_on = f"{len(choice.train)} labelled texts in {', '.join(choice.seen)}"
    made: dict[str, Scalar] = {
        "base_hash": tuning.base.hash,
        "task_hash": tuning.task.hash,
        "data_hash": choice.hash,
        "train": len(choice.train),
        "dev": len(choice.dev),
        **{
            f"{part}_{lang}": ", ".join(f"{label} {count}" for label, count in labels.items())
            for part, examples in (("train", choice.train), ("dev", choice.dev))
            for lang, labels in counts(examples).items()
        },
        "seed": tuning.seed,
        "recipe": recipe.name,
        "settings": ", ".join(
            f"{key}={'|'.join(map(str, value)) if isinstance(value, list) else value}"
            for key, value in recipe.record().items()
            if key not in ("name", "title")
        ),
        "kept": "mean of adapters" if len(averaged(standing.evaluations, recipe)) > 1 else f"step {kept.step}",
        "steps": standing.step,
        "seconds": round(standing.seconds, 1),
        "backend": loaded.backend,
        "device": loaded.device,
        "precision": loaded.precision,
        "trained_parameters": sum(pair.down.size + pair.up.size for pair in adapter.values()),
        "xlt": __version__,
        **loaded.versions,
        **(judged.temperature.made() if judged.temperature else {}),
    }
    return Card(
        name=tuning.name,
        title=f"{tuning.base.name} tuned on {', '.join(choice.seen)}",
        description=f"Tuned by xlt on {tuned_on} for the task {tuning.task.name}.",
        task=tuning.task.name,
        languages=choice.seen,
        base=base,
        licence=own.licence if own else "",
        parameters=own.parameters if own else 0,
        made=made,
        scores=judged.scores,
    )
