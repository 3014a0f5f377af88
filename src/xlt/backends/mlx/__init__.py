"""The MLX backend: Metal on Apple Silicon; on Linux MLX's CPU build, for tests. Importing this imports no MLX."""

from __future__ import annotations

from xlt.backends.base import Availability, BackendName, Precision, Scorer
from xlt.backends.training import Course, Trainer
from xlt.cards.files import ModelFiles


class MlxBackend:
    """`Backend` and `TrainingBackend` over mlx and mlx-lm; see `xlt.backends.base`."""

    name: BackendName = "mlx"

    def availability(self) -> Availability:
        """Import MLX if it is there and look at the devices. Never raises."""
        from xlt.backends.mlx.device import availability

        return availability()

    def load(
        self, files: ModelFiles, *, device: str = "auto", precision: Precision = "auto", threads: int = 0
    ) -> Scorer:
        """Load a model for scoring. `threads` is not MLX's to choose: `Loaded.threads` says what it uses.

        Raises XltError in one sentence for files that are missing, cut short, pickled, of an unknown architecture,
        or too big for the memory; UsageError for a device or precision that MLX does not have.
        """
        del threads
        from xlt.backends.mlx.load import load

        return load(files, device=device, precision=precision)

    def trainer(self, files: ModelFiles, course: Course, *, device: str = "auto", threads: int = 0) -> Trainer:
        """Load a base for training, its updates all zero. Raises XltError as `load` does."""
        del threads
        from xlt.backends.mlx.load import load_trainer

        return load_trainer(files, course, device=device)


BACKEND = MlxBackend()
