"""The run folder: what a run is, what it was made with, and how the same command finds it again."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from xlt import __version__
from xlt.backends.base import Loaded
from xlt.corpus.rounds import rounds
from xlt.corpus.stage import JOIN, ROWS, TEXTS, Staged
from xlt.disk import write_json
from xlt.engine.job import Job
from xlt.errors import XltError


@dataclass(frozen=True)
class RunFolder:
    """A folder under `runs/`. `run.json` in it is the record; a missing `staged` means that staging was cut short."""

    path: Path

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` holds now."""
        try:
            found: dict[str, Any] = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise XltError(
                f"{self.path / 'run.json'} can't be read: {error}; remove the folder to start anew."
            ) from None
        return found

    def update(self, **changes: Any) -> None:
        """Change the record, whole or not at all."""
        write_json(self.path / "run.json", {**self.record, **changes})

    @property
    def staged(self) -> Staged | None:
        """What was staged, if all of it still is there."""
        found = self.record.get("staged")
        if found is None or not all((self.path / name).is_file() for name in (ROWS, JOIN, TEXTS)):
            return None
        return Staged(**{**found, "columns": tuple(found["columns"])})

    @property
    def loaded(self) -> Loaded | None:
        """What the model was loaded as the first time; later processes must do the same."""
        found = self.record.get("loaded")
        return Loaded(**found) if found else None

    def lock_path(self, shard: tuple[int, int] | None) -> Path:
        """The lock of the whole run or of one of its shards."""
        return self.path / (f"shard-{shard[0]}-of-{shard[1]}.lock" if shard else "run.lock")

    def progress_path(self, shard: tuple[int, int] | None) -> Path:
        """Where the process at work on the whole run or on one of its shards writes how far it is."""
        return self.path / (f"progress-{shard[0]}-of-{shard[1]}.json" if shard else "progress.json")

    def drop_if_empty(self) -> None:
        """Remove the folder of a command that failed before it had staged anything; others may be at work in it."""
        locks = {path.name for path in self.path.glob("*.pid")}
        if not locks and self.record.get("staged") is None and not rounds(self.path):
            shutil.rmtree(self.path, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what only the work needed: copies of the texts stay nowhere but in the output."""
        for name in (ROWS, JOIN, TEXTS):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / "scratch", ignore_errors=True)
        for name in ("run.lock", "stage.lock", "budget.lock"):
            (self.path / name).unlink(missing_ok=True)
        for path in self.path.glob("progress*.json"):
            path.unlink(missing_ok=True)


def command_of(job: Job) -> dict[str, Any]:
    """How the same job is asked for again: the arguments of `xlt`, and the folder that their paths start from."""
    arguments = list(job.command)
    if job.temperature != 1 and not any(each.startswith("--temperature") for each in arguments):
        # The card may have another by then, and this run would not be found.
        arguments.append(f"--temperature={job.temperature!r}")
    return {"arguments": arguments, "folder": str(Path.cwd())}


def identity(job: Job, backend: str) -> dict[str, Any]:
    """Everything that decides a run's predictions. Where the output goes is not part of it."""
    selection = job.selection
    how = {
        "xlt": __version__,
        "model": job.model.hash,
        "task": job.task.hash,
        "backend": backend,
        "device": job.device,
        "precision": job.precision,
        "threads": job.threads,
        "batch_tokens": job.batch_tokens,
        "temperature": job.temperature,
    }
    if selection.corpus is not None:
        # Not which tweets: a run over a corpus grows with it, and every text is scored once.
        return {**how, "corpus": selection.corpus.name}
    return {
        **how,
        "files": [_stamp(path) for path in selection.files],
        "text_column": selection.text_column,
        "lang_column": selection.lang_column,
        "langs": list(selection.langs),
        "where": selection.where,
        "limit": selection.limit,
        "encoding": selection.encoding,
    }


def _stamp(path: Path) -> list[str | int]:
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def _fingerprint(what: dict[str, Any]) -> str:
    packed = json.dumps(what, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(packed.encode()).hexdigest()[:16]


def find_run(job: Job, backend: str) -> RunFolder | None:
    """The run folder that this command began before."""
    fingerprint = _fingerprint(identity(job, backend))
    for path in sorted(job.runs.glob(f"*-{fingerprint[:8]}")):
        run = RunFolder(path)
        if (path / "run.json").is_file() and run.record.get("fingerprint") == fingerprint:
            return run
    return None


def open_run(job: Job, backend: str) -> RunFolder:
    """The run folder that this command began before, or a new one."""
    found = find_run(job, backend)
    if found:
        return found
    what = identity(job, backend)
    fingerprint = _fingerprint(what)
    now = datetime.now().astimezone()
    path = job.runs / f"{now:%Y-%m-%d}-{fingerprint[:8]}"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XltError(
            f"The run folder {path} can't be made: {(error.strerror or str(error)).lower()}; choose another workspace "
            "with --workspace."
        ) from None
    record = {
        "fingerprint": fingerprint,
        "created": now.isoformat(timespec="seconds"),
        "identity": what,
        "model": {
            "name": job.model.name,
            "hash": job.model.hash,
            "files": {k: str(v) for k, v in asdict(job.model.files).items() if v is not None},
            "languages": list(job.model.card.languages) if job.model.card else [],
        },
        "task": {
            "name": job.task.name,
            "version": job.task.version,
            "hash": job.task.hash,
            "labels": job.task.names,
            "coded": job.task.coded,
        },
        "output": str(job.output) if job.output else None,
        "complete": False,
        "command": command_of(job),
    }
    write_json(path / "run.json", record)
    return RunFolder(path)
