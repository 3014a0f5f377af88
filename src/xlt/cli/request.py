"""Turns what was typed into a job: finds files, task, model, and a place for the output."""

from __future__ import annotations

import glob
import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast, get_args

from xlt.backends import choose
from xlt.backends.base import Precision
from xlt.cards.registry import default_name, find
from xlt.cards.temperature import temperature_of
from xlt.cli.corpora import WORD, is_corpus
from xlt.corpus.readers import kind_of
from xlt.corpus.stage import Selection
from xlt.corpus.store import corpus_path
from xlt.engine.job import Job
from xlt.errors import Interrupted, UsageError, XltError
from xlt.tasks.load import load_task

STDIN = "-"
LABELLED_STDIN = ".labelled.jsonl"
_SUFFIX = {"parquet": ".parquet", "csv": ".csv", "tsv": ".tsv", "jsonl": ".jsonl", "json": ".jsonl"}


@dataclass(frozen=True)
class Request:
    """The options of `xlt classify`, as given."""

    sources: tuple[str, ...]
    model: str | None = None
    task: str | None = None
    output: Path | None = None
    langs: tuple[str, ...] = ()
    where: str | None = None
    limit: int | None = None
    text_column: str | None = None
    lang_column: str | None = None
    encoding: str = "utf-8"
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    batch_tokens: int | None = None
    temperature: float | None = None
    """None: the one in the model's card."""
    shard: tuple[int, int] | None = None
    workspace: Path = Path()
    command: tuple[str, ...] = ()
    """The arguments of `xlt` as they were typed."""

    @property
    def corpus(self) -> Path | None:
        """The corpus to classify, if it is one: the workspace's own, or a file ending in .duckdb."""
        named = [source for source in self.sources if is_corpus(source)]
        if not named:
            return None
        if len(self.sources) > 1:
            raise UsageError("A corpus can't be mixed with other sources; classify them one after the other.")
        return corpus_path(self.workspace) if named[0] == WORD else Path(named[0]).expanduser()

    @property
    def to_stdout(self) -> bool:
        """Whether the labelled rows go to stdout: they do when the tweets come from stdin."""
        return self.sources == (STDIN,) and self.output is None


@contextmanager
def build(request: Request) -> Iterator[Job]:
    """The job. Tweets from stdin stay in the workspace while the run can be resumed, and no longer."""
    if request.precision not in get_args(Precision):
        raise UsageError(f"There is no precision {request.precision!r}; there are {', '.join(get_args(Precision))}.")
    if STDIN in request.sources and len(request.sources) > 1:
        raise UsageError("Standard input (-) can't be mixed with files.")
    spooled = _spool(sys.stdin.buffer, request.workspace) if STDIN in request.sources else None
    try:
        yield _job(request, spooled)
    except XltError as error:
        if spooled and not isinstance(error, Interrupted):
            spooled.unlink(missing_ok=True)
        raise
    if spooled:
        spooled.unlink(missing_ok=True)
        spooled.with_suffix(LABELLED_STDIN).unlink(missing_ok=True)


def _job(request: Request, spooled: Path | None) -> Job:
    # Before the model, so that a mistake in the file's name is told at once.
    corpus = _corpus(request)
    files: tuple[Path, ...] = ()
    output = request.output
    if corpus is None:
        files = (spooled,) if spooled else expand(request.sources)
        output = output or _beside(files, spooled, request)
    backend = choose(request.backend)
    name = request.model or default_name(request.workspace, backend.name)
    model = find(name, backend=backend.name, workspace=request.workspace)
    task = load_task(request.task or (model.card.task if model.card and model.card.task else "immigration"))
    return Job(
        selection=Selection(
            files=files,
            text_column=request.text_column,
            lang_column=request.lang_column,
            langs=request.langs,
            where=request.where,
            limit=request.limit,
            encoding=request.encoding,
            corpus=corpus,
        ),
        output=output,
        task=task,
        model=model,
        workspace=request.workspace,
        backend=backend.name,
        device=request.device,
        precision=cast("Precision", request.precision),
        threads=request.threads,
        batch_tokens=request.batch_tokens,
        temperature=temperature_of(model.card, task.hash) if request.temperature is None else request.temperature,
        shard=request.shard,
        command=request.command,
    )


def _corpus(request: Request) -> Path | None:
    corpus = request.corpus
    if corpus is None:
        return None
    if not corpus.exists():
        raise UsageError(f"There is no corpus {corpus}; make one with xlt import FILE.")
    given = {"--text-column": request.text_column, "--lang-column": request.lang_column}
    for option, value in given.items():
        if value is not None:
            raise UsageError(f"{option} is for files; the corpus has the columns text and lang.")
    return corpus


def expand(sources: tuple[str, ...]) -> tuple[Path, ...]:
    """Files of names and patterns, each once. Raises UsageError for a name or a pattern that matches nothing."""
    found: dict[Path, None] = {}
    for source in sources:
        path = Path(source).expanduser()
        if path.exists() or not glob.has_magic(source):
            matches = [path]
        else:
            # What an earlier run wrote beside its input is not input.
            matches = [
                Path(match)
                for match in sorted(glob.glob(str(path), recursive=True))
                if ".labelled." not in match and not match.endswith(".rejects.jsonl")
            ]
            if not matches:
                raise UsageError(f"No file matches {source}.")
        for match in matches:
            if match.is_dir():
                raise UsageError(f"{match} is a folder; name its files, such as '{match}/*.parquet'.")
            if not match.exists():
                raise UsageError(f"There is no file {match}.")
            kind_of(match)
            found[match] = None
    return tuple(found)


def _beside(files: tuple[Path, ...], spooled: Path | None, request: Request) -> Path:
    if spooled:
        return spooled.with_suffix(LABELLED_STDIN)
    if len(files) > 1:
        return request.workspace / "labelled.parquet"
    stem = files[0].name
    for suffix in reversed(files[0].suffixes):
        if suffix.lower() in (".gz", ".zst", ".parquet", ".pq", ".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json"):
            stem = stem.removesuffix(suffix)
    return files[0].with_name(f"{stem}.labelled{_SUFFIX[kind_of(files[0])]}")


def _spool(stream: IO[bytes], workspace: Path) -> Path:
    """Keep standard input under a name that its content decides, so that the same input finds its run again."""
    folder = workspace / "runs"
    digest = hashlib.sha256()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / "stdin.part"
        with aside.open("wb") as kept:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                kept.write(chunk)
        path = folder / f"stdin-{digest.hexdigest()[:16]}.jsonl"
        # An interrupted run's copy keeps its date: the date is part of how the run is found.
        if not path.exists():
            aside.replace(path)
        aside.unlink(missing_ok=True)
    except OSError as error:
        raise XltError(f"Standard input can't be kept in {folder}: {(error.strerror or str(error)).lower()}.") from None
    return path
