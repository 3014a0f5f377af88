"""What a training says while it goes on; the command line prints it, the TUI draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from xlt.training.evaluation import Evaluation


@dataclass(frozen=True)
class Progress:
    """How far a training is."""

    step: int
    """Steps taken, those before a resumption included."""
    steps: int
    epoch: int
    """The one that the last step was in, from 1."""
    epochs: int
    loss: float
    """Of the last step's batch."""
    rate: float
    """The last step's learning rate."""
    tokens: int
    """Suffix tokens that this process has learnt from."""
    seconds: float
    """That this process has spent on steps."""
    begun: int
    """Steps taken when this process began."""

    @property
    def tokens_per_second(self) -> float:
        """Suffix tokens per second of this process."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Of steps, evaluations not counted; None until there is a rate."""
        done = self.step - self.begun
        return (self.steps - self.step) * self.seconds / done if done else None


class Listener(Protocol):
    """Hears what a training does."""

    def say(self, sentence: str) -> None:
        """One sentence of narration."""

    def progress(self, progress: Progress) -> None:
        """Called after every step."""

    def evaluated(self, evaluation: Evaluation, epochs: int, best: bool) -> None:
        """Called after every evaluation; `best`: it is the best so far, where the recipe keeps the best."""


class Deaf:
    """Hears nothing; for processes that do not lead, and for studies."""

    def say(self, sentence: str) -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""

    def evaluated(self, evaluation: Evaluation, epochs: int, best: bool) -> None:
        """Nothing."""
