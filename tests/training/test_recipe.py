"""Recipes: every key explained, bad values refused with file and line, settings from the command line typed."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from xlt.errors import UsageError, XltError
from xlt.training.recipe import BUILTIN, Recipe, load_recipe, parse_recipe, recipe_names


def test_three_ship() -> None:
    assert recipe_names() == ["default", "paper", "tiny"]


@pytest.mark.parametrize("name", ["default", "paper", "tiny"])
def test_every_key_stands_in_the_file_and_is_explained_above(name: str) -> None:
    source = (BUILTIN / f"{name}.toml").read_text(encoding="utf-8")
    keys = [field.name for field in fields(Recipe) if field.name not in ("name", "title")]
    assert list(tomllib.loads(source)) == ["title", *keys]
    lines = source.splitlines()
    for key in keys:
        at = next(number for number, line in enumerate(lines) if line.startswith(f"{key} ="))
        assert lines[at - 1].startswith("# ")
        assert not lines[at - 1].startswith("# ==")


def test_the_paper_is_as_published() -> None:
    paper = load_recipe("paper")
    assert (paper.rank, paper.alpha, paper.dropout, paper.lr, paper.schedule) == (64, 32, 0.1, 2e-4, "constant")
    assert (paper.warmup, paper.epochs, paper.batch, paper.precision) == (0.03, 10, 16, "nf4")
    assert paper.checkpointing


def test_the_course_is_what_a_backend_needs() -> None:
    course = load_recipe("paper").course(seed=7)
    assert (course.lora.scale, course.seed, course.checkpointing, course.precision) == (0.5, 7, True, "nf4")
    assert load_recipe("default").steps_per_epoch(33) == 3


def test_a_file_of_ones_own_takes_the_rest_from_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("rank = 3\nbetas = [0.8, 0.9]\n", encoding="utf-8")
    mine, default = load_recipe(str(path)), load_recipe("default")
    assert (mine.name, mine.rank, mine.betas, mine.lr) == ("mine", 3, (0.8, 0.9), default.lr)


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("rank = 8\nranks = 3\n", 2, "no key 'ranks'"),
        ("rank = 0\n", 1, "1 or more"),
        ("\n\nlr = 'fast'\n", 3, "must be a number"),
        ("lr = nan\n", 1, "must be a number"),
        ("lr = 0\n", 1, "more than 0"),
        ("epochs = true\n", 1, "whole number"),
        ("schedule = 'wild'\n", 1, "constant, linear, cosine"),
        ("dropout = 1.5\n", 1, "at most 0.9"),
        ("betas = [0.9, 1.0]\n", 1, "smaller than 1"),
        ("betas = 0.9\n", 1, "two numbers"),
        ("targets = [1]\n", 1, "list of modules"),
        ("checkpointing = 'yes'\n", 1, "true or false"),
        ("precision = 'fp16'\n", 1, "auto, fp32, bf16, nf4"),
        ("title = ''\n", 1, "not empty"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(source: str, line: int, word: str) -> None:
    with pytest.raises(XltError) as refused:
        parse_recipe(source, "mine", "mine.toml")
    assert str(refused.value).startswith(f"mine.toml, line {line}: ")
    assert word in str(refused.value)


def test_broken_toml_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(XltError, match="no valid TOML"):
        parse_recipe("rank = = 3", "mine")
    with pytest.raises(UsageError, match="default, paper, tiny"):
        load_recipe("papper")
    with pytest.raises(UsageError, match="no recipe file"):
        load_recipe(str(tmp_path / "none.toml"))


def test_settings_are_typed_and_the_last_one_counts() -> None:
    changed = load_recipe("default").changed(
        ["lr=1e-4", "targets=q_proj, v_proj", "schedule=linear", "betas=[0.5, 0.6]", "checkpointing=false", "lr=3e-4"]
    )
    assert (changed.lr, changed.targets, changed.schedule) == (3e-4, ("q_proj", "v_proj"), "linear")
    assert (changed.betas, changed.checkpointing) == ((0.5, 0.6), False)
    assert load_recipe("default").changed(["targets=q_proj", "betas=0.5,0.6"]).targets == ("q_proj",)
    assert load_recipe("default").changed(["targets=[]"]).targets == ()


@pytest.mark.parametrize("setting", ["lr", "lr=", "speed=3", "lr=fast", "epochs=1.5", "epochs=0", "name=x", "=3"])
def test_a_bad_setting_is_refused_and_quoted(setting: str) -> None:
    with pytest.raises(UsageError, match="--set") as refused:
        load_recipe("default").changed([setting])
    assert setting in str(refused.value)


def test_the_record_is_json_and_complete() -> None:
    import json

    record = load_recipe("tiny").record()
    assert json.loads(json.dumps(record)) == record
    assert set(record) == {field.name for field in fields(Recipe)}
