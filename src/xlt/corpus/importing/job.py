"""An import: file by file, each in one transaction, with what was read and what was not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from xlt import __version__
from xlt.corpus import gate, store
from xlt.corpus.documents import NoPosts
from xlt.corpus.duck import failed
from xlt.corpus.importing import masks
from xlt.corpus.importing.dates import check_order
from xlt.corpus.importing.files import sha256, write_rejects
from xlt.corpus.importing.gold import merge_gold, stage_gold
from xlt.corpus.importing.inspect import drop_repeats, inspect, numbers, plural, textless_note
from xlt.corpus.importing.mapping import load
from xlt.corpus.importing.merge import Merged, complete_retweets, merge
from xlt.corpus.importing.report import Report, notes_on, say_layouts, say_report
from xlt.corpus.importing.source import Source
from xlt.corpus.importing.sources import check, open_source
from xlt.corpus.importing.staging import GOLD, OPTIONS, STAGED, Options, stage
from xlt.corpus.importing.straight import Straight, look
from xlt.corpus.rejects import Reject
from xlt.corpus.secret import check_key, ensure_key
from xlt.disk import refused
from xlt.errors import UsageError, XltError
from xlt.processes import alive

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.tasks.spec import Task


MEMORY = "600MB"


@dataclass(frozen=True)
class Labels:
    """How gold labels come in."""

    task: Task
    coder: str = "imported"
    """Who gave the labels of rows without a column `coder`."""


@dataclass(frozen=True)
class Import:
    """What to import, where to, and how."""

    files: Sequence[Path]
    workspace: Path
    corpus: Path
    options: Options = field(default_factory=Options)
    labels: Labels | None = None


def run(job: Import, say: Callable[[str], None]) -> list[Report]:
    """Import the files one after another. A file that can't be read is reported, and the others go on.

    Raises UsageError when the command itself is wrong for a file, and XltError when the corpus can't be written.
    """
    if job.options.mapping:
        load(job.options.mapping)
    check_order(job.options.dates)
    key = ensure_key(job.workspace)
    store.ensure(job.corpus)
    reports: list[Report] = []
    with _scratch(job.workspace) as scratch:
        for file in job.files:
            try:
                # Before the corpus is opened: looking through a packed file takes a while.
                check(file)
                report = _one(job, file, key, scratch)
            except (UsageError, gate.CorpusLockedError):
                raise
            except NoPosts as empty:
                report = Report(file, "", notes=[str(empty)])
            except XltError as error:
                report = Report(file, "", error=error)
            reports.append(report)
            if not (report.error and len(job.files) == 1):
                say_report(report, say)
            for leftover in scratch.iterdir():
                leftover.unlink()
    say_layouts(reports, say)
    return reports


@contextmanager
def _scratch(workspace: Path) -> Iterator[Path]:
    """A folder for repaired copies; what killed imports left is removed, since it holds texts."""
    parent = workspace / ".xlt"
    for old in parent.glob("import-*"):
        number = old.name.rpartition("-")[2]
        if number.isdecimal() and not alive(int(number)):
            shutil.rmtree(old, ignore_errors=True)
    folder = parent / f"import-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        raise refused(folder, error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _one(job: Import, file: Path, key: bytes, scratch: Path) -> Report:
    digest = sha256(file)
    with gate.opened(job.corpus, write=True, memory=MEMORY) as con:
        masks.set_key(con, key)
        wanted = [*job.options.columns.values(), *job.options.keep]
        if job.options.labels:
            wanted += [job.options.labels, *GOLD[1:]]
        source, straight = _open(con, job, file, scratch, wanted)
        report = Report(file, source.mapping.name, source.mapping.title)
        rejects = list(source.rejects)
        if straight:
            put: Callable[[int], Merged] = partial(straight.put, con)
            report.rows = straight.count
        else:
            rejects += _prepare(con, job, source, report)
            put = partial(merge, con, key_of_id=masks.keyed("platform || ':' || id"))
        report.notes += notes_on(source, job.options)
        _commit(con, job, report, digest, len(rejects), key, put)
    report.rejected = len(rejects)
    report.rejects_file = write_rejects(file, rejects, job.workspace)
    return report


def _open(
    con: DuckDBPyConnection, job: Import, file: Path, scratch: Path, wanted: list[str]
) -> tuple[Source, Straight | None]:
    """Open a file, and stage it unless it can go straight in."""
    import duckdb

    options = job.options
    try:
        source = open_source(con, file, scratch, options.mapping, options.encoding, wanted, checked=False)
        _need_text(source, file, options)
        if source.mapping.text_form == "html":
            masks.register(con)
        straight = look(con, source, options) if _has_ids(source, options) else None
        if straight is None:
            if source.unchecked:
                source = open_source(con, file, scratch, options.mapping, options.encoding, wanted)
            stage(con, source, options)
        return source, straight
    except duckdb.Error as error:
        raise failed(f"{file} can't be read", error, "check that it is whole, or export it again") from None


def _has_ids(source: Source, options: Options) -> bool:
    return "id" in options.columns or any(
        source.sql(path) for value in source.mapping.columns.get("id", ()) for path in value.paths
    )


def _prepare(con: DuckDBPyConnection, job: Import, source: Source, report: Report) -> list[Reject]:
    """Make of `staged` what can be merged; what was rejected of it."""
    file = report.file
    found = inspect(con, str(file), _has_ids(source, job.options))
    report.notes += found.notes
    if found.rows and found.rows == len(found.rejects):
        first = found.rejects[0].reason
        raise XltError(f"None of the {found.rows:,} objects in {file} is a post ({first}); nothing was imported.")
    rejects = found.rejects
    if job.labels:
        # Before repeats go: a post may have been coded by several people.
        rejects += stage_gold(con, str(file), job.labels.task, job.labels.coder)
    report.notes += drop_repeats(con)
    _, cut = complete_retweets(con)
    if cut:
        report.notes.append(
            f"Cut (RT @user …), since the file lacks the posts that they repeat: {plural(cut, 'retweet')}."
        )
    report.rows = numbers(con, f"SELECT count(*) FROM {STAGED}")[0]
    return rejects


def _commit(
    con: DuckDBPyConnection,
    job: Import,
    report: Report,
    digest: str,
    rejected: int,
    key: bytes,
    put: Callable[[int], Merged],
) -> None:
    import duckdb

    try:
        con.execute("BEGIN")
        check_key(con, key, job.workspace)
        row = con.execute("SELECT coalesce(max(id), 0) + 1 FROM imports").fetchone()
        number = int(row[0]) if row else 1
        merged = put(number)
        report.rows -= merged.forgotten
        report.added, report.changed = merged.added, merged.changed
        if job.labels:
            added, altered, homeless = merge_gold(con, job.labels.task)
            report.labels = added + altered
            if homeless:
                report.notes.append(
                    f"Left out, since their posts have no text or were erased: {plural(homeless, 'label')}."
                )
        con.execute(
            "INSERT INTO imports VALUES (?, ?, ?, ?, now()::TIMESTAMP, ?, ?, ?, ?, ?)",
            [
                number,
                str(report.file.resolve()),
                digest,
                report.mapping,
                report.rows,
                merged.added,
                merged.changed,
                rejected,
                __version__,
            ],
        )
        con.execute("COMMIT")
    except duckdb.Error as error:
        with suppress(duckdb.Error):
            con.execute("ROLLBACK")
        raise failed(f"{report.file} can't be imported", error, "nothing of it was kept, import it again") from None
    except BaseException:
        with suppress(duckdb.Error):
            con.execute("ROLLBACK")
        raise
    if merged.textless:
        report.notes.append(textless_note(merged.textless))
    if merged.reworded:
        report.notes.append(f"With another text than before: {plural(merged.reworded, 'post')}; the new text is kept.")
    if merged.forgotten:
        report.notes.append(f"Left out, since erased on request (xlt forget): {plural(merged.forgotten, 'post')}.")


def _need_text(source: Source, file: Path, options: Options) -> None:
    if "text" in options.columns and source.mapping.kind == "table":
        return
    column = source.mapping.columns["text"]
    if any(source.sql(path) for value in column for path in value.paths):
        return
    wanted = ", ".join(dict.fromkeys(path.spelt for value in column for path in value.paths))
    raise UsageError(
        f"{file}: no column holds the text: xlt looks for {wanted}, and there are {', '.join(source.names)}; name it "
        "with --text-column."
    )


__all__ = ["OPTIONS", "Import", "Labels", "Options", "Report", "run"]
