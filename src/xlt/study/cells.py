"""What the cells of a study have come to: one folder each, whole or not there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xlt.disk import write_json, write_whole
from xlt.errors import XltError
from xlt.study.design import Cell, Study

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Store:
    """The results of a study: `cells/KEY/` with `predictions.parquet`, and `cell.json`, which is written last."""

    folder: Path

    @classmethod
    def of(cls, study: Study) -> Store:
        """The store beside the study's file."""
        return cls(study.folder / "cells")

    def at(self, cell: Cell) -> Path:
        """The cell's folder; a cell that is tuned keeps its model there."""
        return self.folder / cell.key

    def finished(self, cell: Cell) -> bool:
        """Whether the cell has its predictions."""
        return (self.at(cell) / "cell.json").is_file()

    def failure(self, cell: Cell) -> str | None:
        """Why the cell failed the last time, if it did and has not been done since."""
        if self.finished(cell):
            return None
        try:
            return str(json.loads((self.at(cell) / "failed.json").read_text(encoding="utf-8"))["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def record(self, cell: Cell) -> dict[str, Any]:
        """What `cell.json` holds. Raises XltError."""
        path = self.at(cell) / "cell.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise XltError(f"{path} can't be read: {error}; remove its folder and run the study again.") from None
        return found

    def write(self, cell: Cell, labels: tuple[str, ...], probabilities: Probabilities, **record: Any) -> None:
        """Keep a cell's probabilities, (test rows, labels), in the order of the test file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder = self.at(cell)
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.table({label: probabilities[:, at] for at, label in enumerate(labels)})
        write_whole(folder / "predictions.parquet", lambda aside: pq.write_table(table, aside))
        write_json(folder / "cell.json", {"cell": asdict(cell), **record})
        (folder / "failed.json").unlink(missing_ok=True)

    def fail(self, cell: Cell, reason: str) -> None:
        """Keep why a cell failed."""
        self.at(cell).mkdir(parents=True, exist_ok=True)
        write_json(self.at(cell) / "failed.json", {"cell": asdict(cell), "reason": reason})

    def probabilities(self, cell: Cell, labels: tuple[str, ...]) -> Probabilities:
        """A finished cell's probabilities, (test rows, labels); NaN where a strategy had no text. Raises XltError."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.at(cell) / "predictions.parquet"
        try:
            table = pq.read_table(path)
            columns = [table[label].to_numpy() for label in labels]
        except (OSError, pa.ArrowException, KeyError) as error:
            raise XltError(f"{path} can't be read: {error}; remove its folder and run the study again.") from None
        return np.stack(columns, axis=1).astype(np.float32)
