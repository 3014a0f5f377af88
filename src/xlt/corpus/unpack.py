"""Takes JSON apart that DuckDB can't stream: one huge object, broken or odd text; and guards against zip bombs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

from xlt.errors import XltError

PACKED = {".gz": "gzip", ".zst": "zstd"}
# Real exports shrink to a fifth or a twentieth. What is both huge and shrinks a hundredfold is no export.
MOST_UNPACKED = 2 * 1024**3
MOST_RATIO = 100
PAGE = 500
WHOLE = 8 * 1024 * 1024
_CHUNK = 1 << 20


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked."""
    kind = PACKED.get(path.suffix.lower())
    if kind is None:
        return path.open("rb")
    import pyarrow as pa

    return io.BufferedReader(pa.input_stream(str(path), compression=kind))


def check_size(path: Path) -> None:
    """Raise XltError for a packed file that unpacks to absurdly much, or that can't be unpacked at all."""
    if path.suffix.lower() not in PACKED:
        return
    import pyarrow as pa

    size, packed = 0, max(1, path.stat().st_size)
    # The ratio alone decides nothing: ten equal lines shrink well.
    most = max(MOST_UNPACKED, packed * MOST_RATIO)
    try:
        with pa.input_stream(str(path), compression=PACKED[path.suffix.lower()]) as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    raise XltError(
                        f"{path} unpacks to more than {most / 1024**3:.1f} GiB, over {MOST_RATIO} times its size: "
                        "that looks like a zip bomb, so it was not read; if you trust it, unpack it and import that."
                    )
    except OSError as error:
        raise XltError(f"{path} can't be unpacked: {error}; download or export it again.") from None


class Cut(Exception):
    """A document that stops making sense. `line` is where, from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def loads(line: str) -> Any:
    """JSON as Python reads it, but what JSON does not know (NaN, Infinity) becomes null. Raises ValueError."""
    try:
        return _DECODER.decode(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def dumps(value: Any) -> str:
    """One line of JSON. Lone surrogates, which no UTF-8 file may hold, become U+FFFD."""
    packed = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        packed.encode()
    except UnicodeEncodeError:
        return packed.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return packed


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


_DECODER = json.JSONDecoder(parse_constant=lambda name: None, parse_float=_finite)


def documents(path: Path) -> Generator[Any, None, None]:
    """The JSON objects of a file: elements of a list, objects after one another, a huge object in pages.

    A huge object (a chat of a million messages) comes as several with up to PAGE elements of its longest lists each
    and everything that stands before them. Raises Cut where the text stops being JSON.
    """
    with open_bytes(path) as raw:
        scanner = _Scanner(io.TextIOWrapper(raw, encoding="utf-8", errors="replace"))
        if path.suffix.lower() == ".js":
            scanner.skip_to("[{")
        while (sign := scanner.peek()) != "":
            if sign == "[":
                yield from scanner.elements()
            elif sign == "{" and scanner.huge(WHOLE):
                yield from scanner.pages()
            else:
                yield scanner.value()
            scanner.skip(",;")


class _Scanner:
    """Reads JSON from a stream piece by piece."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def _more(self) -> bool:
        if self._ended:
            return False
        self._line += self._buffer.count("\n", 0, self._at)
        self._buffer = self._buffer[self._at :]
        self._at = 0
        piece = self._stream.read(max(_CHUNK, len(self._buffer)))
        self._ended = not piece
        self._buffer += piece
        return bool(piece)

    def cut(self, reason: str) -> Cut:
        return Cut(self._line + self._buffer.count("\n", 0, self._at), reason)

    def huge(self, size: int) -> bool:
        """Whether the next value is longer than `size` characters."""
        while len(self._buffer) - self._at <= size:
            try:
                _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError):
                if self._more():
                    continue
            return False
        return True

    def peek(self) -> str:
        """The next sign that is no blank; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                sign = self._buffer[self._at]
                if sign not in " \t\r\n\ufeff":
                    return sign
                self._at += 1
            if not self._more():
                return ""

    def skip(self, signs: str) -> bool:
        found = self.peek()
        if found and found in signs:
            self._at += 1
            return True
        return False

    def skip_to(self, signs: str) -> None:
        while (sign := self.peek()) and sign not in signs:
            self._at += 1

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if self._more():
                    continue
                reason = "nested too deeply" if isinstance(error, RecursionError) else _reason(error)
                raise self.cut(reason) from None
            # A number that ends with the buffer may go on in the next piece.
            if end == len(self._buffer) and not isinstance(found, (dict, list, str)) and self._more():
                continue
            self._at = end
            return found

    def elements(self) -> Iterator[Any]:
        self.skip("[")
        while not self.skip("]"):
            yield self.value()
            if not self.skip(",") and self.peek() != "]":
                raise self.cut("the list is cut off" if self.peek() == "" else "a comma is missing")

    def pages(self) -> Iterator[dict[str, Any]]:
        head: dict[str, Any] = {}
        given = 0
        self.skip("{")
        while not self.skip("}"):
            key = self.value()
            if not isinstance(key, str) or not self.skip(":"):
                raise self.cut("a key is missing")
            if self.peek() == "[":
                page: list[Any] = []
                for element in self.elements():
                    page.append(element)
                    if len(page) == PAGE:
                        yield {**head, key: page}
                        given += 1
                        page = []
                if page:
                    yield {**head, key: page}
                    given += 1
            else:
                value = self.value()
                if isinstance(value, (dict, list)):
                    # Too large to repeat on every page; lookups find it wherever it stands.
                    yield {**head, key: value}
                    given += 1
                else:
                    head[key] = value
            if not self.skip(",") and self.peek() != "}":
                raise self.cut("the object is cut off" if self.peek() == "" else "a comma is missing")
        if not given:
            yield head


def _reason(error: Exception) -> str:
    return str(error).split(": line", 1)[0].split(": char", 1)[0]
