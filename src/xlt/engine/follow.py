"""How far a run is, told from its folder alone: whoever began it, and whether or not it is still at work."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from xlt.corpus.rounds import Round, rounds
from xlt.corpus.sofar import Counts, finished_blocks, labels_of_blocks
from xlt.corpus.stage import Staged
from xlt.engine.job import Progress
from xlt.engine.log import FILE as LOG
from xlt.engine.run import RunFolder
from xlt.errors import XltError
from xlt.locks import holder_of

Phase = Literal["reading", "loading", "scoring", "writing", "stopped", "waiting", "complete"]
"""`waiting`: complete, and the corpus does not have the predictions yet."""


@dataclass(frozen=True)
class RunState:
    """A run as its folder shows it at one moment."""

    folder: Path
    model: str
    seen: tuple[str, ...]
    """Languages in the model's fine-tuning set."""
    task: str
    names: tuple[str, ...]
    """The task's labels."""
    source: str
    """`corpus`, or the names of the files."""
    asked: dict[str, Any]
    """Which tweets: `langs`, `where`, `limit`, as far as they were given."""
    phase: Phase
    pids: tuple[int, ...]
    """The processes at work on it; several when it is done in parts."""
    staged: Staged | None
    """None while the tweets are still being read."""
    done: int
    """Distinct texts with a prediction, in the round that is at work or was last."""
    total: int
    progress: Progress | None
    """Of the processes at work together, with their rate; None when none works or none has begun to score."""
    begun: str
    """ISO 8601."""
    command: tuple[str, ...]
    """The arguments of `xlt` that go on with it; empty when they are not known."""
    started_in: Path
    """The folder that paths in `command` start from."""
    labels: Counts = field(default_factory=Counter)
    """(language, label) → distinct texts, of the finished blocks; filled by a Follower alone."""

    @property
    def id(self) -> str:
        """The run folder's name."""
        return self.folder.name

    @property
    def at_work(self) -> bool:
        """Whether a process works on it now."""
        return bool(self.pids)

    @property
    def resumable(self) -> bool:
        """Whether `command` goes on where it stopped. Tweets that came through a pipe are not there a second time."""
        return self.phase == "stopped" and bool(self.command) and "-" not in self.command

    def log(self) -> str:
        """What it said, by time; empty for a run of an older xlt."""
        try:
            return (self.folder / LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def look(folder: Path) -> RunState:
    """The state of the run in `folder`, in a few small reads. Raises XltError when its record can't be read."""
    run = RunFolder(folder)
    record = run.record
    parts = rounds(folder)
    part = parts[-1] if parts else None
    over_files = "files" in record["identity"]
    staged = (run.staged or _of_record(record)) if over_files else (part.staged if part else None)
    pids = {lock: pid for lock in folder.glob("*.pid") if (pid := _worker(lock)) is not None}
    blocks = len(finished_blocks(part.folder if part else folder))
    ready = staged is not None and blocks >= staged.blocks
    progress = _progress(folder, pids)
    phase = _phase(bool(pids), record, part, staged, ready, progress)
    if staged is None:
        done = 0
    elif progress and phase == "scoring" and len(pids) == 1:
        done = progress.done
    else:
        # Blocks are of nearly equal size.
        done = round(staged.distinct * min(1.0, blocks / staged.blocks)) if staged.blocks else 0
    command = record.get("command") or {}
    return RunState(
        folder=folder,
        model=record["model"]["name"],
        seen=tuple(record["model"].get("languages", [])),
        task=record["task"]["name"],
        names=tuple(record["task"]["labels"]),
        source=", ".join(Path(str(each[0])).name for each in record["identity"].get("files", [])) or "corpus",
        asked=_asked(record, part),
        phase=phase,
        pids=tuple(pids.values()),
        staged=staged,
        done=done,
        total=staged.distinct if staged else 0,
        progress=progress,
        begun=str(record["created"]),
        command=tuple(command.get("arguments", ())),
        started_in=Path(command.get("folder", ".")),
    )


def runs(folder: Path) -> list[RunState]:
    """The runs whose folders lie in `folder`, the newest first; folders that can't be read are left out."""
    found = []
    for path in folder.glob("*/run.json"):
        try:
            found.append(look(path.parent))
        except (XltError, KeyError, TypeError):
            continue  # `xlt runs list` says what is wrong with it.
    return sorted(found, key=lambda state: (state.begun, state.id), reverse=True)


class Follower:
    """Follows one run; counts the labels of each block once, when it is finished."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._part: Path | None = None
        self._counted: frozenset[int] = frozenset()
        self._labels: Counts = Counter()

    def look(self) -> RunState:
        """The state now, with the labels so far. Raises XltError."""
        state = look(self.folder)
        parts = rounds(self.folder)
        part = parts[-1].folder if parts else self.folder
        if part != self._part:
            self._part, self._counted, self._labels = part, frozenset(), Counter()
        fresh = finished_blocks(part) - self._counted
        found = labels_of_blocks(part, fresh)
        if found is not None:
            self._labels += found
            self._counted |= fresh
        done = max(state.done, self._labels.total())
        return replace(state, labels=Counter(self._labels), done=done)


def _worker(noted: Path) -> int | None:
    """The process that works on the run or a shard of it; other locks are only held for a moment."""
    if noted.stem != "run" and not noted.stem.startswith("shard-"):
        return None
    return holder_of(noted.with_suffix(".lock"))


def _of_record(record: dict[str, Any]) -> Staged | None:
    """What a finished run over files once staged; the copies themselves are gone."""
    found = record.get("staged")
    return Staged(**{**found, "columns": tuple(found["columns"])}) if found and record.get("complete") else None


def _phase(
    at_work: bool,
    record: dict[str, Any],
    part: Round | None,
    staged: Staged | None,
    ready: bool,
    progress: Progress | None,
) -> Phase:
    if at_work:
        if staged is None or (part is not None and part.merged):
            return "reading"
        if ready:
            return "writing"
        return "scoring" if progress else "loading"
    if not ready:
        return "stopped"
    if part is not None:
        return "complete" if part.merged else "waiting"
    return "complete" if record.get("complete") else "stopped"


def _asked(record: dict[str, Any], part: Round | None) -> dict[str, Any]:
    source = part.record["selection"] if part else record["identity"]
    return {key: source[key] for key in ("langs", "where", "limit") if source.get(key)}


def _progress(folder: Path, pids: dict[Path, int]) -> Progress | None:
    """What the processes at work wrote last; older than its lock, it is that of a process before."""
    found: list[Progress] = []
    for noted in pids:
        path = folder / f"progress{noted.stem.removeprefix('run').removeprefix('shard')}.json"
        try:
            if path.stat().st_mtime >= noted.stat().st_mtime:
                found.append(Progress(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            continue
    if not found:
        return None
    done, total, known, tokens = (
        sum(getattr(each, name) for each in found) for name in ("done", "total", "known", "tokens")
    )
    return Progress(done, total, known, max(each.seconds for each in found), tokens)
