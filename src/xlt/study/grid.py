"""Runs the cells of a study, one after the other: finished ones never again, failed ones set aside."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from xlt import __version__, backends
from xlt.cards.registry import find
from xlt.corpus.coded import CodedColumns
from xlt.errors import Interrupted, UsageError, XltError
from xlt.languages.scripts import LATIN, script_of
from xlt.locks import HeldError, hold
from xlt.science.exposure import Counted
from xlt.science.metrics import Ints
from xlt.study.baselines import commonest, ngrams
from xlt.study.cells import Probabilities, Store
from xlt.study.design import PROMPTED, TUNED, Cell, Study
from xlt.study.exposure import counted
from xlt.study.prompting import Labeller
from xlt.study.shown import examples_of
from xlt.study.testset import TestSet, read_test
from xlt.study.tuned import tune
from xlt.tasks.load import load_task
from xlt.tasks.spec import Task
from xlt.training.choose import Wish, choose
from xlt.training.examples import Choice
from xlt.training.material import Material, Source, read_material
from xlt.training.near import exact_key, signatures, similar_pairs, stripped
from xlt.training.recipe import load_recipe

Say = Callable[[str], None]


@dataclass(frozen=True)
class Where:
    """On what the cells run, and where their bases are found."""

    workspace: Path = Path()
    backend: str = "auto"
    device: str = "auto"
    threads: int = 0


@dataclass
class Outcome:
    """What a run of the grid came to."""

    before: int = 0
    ran: int = 0
    failed: list[tuple[Cell, str]] = field(default_factory=list)
    elsewhere: int = 0
    """Cells that another process is at work on, or has finished meanwhile."""


class Grid:
    """A study with its data read."""

    def __init__(self, study: Study, where: Where) -> None:
        """Raises XltError, UsageError when the data can't be read."""
        self.study, self.where = study, where
        self.task: Task = load_task(study.task)
        self.store = Store.of(study)
        self.test: TestSet = read_test(study, self.task)
        self._overlaps: dict[Cell, Ints] = {}

    @cached_property
    def material(self) -> Material:
        """The labelled rows that training sets are drawn from."""
        columns = self.study.columns
        named = CodedColumns(
            text=columns.get("text"), label=columns.get("label"), lang=columns.get("lang"), group=columns.get("group")
        )
        return read_material(Source((self.study.train,), self.where.workspace, named), self.task)

    def choice(self, cell: Cell, dev_share: float) -> Choice:
        """The cell's training set. Raises XltError when the data has too little for it."""
        shots = dict(cell.shots)
        langs, every = cell.langs, cell.langs[:1] == ("all",)
        if every:
            without = {lang.removeprefix("-") for lang in langs[1:]}
            langs = tuple(sorted({each.lang for each in self.material.examples} - without - set(shots)))
        wish = Wish(langs=langs, shots=shots, dev_share=dev_share, seed=cell.seed)
        return choose(self.material, wish, self.task.names)

    def seen(self, cell: Cell) -> tuple[str, ...]:
        """Languages whose labels the cell had, in training or in its prompt."""
        if cell.strategy in PROMPTED:
            return tuple(self.store.record(cell).get("seen", ())) if self.store.finished(cell) else ()
        return self.choice(cell, 0.0).seen

    @cached_property
    def near(self) -> dict[str, set[int]]:
        """Texts of the training file → test rows that are the same, or nearly (MinHash of .8 or more)."""
        texts = sorted({each.text for each in self.material.examples})
        ours, theirs = [stripped(text) for text in texts], [stripped(text) for text in self.test.texts]
        found: dict[str, set[int]] = {}
        rows: dict[bytes, set[int]] = {}
        for row, text in enumerate(theirs):
            rows.setdefault(exact_key(text), set()).add(row)
        for text, bare in zip(texts, ours, strict=True):
            if exact_key(bare) and (same := rows.get(exact_key(bare))):
                found.setdefault(text, set()).update(same)
        for one, row in similar_pairs(signatures(ours), signatures(theirs)).tolist():
            found.setdefault(texts[one], set()).add(row)
        return found

    def overlap(self, cell: Cell) -> Ints:
        """Test rows that are nearly one of the texts that the cell learnt from or was chosen by, in order."""
        if cell.strategy in (*PROMPTED, "commonest"):
            return np.array([], np.int64)
        if cell not in self._overlaps:
            tuned = cell.strategy in TUNED
            share = load_recipe(cell.recipe).changed(self.study.settings).dev_share if tuned else 0.0
            choice = self.choice(cell, share)
            rows = {row for each in (*choice.train, *choice.dev) for row in self.near.get(each.text, ())}
            self._overlaps[cell] = np.array(sorted(rows), np.int64)
        return self._overlaps[cell]

    @cached_property
    def _train_hash(self) -> str:
        return hashlib.sha256(self.study.train.read_bytes()).hexdigest()[:16]

    def _made_of(self, cell: Cell) -> dict[str, object]:
        """What decides a cell's labels and stands neither in its key nor in the test rows."""
        settings = list(self.study.settings) if cell.strategy in TUNED else []
        train = "" if cell.strategy == "zero-shot" else self._train_hash
        return {"task": self.task.hash, "train": train, "settings": settings}

    @cached_property
    def scores(self) -> dict[str, list[tuple[Any, ...]]]:
        """Scores of finished cells by key, once reckoned: every table asks for them."""
        return {}

    @cached_property
    def lengths(self) -> Ints:
        """Characters of each test text."""
        return np.array([len(text) for text in self.test.texts], np.int64)

    @cached_property
    def latin(self) -> Ints:
        """1 for each test text in Latin script or without letters, 0 for another script."""
        return np.array([script_of(text) in (LATIN, None) for text in self.test.texts], np.int64)

    def counted(self, cell: Cell) -> tuple[list[Counted], int]:
        """All labelled texts of the study in the tokens of a tuned cell's base, by language; and its epochs."""
        base = find(cell.base, backend=backends.choose().name, workspace=self.where.workspace)
        return counted(self.material.examples, base.files), load_recipe(cell.recipe).changed(self.study.settings).epochs

    def finished(self) -> list[Cell]:
        """The cells that are done and fit the study as it is. Raises XltError when there is none."""
        cells = [cell for cell in self.study.cells if self.store.finished(cell)]
        if not cells:
            path = self.study.path
            raise UsageError(f"No cell of {path} is done; run xlt transfer run {path} first.")
        self.check(cells)
        return cells

    def check(self, cells: Sequence[Cell]) -> None:
        """Raise XltError when a finished cell was made from other data, task or settings than the study has now."""
        of = {
            "test": str(self.study.test),
            "task": f"The task {self.task.name}",
            "train": str(self.study.train),
            "settings": f"[settings] of {self.study.path}",
        }
        for cell in cells:
            if not self.store.finished(cell):
                continue
            record = self.store.record(cell)
            for key, now in {"test": self.test.hash, **self._made_of(cell)}.items():
                if record.get(key, now) != now:
                    raise XltError(
                        f"{of[key]} has changed since the cell {cell.key} was run; call the study by another name, "
                        f"or remove {self.store.folder} to run it anew."
                    )

    def run(self, cells: Sequence[Cell], say: Say) -> Outcome:
        """Run the cells that are not finished. A cell that fails is told and left; Ctrl-C is not a failure."""
        self.check(cells)
        outcome = Outcome()
        for number, cell in enumerate(cells, start=1):
            if self.store.finished(cell):
                outcome.before += 1
                continue
            say(f"{number} of {len(cells)}: {cell.key}")
            try:
                with hold(self.store.at(cell) / "cell.lock", f"The cell {cell.key}"):
                    if self.store.finished(cell):
                        outcome.elsewhere += 1
                        continue
                    self._finish(cell, say)
                outcome.ran += 1
            except Interrupted as error:
                # The trainer's own words name an option that a study does not need.
                raise Interrupted(
                    f"Stopped in the cell {cell.key}, {number} of {len(cells)}; the same command goes on from there."
                ) from error
            except HeldError:
                outcome.elsewhere += 1
                say("  another process is at work on it")
            except Exception as error:  # also what nobody foresaw, such as a GPU out of memory: the others must go on
                reason = str(error) if isinstance(error, XltError) else _crash(error)
                outcome.failed.append((cell, reason))
                self.store.fail(cell, reason)
                say(f"  failed: {reason}")
        return outcome

    def _finish(self, cell: Cell, say: Say) -> None:
        started = time.monotonic()
        probabilities, record = self._label(cell, say)
        self.store.write(
            cell,
            self.task.names,
            probabilities,
            test=self.test.hash,
            **self._made_of(cell),
            xlt=__version__,
            seconds=round(time.monotonic() - started, 1),
            **record,
        )

    def _label(self, cell: Cell, say: Say) -> tuple[Probabilities, dict[str, object]]:
        """The cell's probabilities for the test rows, and what made them."""
        if cell.strategy in TUNED:
            return self._tuned(cell, say)
        if cell.strategy in PROMPTED:
            return self._prompted(cell)
        choice = self.choice(cell, 0.0)
        labels = [self.task.names.index(each.label) for each in choice.train]
        of = len(self.task.names)
        record: dict[str, object] = {"data": choice.hash, "seen": list(choice.seen), "examples": len(labels)}
        if cell.strategy == "commonest":
            return commonest(labels, len(self.test.texts), of), record
        texts = [self.task.normalise(text) for text in self.test.texts]
        found = ngrams([each.text for each in choice.train], labels, texts, of)
        return found, {**record, "scikit_learn": version("scikit-learn")}

    def _tuned(self, cell: Cell, say: Say) -> tuple[Probabilities, dict[str, object]]:
        model, record = tune(self, cell, say)
        backend = backends.choose(self.where.backend)
        labeller = Labeller(model.files, backend, device=self.where.device, threads=self.where.threads)
        try:
            texts: Sequence[str] = self.test.texts
            if cell.strategy == "translate-test":
                if self.test.translations is None:
                    raise XltError(
                        f"{self.study.test} has no column of English translations; name it with translation_column."
                    )
                texts = self.test.translations
            return labeller(self.task, texts), {**record, "model": model.hash, "backend": backend.name}
        finally:
            labeller.close()

    def _prompted(self, cell: Cell) -> tuple[Probabilities, dict[str, object]]:
        backend = backends.choose(self.where.backend)
        model = find(cell.base, backend=backend.name, workspace=self.where.workspace)
        shown = examples_of(self, cell) if cell.strategy == "few-shot" else {}
        labeller = Labeller(model.files, backend, device=self.where.device, threads=self.where.threads)
        try:
            pairs = {lang: [(each.text, each.label) for each in some] for lang, some in shown.items()}
            found = labeller.prompted(self.task, self.test.texts, self.test.langs, pairs)
        finally:
            labeller.close()
        seen = sorted({each.lang for some in shown.values() for each in some})
        return found, {"model": model.hash, "backend": backend.name, "seen": seen}


def _crash(error: Exception) -> str:
    """An error that is not ours, in a line, with the place in the code for whoever mends it."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__} ({Path(at.filename).name}, line {at.lineno}): {words or 'no more is known'}"


def guesses(probabilities: Probabilities) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The most probable label of each row; -1 for a row without."""
    known = np.isfinite(probabilities).all(axis=1)
    return np.where(known, np.nan_to_num(probabilities).argmax(axis=1), -1)
