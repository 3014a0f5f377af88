"""The plan: what it counts is what the trainer gets, its prompt is classify's, and memory is refused before loading."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from models import write_adapter, write_model
from training.made import LABELS, spread
from xlt.cards.card import Model
from xlt.cards.files import ModelFiles
from xlt.cards.tokenizer import load_tokenizer
from xlt.errors import UsageError, XltError
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer
from xlt.training.examples import Choice, Example
from xlt.training.job import Tuning
from xlt.training.memory import Memory, refuse_without_memory, trained_numbers, training_memory
from xlt.training.plan import make_plan
from xlt.training.recipe import load_recipe

TASK = load_task("immigration")
NAMES = dict(zip(LABELS, TASK.names, strict=False))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("plan") / "tiny")


def tuning(folder: Path, **changes: object) -> Tuning:
    examples = [
        replace(each, label=NAMES[each.label]) for each in spread({"en": {"pro": 20, "anti": 13}, "de": {"pro": 4}})
    ]
    choice = Choice(tuple(examples[1:]), tuple(examples[:1]))
    found = Tuning(
        "new",
        Model(ModelFiles("tiny", "hf", folder), None, "0"),
        TASK,
        choice,
        load_recipe("tiny").changed(["batch=16"]),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def test_it_counts_what_will_be_trained(base: Path) -> None:
    asked = tuning(base)
    plan = make_plan(asked)
    renderer = Renderer(TASK, load_tokenizer(asked.base.files))

    def tokens(lang: str) -> int:
        return sum(map(len, renderer.encode([e.text for e in asked.choice.train if e.lang == lang]).suffixes))

    assert plan.tokens == {"de": tokens("de"), "en": tokens("en")}
    assert plan.prefix_tokens == len(renderer.prefix)
    assert (plan.steps_per_epoch, plan.steps) == (3, 3 * asked.recipe.epochs)
    assert plan.seconds is None
    assert plan.timed(0.5).seconds == plan.steps / 2


def test_the_prompt_is_classifys_and_the_answer_stands_apart(base: Path) -> None:
    plan = make_plan(tuning(base))
    assert plan.prompt.startswith("<|begin_of_text|>")
    assert plan.prompt.endswith("Label: ")
    assert plan.answer in {"1", "2"}
    shown = next(each for each in tuning(base).choice.train if each.text in plan.prompt)
    assert TASK.labels[TASK.names.index(shown.label)].answer == plan.answer


def test_long_texts_are_counted_as_cut(base: Path) -> None:
    long = Example("word " * 3000, TASK.names[0], "en", "long", "made.csv", 1)
    short = tuning(base).choice.train
    assert make_plan(tuning(base, choice=Choice((*short, long), ()))).cut == 1


def test_what_can_not_be_tuned_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = ModelFiles("mine", "hf", base, adapter=write_adapter(tmp_path / "adapter", base))
    with pytest.raises(XltError, match="adapter itself"):
        make_plan(tuning(base, base=Model(adapter, None, "0")))
    with pytest.raises(XltError, match="GGUF"):
        make_plan(tuning(base, base=Model(ModelFiles("x.gguf", "gguf", tmp_path / "x.gguf"), None, "0")))
    with pytest.raises(UsageError, match="no device 'cuda:77'"):
        make_plan(tuning(base, device="cuda:77"))


def test_a_base_without_the_memory_is_refused_before_it_is_loaded(base: Path, tmp_path: Path) -> None:
    # A configuration of 100 billion parameters, with no weights behind it.
    huge = tmp_path / "huge"
    huge.mkdir()
    (huge / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
    config = json.loads((base / "config.json").read_text()) | {
        "hidden_size": 16384, "intermediate_size": 53248, "num_hidden_layers": 126, "head_dim": 128,
        "num_attention_heads": 128, "num_key_value_heads": 8,
    }  # fmt: skip
    (huge / "config.json").write_text(json.dumps(config))
    with pytest.raises(XltError, match=r"'huge' takes \d+\.\d GB for its weights .* are free on cpu.*smaller base"):
        make_plan(tuning(base, base=Model(ModelFiles("huge", "hf", huge), None, "0")))


def test_the_adapter_is_counted_as_the_trainer_makes_it(base: Path) -> None:
    from xlt.backends import get

    asked = tuning(base)
    for targets, layers in (((), 0), (("q_proj", "v_proj"), 2)):
        recipe = replace(asked.recipe, targets=targets, layers=layers)
        trainer = get("torch").trainer(asked.base.files, recipe.course(0), device="cpu", threads=1)  # type: ignore[attr-defined]
        config = json.loads((base / "config.json").read_text())
        assert trained_numbers(config, recipe) == trainer.trainable
        trainer.close()


def test_memory_falls_with_what_is_said_to_lower_it(base: Path) -> None:
    files, recipe = ModelFiles("tiny", "hf", base), load_recipe("tiny")

    def total(**changes: object) -> int:
        found = training_memory(files, replace(recipe, **changes), "fp32", 70, 400.0)  # type: ignore[arg-type]
        assert found is not None
        return found.total

    assert total(checkpointing=True) < total()
    assert total(pass_tokens=512) < total()
    assert total(rank=4) < total()
    assert total(loss="vocabulary") > total()
    weights = [training_memory(files, recipe, precision, 70, 400.0) for precision in ("nf4", "bf16", "fp32")]
    assert weights == sorted(weights, key=lambda each: each.weights if each else 0)


def test_tight_memory_is_a_warning_with_settings_to_lower() -> None:
    recipe = load_recipe("tiny")
    tight = refuse_without_memory("m", Memory(100, 100, 10**9), recipe, 10**8, "cpu")
    assert tight is not None
    assert "--set checkpointing=true, then --set pass_tokens=1024" in tight
    assert refuse_without_memory("m", Memory(100, 100, 100), recipe, 10**8, "cpu") is None
