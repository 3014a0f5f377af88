"""A tiny model, some invented tweets, and jobs over them."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from models import SENTENCES, write_model
from xlt.cards.registry import find
from xlt.corpus.stage import Selection
from xlt.engine.job import Job, Progress
from xlt.tasks.load import load_task

LANGS = ("en", "es", "de", "fr", "it", "pt", "pl", "hu", "id", "tr", "ar", "hi", "ko")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with random weights: quick, and as sensitive to a wrong position or mask as a large one."""
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


def write_tweets(path: Path, count: int, seed: int = 0) -> Path:
    """A CSV of invented tweets: id, text, lang; about a fifth repeat an earlier text."""
    rng = random.Random(seed)
    words = " ".join(SENTENCES).split()
    texts: list[str] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "lang"])
        for number in range(count):
            fresh = " ".join(rng.choices(words, k=rng.randint(1, 30)))
            text = rng.choice(texts) if texts and rng.random() < 0.2 else fresh
            texts.append(text)
            writer.writerow([number, text, rng.choice(LANGS)])
    return path


class Quiet:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.heard: list[Progress] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def progress(self, progress: Progress) -> None:
        self.heard.append(progress)


def make_job(model: Path, source: Path, output: Path, workspace: Path, **changes: object) -> Job:
    """A job on the torch backend with one thread and a fixed budget."""
    options: dict[str, object] = {"backend": "torch", "precision": "fp32", "threads": 1, "batch_tokens": 512}
    options["task"] = load_task("immigration")
    options |= changes
    backend = str(options["backend"])
    workspace.mkdir(exist_ok=True)
    return Job(
        selection=Selection((source,)),
        output=output,
        model=find(str(model), backend=backend, workspace=workspace),
        workspace=workspace,
        **options,  # type: ignore[arg-type]
    )
