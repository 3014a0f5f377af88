"""Tells a training's figures to TensorBoard or Weights & Biases, when asked for and installed."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from xlt.errors import UsageError
from xlt.training.job import Tuning


class Track(Protocol):
    """Somewhere to tell figures to."""

    def tell(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures of a step by name, such as `train/loss`."""

    def close(self) -> None:
        """Write what is still held."""


class Nowhere:
    """What is told when nothing was asked for."""

    def tell(self, step: int, figures: Mapping[str, float]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class TensorBoard:
    """Event files in the run folder, written without torch."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = Event, Summary
        self._writer: Any = EventFileWriter(str(folder))

    def tell(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures of a step."""
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=self._summary(value=values)))

    def close(self) -> None:
        """Write what is still held."""
        self._writer.close()


class WeightsAndBiases:
    """A run of W&B. It stays on this machine until `wandb sync` is called, unless WANDB_MODE says otherwise."""

    def __init__(self, folder: Path, tuning: Tuning) -> None:
        os.environ.setdefault("WANDB_MODE", "offline")
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        settings = {"base": tuning.base.name, "seed": tuning.seed, **tuning.recipe.record()}
        self._run: Any = wandb.init(project="xlt", name=tuning.name, dir=str(folder), config=settings)

    def tell(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures of a step."""
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        """Write what is still held."""
        self._run.finish()


def check_track(name: str | None) -> None:
    """Raise UsageError when what figures are to be told to is not installed."""
    if name is not None and importlib.util.find_spec(name) is None:
        raise UsageError(f"--track {name} needs a library: pip install {name}, or leave it out.")


def track(tuning: Tuning, folder: Path) -> Track:
    """Where a training's figures go."""
    if tuning.track == "tensorboard":
        return TensorBoard(folder / "tensorboard")
    if tuning.track == "wandb":
        return WeightsAndBiases(folder / "wandb", tuning)
    return Nowhere()
