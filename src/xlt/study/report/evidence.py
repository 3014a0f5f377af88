"""What a report asks of a corpus: answered by the corpus itself, or by a deposit that holds no posts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from xlt.corpus import facts, gate
from xlt.corpus.breakdown import Answer, Question, breakdown
from xlt.corpus.detection import undetected
from xlt.corpus.facts import FileFacts, LanguageFacts
from xlt.corpus.gold import mix_of
from xlt.corpus.labelled import Run, from_corpus, known_runs, run_record
from xlt.study import prevalence, rows
from xlt.study.prevalence import Asked
from xlt.study.rows import Rows
from xlt.tasks.load import task_of
from xlt.tasks.spec import Task

if TYPE_CHECKING:
    from xlt.corpus.leash import Connection


class Evidence(Protocol):
    """Everything that the chapters about a corpus are made of. No text, no author."""

    def runs(self) -> tuple[Run, ...]:
        """Every run, the newest first."""

    def task(self, run: Run) -> Task:
        """The run's task. Raises UsageError when its file is not here."""

    def record(self, run: Run) -> dict[str, Any]:
        """The run's whole record."""

    def languages(self, task: str) -> list[LanguageFacts]:
        """The posts of every language, and of all."""

    def files(self) -> list[FileFacts]:
        """Every import."""

    def undetected(self) -> tuple[int, int]:
        """Posts without a detected language, and all posts."""

    def answer(self, run: Run, question: Question, task: Task) -> Answer:
        """The run's labels, broken down."""

    def sample(self, run: Run, question: Question, task: Task) -> Asked:
        """What corrected shares are estimated from. Raises XltError where there is no gold for them."""

    def scored(self, runs: Sequence[Run], task: Task) -> Rows:
        """Gold against runs. Raises XltError where there is none."""

    def mix(self, run: Run, task: Task) -> dict[tuple[str, int], float]:
        """(language, position of the predicted label) → distinct texts that the run labelled so."""


class OfCorpus:
    """An open corpus as evidence."""

    def __init__(self, con: Connection, corpus: Path, draw: str | None = None, *, random_sample: bool = False) -> None:
        """`draw` corrects shares, the newest for estimates without one; or gold stated to be a plain random sample."""
        self.con, self._corpus = con, corpus
        self._draw, self._random_sample = draw, random_sample

    def runs(self) -> tuple[Run, ...]:
        return known_runs(self.con)

    def task(self, run: Run) -> Task:
        return task_of(run.task, run.labels, self._corpus.parent)

    def record(self, run: Run) -> dict[str, Any]:
        return run_record(self.con, run.id)

    def languages(self, task: str) -> list[LanguageFacts]:
        return facts.languages(self.con, task)

    def files(self) -> list[FileFacts]:
        return facts.files(self.con)

    def undetected(self) -> tuple[int, int]:
        return undetected(self.con)

    def answer(self, run: Run, question: Question, task: Task) -> Answer:
        return breakdown(self.con, from_corpus(self.con, [run]), question, task.groups, task.names)

    def sample(self, run: Run, question: Question, task: Task) -> Asked:
        return prevalence.ask_corpus(self.con, run, question, task, self._draw, random_sample=self._random_sample)

    def scored(self, runs: Sequence[Run], task: Task) -> Rows:
        return rows.from_open(self.con, self._corpus, runs, task)

    def mix(self, run: Run, task: Task) -> dict[tuple[str, int], float]:
        return mix_of(self.con, run.id, task.names)


@contextmanager
def of_corpus(corpus: Path, draw: str | None = None, *, random_sample: bool = False) -> Iterator[OfCorpus]:
    """The corpus at this path, open for the block."""
    with gate.opened(corpus) as con:
        yield OfCorpus(con, corpus, draw, random_sample=random_sample)
