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
from xlt.corpus.labelled import Run, from_corpus, known_runs, run_record
from xlt.study import prevalence, rows
from xlt.study.prevalence import Asked
from xlt.study.rows import Rows
from xlt.tasks.spec import Task

if TYPE_CHECKING:
    from xlt.corpus.leash import Connection


class Evidence(Protocol):
    """Everything that the chapters about a corpus are made of. No text, no author."""

    def runs(self) -> tuple[Run, ...]:
        """Every run, the newest first."""

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


class OfCorpus:
    """An open corpus as evidence."""

    def __init__(self, con: Connection, corpus: Path) -> None:
        self._con, self._corpus = con, corpus

    def runs(self) -> tuple[Run, ...]:
        return known_runs(self._con)

    def record(self, run: Run) -> dict[str, Any]:
        return run_record(self._con, run.id)

    def languages(self, task: str) -> list[LanguageFacts]:
        return facts.languages(self._con, task)

    def files(self) -> list[FileFacts]:
        return facts.files(self._con)

    def undetected(self) -> tuple[int, int]:
        return undetected(self._con)

    def answer(self, run: Run, question: Question, task: Task) -> Answer:
        return breakdown(self._con, from_corpus(self._con, [run]), question, task.groups, task.names)

    def sample(self, run: Run, question: Question, task: Task) -> Asked:
        return prevalence.ask_corpus(self._con, run, question, task)

    def scored(self, runs: Sequence[Run], task: Task) -> Rows:
        return rows.from_open(self._con, self._corpus, runs, task)


@contextmanager
def of_corpus(corpus: Path) -> Iterator[OfCorpus]:
    """The corpus at this path, open for the block."""
    with gate.opened(corpus) as con:
        yield OfCorpus(con, corpus)
