"""The folder of a model in the making: what it is made with, its figures step by step, and checkpoints to go on from.

<workspace>/models/NAME/
    card.toml, adapter…             written last: with its card the folder is a model
    training/config.json            what decides the outcome
    training/examples.csv           which examples, by id and hash; no text
    training/steps.csv, epochs.csv
    training/checkpoints/step-…/    the last state; adapters/ holds those of evaluations that may still be kept
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file

from xlt import __version__
from xlt.backends.training import Adapter, Pair, Trainer
from xlt.cards.adapter import write_tensors
from xlt.cards.read import FILE as CARD
from xlt.cards.registry import refuse_built_in
from xlt.disk import refused, write_json, write_text
from xlt.errors import UsageError, XltError
from xlt.training.evaluation import Evaluation
from xlt.training.job import Tuning

STEPS = ("step", "epoch", "loss", "lr", "norm", "tokens", "seconds")
EPOCHS = ("step", "epoch", "train_loss", "set", "n", "loss", "accuracy", "macro_f1")
EXAMPLES = ("set", "id", "lang", "label", "text_sha256")
HARMLESS = ("recipe.pass_tokens", "recipe.checkpointing", "xlt")
"""What may differ when a training goes on: it changes rounding, and which inputs dropout leaves out, no more."""
_STATE = "loop.json"
_STEP = re.compile(r"step-(\d+)")


@dataclass
class Standing:
    """How far a training is: all that the loop knows beside what the trainer saves."""

    step: int = 0
    """Steps taken."""
    loss_sum: float = 0.0
    """Of the steps since the last evaluation."""
    loss_steps: int = 0
    seconds: float = 0.0
    """Spent on steps, by all processes that worked on it."""
    evaluations: list[Evaluation] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**vars(self), "evaluations": [each.record() for each in self.evaluations]}

    @staticmethod
    def of(record: dict[str, Any]) -> Standing:
        """The standing of a record."""
        return Standing(**{**record, "evaluations": [Evaluation.of(each) for each in record["evaluations"]]})


def decides(tuning: Tuning) -> dict[str, Any]:
    """Everything that decides the outcome of a training, as JSON takes it."""
    return {
        "xlt": __version__,
        "base": tuning.base.hash,
        "task": tuning.task.hash,
        "data": tuning.choice.hash,
        "seed": tuning.seed,
        "backend": tuning.backend,
        "recipe": {key: value for key, value in tuning.recipe.record().items() if key not in ("name", "title")},
    }


class Folder:
    """One such folder. Only the leading process writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.training = path / "training"
        self.checkpoints = self.training / "checkpoints"
        self.adapters = self.checkpoints / "adapters"
        self.lock = self.checkpoints / "work.lock"

    def check(self, tuning: Tuning) -> None:
        """Refuse what is finished already, or begun and not to be resumed, or begun with something else."""
        name = tuning.name
        refuse_built_in(name)
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path} is there already and no folder; choose another --name.")
        if (self.path / CARD).is_file():
            raise UsageError(f"There is a model {name} already, in {self.path}; choose another --name, or remove it.")
        begun = (self.training / "config.json").is_file()
        if self.path.exists() and not begun and any(self.path.iterdir()) and not self.training.is_dir():
            raise UsageError(f"{self.path} holds something else than a model in the making; choose another --name.")
        if begun and not tuning.resume:
            raise UsageError(
                f"The training of {name} was begun and is not finished: go on with the same command and --resume, or "
                f"remove {self.path} to start anew."
            )
        if not begun and tuning.resume:
            raise UsageError(f"There is no training of {name} to go on with in {self.path}; leave out --resume.")
        if begun:
            self._compare(tuning)

    def begin(self, tuning: Tuning) -> None:
        """Write what it is made with."""
        try:
            self.adapters.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(self.path, error) from None
        if not tuning.resume:
            write_text(self.training / "examples.csv", _examples(tuning))
            record = {
                "name": tuning.name,
                "base": tuning.base.name,
                "task": tuning.task.name,
                "labels": list(tuning.task.names),
                "recipe": tuning.recipe.name,
                "data": tuning.choice.record(),
                "command": list(tuning.command),
            }
            # Last: with it the training counts as begun.
            write_json(self.training / "config.json", {"decides": decides(tuning), "made_of": record})

    def load(self, trainer: Trainer) -> Standing | None:
        """Bring the trainer to the last whole checkpoint; None when there is none yet."""
        for step in sorted(self._steps(), reverse=True):
            folder = self._checkpoint(step)
            try:
                standing = Standing.of(json.loads((folder / _STATE).read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise XltError(f"The checkpoint {folder} can't be read ({error}); remove it and run again.") from None
            trainer.restore(folder)
            return standing
        return None

    def save(self, trainer: Trainer, standing: Standing, wanted: Collection[int]) -> None:
        """Write a checkpoint aside and rename it, then drop older ones and adapters of steps that are not `wanted`.

        The last checkpoint stays whole when the disk refuses; the XltError says so.
        """
        aside = self.checkpoints / "part"
        final = self._checkpoint(standing.step)
        if final.is_dir():
            return
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            trainer.save(aside)
            write_json(aside / _STATE, standing.record())
            aside.rename(final)
        except (OSError, XltError) as error:
            shutil.rmtree(aside, ignore_errors=True)
            reason = refused(final, error) if isinstance(error, OSError) else error
            raise self.stopped(reason) from None
        for step in self._steps():
            if step < standing.step:
                shutil.rmtree(self._checkpoint(step))
        for path in self.adapters.glob("step-*.safetensors"):
            if _number(path) not in wanted:
                path.unlink()

    def stopped(self, error: XltError) -> XltError:
        """An error, with how to go on."""
        return XltError(f"{error} Go on with the same command and --resume ({self.whole()}).")

    def whole(self) -> str:
        """What there is to go on from, as a part of a sentence."""
        steps = self._steps()
        return f"the checkpoint of step {max(steps)} is whole" if steps else "no checkpoint was written yet"

    def keep_adapter(self, step: int, adapter: Adapter) -> None:
        """Keep the adapter of an evaluation, which may turn out to be the best."""
        halves = {f"{path}.{half}": getattr(pair, half) for path, pair in adapter.items() for half in ("down", "up")}
        try:
            write_tensors(self._adapter(step), halves)
        except XltError as error:
            raise self.stopped(error) from None

    def kept_adapter(self, step: int) -> dict[str, Pair]:
        """The adapter of an evaluation. Raises XltError when it is not whole."""
        try:
            halves = load_file(self._adapter(step))
        except (OSError, SafetensorError):
            raise XltError(
                f"{self._adapter(step)} is missing or not whole; remove {self.path} to start anew."
            ) from None
        paths = dict.fromkeys(name.rpartition(".")[0] for name in halves)
        return {path: Pair(halves[f"{path}.down"], halves[f"{path}.up"]) for path in paths}

    def write_steps(self, rows: Iterable[Sequence[Any]], *, upto: int | None = None) -> None:
        """Append to `steps.csv`; with `upto`, drop first what was written after that many steps."""
        path = self.training / "steps.csv"
        if upto is not None:
            kept = []
            if path.is_file():
                with path.open(encoding="utf-8", newline="") as file:
                    # A line may have been cut short when the process was killed.
                    kept = [row for row in csv.reader(file) if len(row) == len(STEPS) and row[0].isdecimal()]
            write_text(path, _csv([STEPS, *(row for row in kept if int(row[0]) <= upto)]))
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write(_csv(rows))
        except OSError as error:
            raise self.stopped(refused(path, error)) from None

    def write_epochs(self, evaluations: Sequence[Evaluation]) -> None:
        """Write the table of all evaluations so far."""
        rows: list[Sequence[Any]] = [EPOCHS]
        for each in evaluations:
            for name, marks in {**each.groups, **each.languages}.items():
                figures = (marks.n, *(round(part, 6) for part in (marks.loss, marks.accuracy, marks.macro_f1)))
                rows.append((each.step, round(each.epoch, 4), round(each.train_loss, 6), name, *figures))
            if not each.groups:
                rows.append((each.step, round(each.epoch, 4), round(each.train_loss, 6), "", "", "", "", ""))
        write_text(self.training / "epochs.csv", _csv(rows))

    def tidy(self) -> None:
        """Remove the checkpoints of a model that is finished."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _compare(self, tuning: Tuning) -> None:
        path = self.training / "config.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            before = _flat(record["decides"] | {"data": _told(record["decides"]["data"], record["made_of"]["data"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise XltError(f"{path} can't be read ({error}); remove {self.path} to start anew.") from None
        now = _flat(json.loads(json.dumps(decides(tuning))))
        now["data"] = _told(tuning.choice.hash, tuning.choice.record())
        changed = [
            f"{key} was {before.get(key, 'not set')} and is {now.get(key, 'not set')}"
            for key in sorted(before.keys() | now.keys())
            if before.get(key) != now.get(key) and key not in HARMLESS
        ]
        if changed:
            raise UsageError(
                f"The training of {tuning.name} was begun with something else: {'; '.join(changed)}. Go on with what "
                "it was begun with, or choose another --name."
            )

    def _steps(self) -> list[int]:
        return [_number(path) for path in self.checkpoints.glob("step-*") if _STEP.fullmatch(path.name)]

    def _checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:06d}"

    def _adapter(self, step: int) -> Path:
        return self.adapters / f"step-{step:06d}.safetensors"


def _examples(tuning: Tuning) -> str:
    choice = tuning.choice
    rows = [
        (part, each.id, each.lang, each.label, hashlib.sha256(each.text.encode()).hexdigest()[:16])
        for part, examples in (("train", choice.train), ("dev", choice.dev))
        for each in examples
    ]
    return _csv([EXAMPLES, *rows])


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


def _told(hashed: str, data: dict[str, Any]) -> str:
    """Data as a sentence names them: languages with examples to train on and held out, and the hash."""
    train, dev = ({lang: sum(found.values()) for lang, found in data[part].items()} for part in ("train", "dev"))
    langs = (f"{lang} {train.get(lang, 0):,} + {dev.get(lang, 0):,} held out" for lang in sorted({*train, *dev}))
    return f"{hashed} ({', '.join(langs)})"


def _flat(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return flat


def _number(path: Path) -> int:
    found = _STEP.match(path.name)
    assert found
    return int(found[1])
