"""One Parquet file per block: written aside, then renamed, so that a shard that is there is complete."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xlt.disk import write_whole
from xlt.engine.score import Positions, Probabilities
from xlt.errors import XltError
from xlt.tasks.spec import Task

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "shards"


def shard_path(folder: Path, block: int) -> Path:
    """Where a block's predictions lie in a run folder."""
    return folder / FOLDER / f"{block:06d}.parquet"


def finished(folder: Path, blocks: int) -> list[int]:
    """The blocks whose shard is there."""
    present = {path.name for path in (folder / FOLDER).glob("*.parquet")}
    return [block for block in range(blocks) if shard_path(folder, block).name in present]


def write_shard(
    folder: Path,
    block: int,
    task: Task,
    keys: Sequence[bytes],
    probabilities: Probabilities,
    best: Positions | None = None,
) -> None:
    """Write key, predicted, confidence and one probability per label.

    `probabilities` has shape (keys, labels) and `best`, the labels, (keys,); None: the most probable ones.
    """
    table = to_table(task, keys, probabilities, best)
    path = shard_path(folder, block)
    path.parent.mkdir(exist_ok=True)

    def write(aside: Path) -> None:
        import pyarrow.parquet as pq

        pq.write_table(table, aside, compression="zstd")

    write_whole(path, write)


def to_table(
    task: Task, keys: Sequence[bytes], probabilities: Probabilities, best: Positions | None = None
) -> pa.Table:
    """Predictions as Arrow. Raises XltError when the model gave a number that is none."""
    import pyarrow as pa

    if not np.isfinite(probabilities).all():
        raise XltError(
            "The model gave scores that are no numbers; its weights may be damaged, or this precision too small for "
            "them: try --precision fp32."
        )
    if best is None:
        best = probabilities.argmax(axis=1)
    names = np.array(task.names, dtype=object)
    columns: dict[str, pa.Array] = {
        "key": pa.array(list(keys), pa.binary(16)),
        "predicted": pa.array(names[best].tolist(), pa.string()),
        "confidence": pa.array(probabilities.max(axis=1) if len(keys) else [], pa.float32()),
    }
    for position, label in enumerate(task.names):
        columns[task.column(label)] = pa.array(np.ascontiguousarray(probabilities[:, position]), pa.float32())
    return pa.table(columns)
