"""What quantising cost: the labels of both models on the same texts."""

from __future__ import annotations

import gc
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xlt.backends import get
from xlt.backends.base import BackendName
from xlt.bundled import bundled
from xlt.cards.card import Score
from xlt.cards.files import ModelFiles
from xlt.cards.tokenizer import load_tokenizer
from xlt.corpus.coded import CodedColumns
from xlt.engine.score import Classifier
from xlt.errors import UsageError, XltError
from xlt.release.source import Source
from xlt.science.bootstrap import Interval
from xlt.science.metrics import Ints, accuracy, macro_f1
from xlt.science.paired import compare
from xlt.tasks.load import load_task
from xlt.tasks.render import Renderer
from xlt.tasks.spec import Task
from xlt.training.examples import Example
from xlt.training.material import SAMPLE, read_material
from xlt.training.material import Source as Data
from xlt.training.signatures import FILE as SIGNATURES
from xlt.training.signatures import overlaps
from xlt.training.verdict import measured

# Suffix tokens per batch: small, since nobody waits for the last bit of speed here and memory is not measured first.
_BUDGET = 1024


@dataclass(frozen=True)
class Line:
    """Both models on the texts of one language, or of all."""

    lang: str
    """ISO 639-1; empty: all."""
    n: int
    agreement: float
    """Share of texts that got the same label."""
    before: float
    """Macro-F1 over the task's labels, unquantised."""
    after: float

    @property
    def lost(self) -> float:
        """Macro-F1 that quantising cost; below 0 where it gained."""
        return self.before - self.after


@dataclass(frozen=True)
class Compared:
    """Languages, the commonest first, then all together."""

    data: str
    lines: tuple[Line, ...]
    scores: tuple[Score, ...]
    """Of the quantised model, on all texts."""
    lost_interval: Interval | None
    """95 % interval of the macro-F1 lost; None where there are too few texts for one."""

    @property
    def all(self) -> Line:
        """All texts together."""
        return self.lines[-1]


def held_out(
    model: Source, files: Sequence[Path], task: Task, workspace: Path, limit: int | None
) -> tuple[list[Example], str]:
    """Labelled texts to compare on, none of which the model was trained on, and what they are called.

    Of `files`; else of what the model was tuned on, the rows that were held out; else the bundled sample's held-out
    tweets. `limit` takes so many of them, always the same. Raises UsageError, XltError.
    """
    signed = (model.home / SIGNATURES).is_file()
    own = _tuned_on(model.home, workspace) if signed else None
    source = Data(tuple(files), workspace) if files else own
    if source is None:
        if task.names != load_task("immigration").names:
            raise UsageError(f"There are no labelled texts for the task {task.name}; give some with --data FILE.")
        source = Data((bundled(*SAMPLE),), workspace)
    material = read_material(source, task)
    # What another file says of its own split is about another training.
    sides = material.sides if not signed or source.files == (bundled(*SAMPLE),) else [""] * len(material.sides)
    known = overlaps(model.home, [example.text for example in material.examples]) if signed else sides
    both = list(zip(material.examples, sides, known, strict=True))
    kept = [example for example, _, knows in both if knows == "dev"] if signed and source is own else []
    name = ", ".join(path.name for path in files) or "the training's held-out rows"
    if not kept:
        kept = [example for example, side, knows in both if "train" not in (side, knows)]
        if not files:
            name = "labelled texts that it was not trained on" if own else "the bundled sample's held-out tweets"
    # A text that was posted again would count again.
    kept = list({example.text: example for example in reversed(kept)}.values())[::-1]
    if not kept:
        raise XltError(f"The model was trained on every labelled text of {name}; give others with --data.")
    if limit is not None and len(kept) > limit:
        drawn = np.random.default_rng(0).permutation(len(kept))[:limit]
        kept = [kept[index] for index in sorted(drawn)]
    return kept, name


def _tuned_on(home: Path, workspace: Path) -> Data | None:
    """What a tuned model's command read, read in the same way; None where its files are no longer there."""
    try:
        command = json.loads((home / "training" / "config.json").read_text(encoding="utf-8"))["made_of"]["command"]
    except (OSError, ValueError, KeyError, TypeError):
        return None

    def given(option: str) -> list[str]:
        apart = [after for before, after in itertools.pairwise(command) if before == option]
        return apart + [each.removeprefix(f"{option}=") for each in command if each.startswith(f"{option}=")]

    def last(option: str) -> str | None:
        return next(iter(given(option)[::-1]), None)

    files = tuple(Path(each).expanduser() for each in given("--data"))
    if not all(each.is_file() for each in files):
        return None
    named = {what: last(f"--{what}-column") for what in ("text", "label", "lang", "author", "group")}
    columns = CodedColumns(**named, encoding=last("--encoding") or "utf-8")
    skipped = tuple(part.strip() for part in (last("--skip-labels") or "").split(",") if part.strip())
    return Data(files, workspace, columns, "--detect" in command, skipped)


def labels_of(files: ModelFiles, backend: BackendName, task: Task, texts: Sequence[str]) -> Ints:
    """The index of the label that a model gives each normalised text, (texts,)."""
    scorer = get(backend).load(files)
    try:
        renderer = Renderer(task, load_tokenizer(files), scorer.loaded.max_tokens)
        probabilities = Classifier(scorer, renderer, _BUDGET).score(texts).probabilities
    finally:
        scorer.close()
        del scorer
        gc.collect()
    return np.asarray(probabilities.argmax(axis=1), np.int64)


def compared(examples: Sequence[Example], data: str, task: Task, before: Ints, after: Ints) -> Compared:
    """Agreement and macro-F1 of the labels `before` and `after` quantising, by language."""
    gold = np.array([task.names.index(example.label) for example in examples], np.int64)
    langs = np.array([example.lang for example in examples])
    names, sizes = np.unique(langs, return_counts=True)
    size = len(task.names)
    lines = []
    for lang in [*(str(names[at]) for at in np.lexsort((names, -sizes))), ""]:
        rows = np.flatnonzero(langs == lang) if lang else np.arange(len(langs))
        lines.append(
            Line(
                lang,
                len(rows),
                accuracy(before[rows], after[rows]),
                macro_f1(gold[rows], before[rows], size),
                macro_f1(gold[rows], after[rows], size),
            )
        )
    found = compare(gold, before, after, size, np.unique(langs, return_inverse=True)[1], seed=0).macro_f1_interval
    scores = measured(gold, after, langs.tolist(), size, data)
    return Compared(data, tuple(lines), tuple(scores), (-found[1], -found[0]) if found else None)
