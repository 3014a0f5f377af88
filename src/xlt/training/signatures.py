"""What a model keeps of the texts that it was tuned on: enough to recognise them, not to read them.

One Parquet row per text, in the order of the keys: a hash of the stripped text and its MinHash signature. Whoever has
a text can ask whether the model has seen it; nobody can get the text out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from xlt.disk import write_whole
from xlt.errors import XltError
from xlt.training.near import SIZE, Signatures, exact_key, signatures, similar_pairs, stripped

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "seen_texts.parquet"
HOW = "1"
"""Version of how texts are stripped and signed; signatures of different versions can't be compared."""

Overlap = Literal["", "train", "dev"]


def keep_signatures(folder: Path, train: Sequence[str], dev: Sequence[str]) -> None:
    """Write what a model's folder keeps of its texts: trained on, and held out to choose a checkpoint."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    bare = [stripped(text) for text in (*train, *dev)]
    keys = [exact_key(text) for text in bare]
    signed = signatures(bare)
    rows = sorted({(key, here >= len(train)): here for here, key in enumerate(keys) if key}.items())
    order = np.array([here for _, here in rows], np.int64)
    table = pa.table(
        {
            "key": pa.array([key for (key, _), _ in rows], pa.binary(16)),
            "signature": pa.array([row.tobytes() for row in signed[order].astype("<u2")], pa.binary(2 * SIZE)),
            "dev": pa.array([dev_text for (_, dev_text), _ in rows], pa.bool_()),
        }
    ).replace_schema_metadata({"xlt.signatures": HOW})
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, lambda aside: pq.write_table(table, aside, compression="zstd"))


def overlaps(folder: Path, texts: Sequence[str]) -> list[Overlap]:
    """For each text whether it is one, or nearly one, that the model in `folder` was tuned on.

    `train`: it was trained on; `dev`: it was held out and helped to choose the checkpoint; empty: neither. 100,000
    texts against 100,000 take seconds. Raises XltError when the model kept no signatures.
    """
    table = _read(folder / FILE)
    held = table["dev"].to_numpy()
    known = {key: index for index, key in enumerate(table["key"].to_pylist())}
    bare = [stripped(text) for text in texts]
    first: dict[str, int] = {}
    for text in bare:
        if exact_key(text):
            first.setdefault(text, len(first))
    found = np.zeros((len(first), 2), bool)
    for text, here in first.items():
        if (there := known.get(exact_key(text))) is not None:
            found[here, int(held[there])] = True
    pairs = similar_pairs(_signed(table), signatures(list(first)))
    found[pairs[:, 1], held[pairs[:, 0]].astype(int)] = True
    names: list[Overlap] = ["train" if train else "dev" if dev else "" for train, dev in found.tolist()]
    return [names[first[text]] if text in first else "" for text in bare]


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise XltError(
            f"The model in {path.parent} keeps no signatures of its texts ({path.name}), so which texts it knows "
            "can't be told."
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise XltError(f"{path} can't be read: {error}; copy the model again.") from None
    if (table.schema.metadata or {}).get(b"xlt.signatures", b"").decode() != HOW:
        raise XltError(
            f"{path} was written by another version of xlt and can't be compared with; tune the model again."
        )
    return table


def _signed(table: pa.Table) -> Signatures:
    packed = b"".join(table["signature"].to_pylist())
    return np.frombuffer(packed, "<u2").astype(np.uint16).reshape(-1, SIZE)
