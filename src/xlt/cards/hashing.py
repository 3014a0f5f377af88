"""The hash of a model: what a run's fingerprint and a tuned model's card name it by."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from xlt.cache import cache_folder
from xlt.cards.check import ADAPTER_CONFIG, ADAPTER_WEIGHTS, weight_files
from xlt.cards.files import ModelFiles
from xlt.disk import write_json
from xlt.errors import XltError

_CHUNK = 1 << 22
# Below this, hashing costs less than remembering.
_SMALL = 1 << 20


def model_hash(files: ModelFiles) -> str:
    """SHA-256 over config, tokenizer, weights and adapter (names and contents), 16 hexadecimal digits.

    Does not depend on where the files lie or, for GGUF, on the file's name. Raises XltError for an unreadable file.
    """
    memory = _Memory(cache_folder() / "hashes.json")
    total = hashlib.sha256()
    for name, path in _parts(files):
        total.update(f"{name}\0{memory.digest(path)}\n".encode())
    memory.save()
    return total.hexdigest()[:16]


def _parts(files: ModelFiles) -> list[tuple[str, Path]]:
    if files.format == "gguf":
        parts = [("model.gguf", files.weights)]
    else:
        paths = [files.weights / "config.json", files.weights / "tokenizer.json", *weight_files(files.weights)]
        parts = [(path.name, path) for path in paths]
    if files.adapter is not None:
        present = [files.adapter / name for name in (ADAPTER_CONFIG, *ADAPTER_WEIGHTS)]
        parts += [(f"adapter/{path.name}", path) for path in present if path.exists()]
    return parts


class _Memory:
    """Digests of large files by path, size and times: a 6 GB model is read once, not at every start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known = self._read()
        self.changed = False

    def digest(self, path: Path) -> str:
        try:
            real = path.resolve(strict=True)
            state = real.stat()
            # The change time sees what a copy that keeps dates would hide.
            stamp = [state.st_size, state.st_mtime_ns, state.st_ctime_ns]
            if state.st_size < _SMALL:
                return _digest(real)
            key = str(real)
            if (found := self.known.get(key)) and found[:3] == stamp:
                return str(found[3])
            self.known[key] = [*stamp, _digest(real)]
            self.changed = True
            return str(self.known[key][3])
        except OSError as error:
            raise XltError(f"{path} can't be read: {(error.strerror or str(error)).lower()}.") from None

    def save(self) -> None:
        if not self.changed:
            return
        kept = {key: value for key, value in {**self._read(), **self.known}.items() if Path(key).exists()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.path, kept)
        except (OSError, XltError):
            pass  # A read-only home costs reading the weights once more, no more.

    def _read(self) -> dict[str, list[int | str]]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        rows = found.items() if isinstance(found, dict) else []
        return {key: value for key, value in rows if isinstance(value, list) and len(value) == 4}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
