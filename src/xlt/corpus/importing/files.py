"""Which files an import is about, and where what could not be read is written."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from xlt.corpus.importing.sources import check
from xlt.corpus.readers import KINDS, PACKED
from xlt.corpus.rejects import Reject
from xlt.disk import write_text
from xlt.errors import UsageError, XltError

REJECTS = ".rejects.jsonl"


def expand(sources: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Files of names, patterns and folders, each once; and files in folders that are of no kind xlt reads.

    What xlt itself wrote (rejects, labelled files) is not input. Raises UsageError for what is not there.
    """
    found: dict[Path, None] = {}
    passed: list[Path] = []
    for source in sources:
        path = Path(source).expanduser()
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file() and not _ours(each.relative_to(path)))
            good = [each for each in inside if is_readable(each)]
            passed += [each for each in inside if not is_readable(each)]
            if not good:
                raise UsageError(
                    f"The folder {path} holds no file that xlt reads: {', '.join(KINDS)} (also .gz, .zst)."
                )
        elif path.exists() or not glob.has_magic(source):
            good = [path]
        else:
            matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
            good = [match for match in matches if match.is_file() and not _ours(Path(match.name))]
            if not good:
                raise UsageError(f"No file matches {source}.")
        found.update(dict.fromkeys(good))
    return list(found), passed


def _ours(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return hidden or path.name.endswith(REJECTS) or ".labelled." in path.name


def is_readable(path: Path) -> bool:
    """Whether xlt reads files of this kind, by the name."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return bool(suffixes) and (suffixes[-1] in KINDS or path.name.lower().removesuffix(".gz").endswith("tweets.js"))


def sha256(path: Path) -> str:
    """The hash of an input file. Never call it for a corpus: that would drop DuckDB's lock."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_rejects(path: Path, rejects: Sequence[Reject], workspace: Path) -> Path | None:
    """Write `<file>.rejects.jsonl` beside the file, or into the workspace where that can't be; remove an old one.

    Returns where it lies, or None when nothing was rejected.
    """
    beside = path.with_name(path.name + REJECTS)
    if not rejects:
        # Where nothing can be written, nothing can be removed.
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        return None
    content = "".join(each.as_json() + "\n" for each in rejects)
    try:
        write_text(beside, content)
    except XltError:
        beside = workspace / beside.name
        write_text(beside, content)
    return beside


__all__ = ["REJECTS", "check", "expand", "sha256", "write_rejects"]
