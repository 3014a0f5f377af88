"""From tweets to the two model folders."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from xlt.tasks.load import builtin_names, load_task
from xlt.tasks.render import Renderer
from xlt_mini.card import BASE, TUNED, write_cards
from xlt_mini.learn import Course, Recipe
from xlt_mini.measure import scores
from xlt_mini.network import Network, Shape
from xlt_mini.rows import Row, own_rows, read_labelled, source_weights
from xlt_mini.split import split
from xlt_mini.teacher import Teachers
from xlt_mini.tokens import Unmerge, control_ids, save_tokenizer, spellings, train_tokenizer

DEV_FOLDS = 5


@dataclass(frozen=True)
class Plan:
    """What to build: further labelled files, the folder for the two models (None: score the dev part only), and of how
    many rows one is learnt."""

    also: tuple[Path, ...]
    out: Path | None
    recipe: Recipe
    shape: Shape
    every: int = 1


def training_rows(also: Sequence[Path], dev: bool) -> tuple[list[Row], list[Row]]:
    """Rows to learn from and rows to score; nothing is scored, and all but the sample's held-out learnt, unless `dev`.

    With further files the dev rows are a fifth of those files, because they are what a local build is for.
    """
    task = load_task("immigration")
    ours = split()
    if not also:
        learn = own_rows(ours.learn if dev else ours.train, task)
        return learn, own_rows(ours.dev, task) if dev else []
    more = [row for path in also for row in read_labelled(path, task)]
    learn = own_rows(ours.train, task)
    if not dev:
        return learn + more, []
    return learn + [row for row in more if row.fold(DEV_FOLDS)], [row for row in more if not row.fold(DEV_FOLDS)]


def build(plan: Plan, say: Callable[[str], None]) -> dict[str, float]:
    """Train both models and write them; the scores on the dev part when nothing is written."""
    started = time.monotonic()
    recipe = plan.recipe
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    learn, dev = training_rows(plan.also, plan.out is None)
    learn = learn[:: plan.every]
    say(f"{len(learn)} rows to learn from, {len(dev)} to score")
    task = load_task("immigration")
    prompts = [load_task(name).template for name in builtin_names() if name != "immigration-published"]
    # Prompts are repeated until each of their words is one token: a short prompt is a fast one.
    tokenizer = train_tokenizer([row.text for row in learn] + prompts * 40, plan.shape.vocab)
    renderer = Renderer(task, tokenizer, plan.shape.positions)
    network = Network(replace(plan.shape, vocab=tokenizer.get_vocab_size()), spellings(tokenizer))
    say(
        f"tokenizer: {tokenizer.get_vocab_size()} tokens, prompt of {len(renderer.prefix)}; "
        f"network: {network.sizes()['parameters']:,} parameters"
    )
    course = Course(network, renderer, Unmerge(tokenizer), recipe, say)
    texts = [row.text for row in learn]
    random.Random(recipe.seed).shuffle(texts)
    course.language(texts, lambda some: _sentences(tokenizer, some))
    if plan.out is not None:
        save_model(plan.out / BASE, network, tokenizer)
    teachers = Teachers(learn, source_weights(learn, recipe.also)) if recipe.soft or recipe.snippets else None
    say(f"  teachers ready, {time.monotonic() - started:.0f} s in all")
    targets = course.targets(learn, teachers)

    def watch() -> str:
        return _told(course, dev)[0]

    course.words(learn, targets, teachers)
    course.task(learn, targets, teachers, watch)
    told, found = _told(course, dev)
    if plan.out is not None:
        save_model(plan.out / TUNED, network, tokenizer)
        write_cards(plan.out, learn, task, recipe, network.sizes()["parameters"], shipped=not plan.also)
    say(f"done in {time.monotonic() - started:.0f} s {told}")
    return found


def save_model(folder: Path, network: Network, tokenizer: Tokenizer) -> None:
    """Write config, tokenizer and bf16 weights as stock libraries read them."""
    folder.mkdir(parents=True, exist_ok=True)
    bos, eot = control_ids(tokenizer)
    config = json.dumps(network.shape.config(bos, eot), indent=2)
    (folder / "config.json").write_text(config + "\n", encoding="utf-8")
    save_tokenizer(tokenizer, folder, network.shape.positions)
    save_file(network.checkpoint(), folder / "model.safetensors", metadata={"format": "pt"})
    # safetensors makes it readable by its owner only; a repository's files are for all.
    (folder / "model.safetensors").chmod(0o644)


def _sentences(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    bos, eot = control_ids(tokenizer)
    return [[bos, *encoding.ids, eot] for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _told(course: Course, dev: Sequence[Row]) -> tuple[str, dict[str, float]]:
    if not dev:
        return "", {}
    guesses = course.probabilities([row.text for row in dev]).argmax(-1).numpy()
    found = scores(np.array([row.label for row in dev]), guesses, course.renderer.task)
    return "dev: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()), found
