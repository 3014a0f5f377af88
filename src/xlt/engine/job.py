"""What a classification is asked to do, what it says while it works, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from xlt.backends.base import Loaded, Precision
from xlt.cards.card import Model
from xlt.corpus.shares import Row
from xlt.corpus.stage import Selection, Staged
from xlt.corpus.store import runs_folder
from xlt.tasks.spec import Task


@dataclass(frozen=True)
class Job:
    """One classification, as the command line or the TUI describes it."""

    selection: Selection
    output: Path | None
    """None only for a corpus, which keeps the predictions itself."""
    task: Task
    model: Model
    workspace: Path
    backend: str = "auto"
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    batch_tokens: int | None = None
    """Suffix tokens per batch; None measures what is fastest here."""
    temperature: float = 1.0
    """What scores are divided by before they become probabilities; 1 leaves them as they are."""
    shard: tuple[int, int] | None = None
    """(k, N): work on every N-th block only, k from 1."""
    command: tuple[str, ...] = ()
    """The arguments of `xlt` that asked for this; kept in the run folder, so that it can be resumed from there."""

    @property
    def runs(self) -> Path:
        """Where run folders lie: in the workspace, those over a corpus beside it."""
        corpus = self.selection.corpus
        return runs_folder(corpus) if corpus is not None else self.workspace / "runs"


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    done: int
    """Distinct texts that have predictions, the ones known at the start included."""
    total: int
    known: int
    """Distinct texts that had predictions when this process began."""
    seconds: float
    """Since this process began to score."""
    tokens: int
    """Suffix tokens that this process has scored."""

    @property
    def texts_per_second(self) -> float:
        """Distinct texts per second of this process."""
        return (self.done - self.known) / self.seconds if self.seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Suffix tokens per second of this process."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None until there is a rate."""
        rate = self.texts_per_second
        return (self.total - self.done) / rate if rate > 0 else None


class Listener(Protocol):
    """Hears what a job does; the command line prints it, the TUI draws it."""

    def say(self, sentence: str) -> None:
        """One sentence of narration."""

    def progress(self, progress: Progress) -> None:
        """Called after every batch."""


@dataclass(frozen=True)
class Outcome:
    """What a classification left behind."""

    run: Path
    staged: Staged
    complete: bool
    """Whether every block has its predictions (a shard of several leaves some to the others)."""
    shares: list[Row]
    cut: int
    """Texts that were longer than the task allows and lost their end, among those scored by this process."""
    scored: int
    """Distinct texts scored by this process; the others were known."""
    pending: str | None = None
    """Of a corpus: why the predictions wait in the run folder; None when the corpus has them."""


@dataclass(frozen=True)
class Plan:
    """What a classification would do, before it does it."""

    staged: Staged
    prompt: str
    """The first text's whole prompt, special tokens spelt out."""
    labels: dict[str, str]
    """Label → the token that stands for it."""
    prefix_tokens: int
    tokens: int
    """Suffix tokens of all distinct texts."""
    tokens_estimated: bool
    """Whether `tokens` was scaled up from a sample."""
    budget: int
    texts_per_second: float
    loaded: Loaded
    peak_memory: int

    @property
    def seconds(self) -> float:
        """Estimated from the timed batches."""
        return self.staged.distinct / self.texts_per_second if self.texts_per_second else 0.0
