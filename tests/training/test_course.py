"""What is fixed before a training begins: order, rates, evaluations, weights, and what is kept of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from training.made import LABELS, spread
from tunings import RECIPE, TASK, choice
from xlt.backends.training import Pair, Sample
from xlt.tasks.load import parse_task
from xlt.training.course import Schedule, first_adapter, label_weights
from xlt.training.evaluation import Evaluation, Marks, best_of, commonest
from xlt.training.examples import Choice
from xlt.training.finish import averaged, impatient, wanted
from xlt.training.recipe import Recipe

SAMPLES = [Sample((1,), 0)] * 37


def schedule(examples: int = 37, seed: int = 0, **changes: object) -> Schedule:
    return Schedule(replace(RECIPE, **{"epochs": 3, "batch": 8, **changes}), examples, seed)  # type: ignore[arg-type]


def test_every_epoch_has_every_example_once_in_an_order_of_its_own() -> None:
    made = schedule()
    assert (made.per_epoch, made.steps) == (5, 15)
    orders = []
    for epoch in range(3):
        batches = [made.batch(step, SAMPLES) for step in range(5 * epoch, 5 * epoch + 5)]
        assert [len(batch) for batch in batches] == [8, 8, 8, 8, 5]
        orders.append([at for batch in batches for at in batch])
        assert sorted(orders[-1]) == list(range(37))
    assert orders[0] != orders[1] != orders[2]
    assert schedule(seed=1).batch(0, SAMPLES) != made.batch(0, SAMPLES) == schedule().batch(0, SAMPLES)


@pytest.mark.parametrize(
    ("how", "end"), [("constant", 1.0), ("linear", 0.1), ("cosine", (1 + math.cos(math.pi * 0.9)) / 2)]
)
def test_the_rate_rises_and_then_does_what_the_recipe_says(how: str, end: float) -> None:
    made = schedule(examples=32, lr=0.4, warmup=2 / 12, schedule=how)
    rates = [made.rate(step) for step in range(12)]
    assert rates[:3] == pytest.approx([0.2, 0.4, 0.4])
    assert rates[-1] == pytest.approx(0.4 * end)
    assert all(rate > 0 for rate in rates)
    assert rates[2:] == sorted(rates[2:], reverse=True)


def test_without_warmup_the_first_step_is_a_full_one() -> None:
    assert schedule(lr=0.4, warmup=0.0, schedule="linear").rate(0) == 0.4
    assert schedule(lr=0.4, warmup=1.0).rate(14) == pytest.approx(0.4)


@pytest.mark.parametrize(("evals", "after"), [(1, [5]), (2, [2, 5]), (3, [2, 3, 5]), (9, [1, 2, 3, 4, 5])])
def test_evaluations_are_spread_and_the_last_is_at_the_epochs_end(evals: int, after: list[int]) -> None:
    made = schedule(evals=evals)
    due = [step for step in range(1, 16) if made.evaluates(step)]
    assert due == after + [5 + step for step in after] + [10 + step for step in after]


def test_the_first_adapter_is_pefts_and_hangs_on_nothing_but_its_name() -> None:
    like = {path: Pair(np.zeros((8, 400), np.float32), np.ones((30, 8), np.float32)) for path in ("a.b", "a.c")}
    first = first_adapter(like, 3)
    for pair in first.values():
        assert not pair.up.any()
        assert pair.down.dtype == np.float32
        assert 0.049 < pair.down.max() <= 0.05
        assert -0.05 <= pair.down.min() < -0.049
        # Of a uniform draw, and not of another.
        assert pair.down.std() == pytest.approx(0.05 / math.sqrt(3), rel=0.02)
    assert not np.array_equal(first["a.b"].down, first["a.c"].down)
    assert np.array_equal(first_adapter({"a.c": like["a.c"]}, 3)["a.c"].down, first["a.c"].down)
    assert not np.array_equal(first_adapter(like, 4)["a.c"].down, first["a.c"].down)


def test_balanced_labels_weigh_the_same_together() -> None:
    task = parse_task(TASK)
    examples = [replace(each, label="left" if at < 6 else "right") for at, each in enumerate(choice().train)]
    weights = label_weights(examples, task, replace(RECIPE, label_weights="balanced"))
    assert sum(weights) == pytest.approx(len(examples))
    total: Counter[str] = Counter()
    for each, weight in zip(examples, weights, strict=True):
        total[each.label] += weight  # type: ignore[assignment]
    assert total["left"] == pytest.approx(total["right"])
    assert label_weights(examples, task, replace(RECIPE, label_weights="none")) == [1.0] * len(examples)
    alone = [replace(each, label="left") for each in examples]
    assert label_weights(alone, task, replace(RECIPE, label_weights="balanced")) == [1.0] * len(examples)


def evaluation(step: int, f1: float, loss: float = 1.0, unseen: float = 0.0) -> Evaluation:
    groups = {"seen": Marks(10, loss, f1, f1), "unseen": Marks(10, 1.0, unseen, unseen)}
    return Evaluation(step, step / 5, 1.0, groups, {})


RUN = [evaluation(5, 0.5), evaluation(10, 0.7, 0.9), evaluation(15, 0.7, 0.8), evaluation(20, 0.6, 0.4, unseen=1.0)]


@pytest.mark.parametrize(
    ("best", "step"), [("macro-F1", 15), ("accuracy", 15), ("loss", 20), ("last", 20)], ids=lambda each: str(each)
)
def test_the_best_is_chosen_by_what_the_recipe_names(best: str, step: int) -> None:
    assert best_of(RUN, best).step == step  # type: ignore[arg-type]
    assert best_of([evaluation(5, 0.5), evaluation(10, 0.5)], "macro-F1").step == 5


def test_what_may_still_be_kept_stays_and_nothing_else() -> None:
    def recipe(**changes: object) -> Recipe:
        return replace(RECIPE, best="macro-F1", **changes)  # type: ignore[arg-type]

    assert wanted(RUN, recipe()) == [15]
    assert wanted([], recipe()) == []
    assert averaged(RUN, recipe(average_checkpoints=1)) == []
    assert averaged(RUN, recipe(average_checkpoints=3, average_of="last")) == [10, 15, 20]
    assert averaged(RUN, recipe(average_checkpoints=3, average_of="best")) == [10, 15, 20]
    assert averaged(RUN, recipe(average_checkpoints=2, average_of="best")) == [10, 15]
    assert wanted(RUN[:3], recipe(average_checkpoints=2, average_of="last")) == [10, 15]
    assert wanted(RUN, recipe(average_checkpoints=1, average_of="last")) == [15]
    assert averaged(RUN[:1], recipe(average_checkpoints=2)) == [5]


def test_patience_counts_evaluations_since_the_best() -> None:
    recipe = replace(RECIPE, best="macro-F1", patience=2)
    assert not impatient(RUN, recipe)
    assert impatient([*RUN, evaluation(25, 0.6)], recipe)
    assert not impatient([*RUN, evaluation(25, 0.8)], recipe)
    assert not impatient([*RUN, evaluation(25, 0.6)], replace(recipe, patience=0))
    assert not impatient([*RUN, evaluation(25, 0.6)], replace(recipe, best="last"))
    assert not impatient([], recipe)


def test_what_a_model_must_beat() -> None:
    train = tuple(spread({"en": {"anti": 3, "none": 2}}))
    dev = tuple(spread({"en": {"anti": 1, "none": 3}, "de": {"pro": 1, "anti": 1}}))
    label, always = commonest(Choice(train, dev), LABELS)
    assert label == "anti"
    # F1 of the one label that is given, 2 tp / (2 tp + fp), over three labels.
    assert list(always["seen"]) == [pytest.approx(0.4 / 3), 0.25]
    assert list(always["unseen"]) == [pytest.approx(2 / 9), 0.5]
    assert commonest(Choice(train, dev[:4]), LABELS)[1].keys() == {"seen"}
