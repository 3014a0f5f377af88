"""What came of an import, file by file, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xlt.corpus.importing.inspect import plural
from xlt.corpus.importing.mapping import Column
from xlt.corpus.importing.source import Source
from xlt.corpus.importing.staging import GOLD, Options
from xlt.errors import XltError


@dataclass
class Report:
    """What came of one file."""

    file: Path
    mapping: str
    title: str = ""
    """What the layout is called."""
    rows: int = 0
    added: int = 0
    changed: int = 0
    labels: int = 0
    """Gold labels added or changed."""
    rejected: int = 0
    rejects_file: Path | None = None
    notes: list[str] = field(default_factory=list)
    error: XltError | None = None
    """Why nothing of the file was read."""

    @property
    def unchanged(self) -> int:
        """Posts that the corpus had already, just so."""
        return max(0, self.rows - self.added - self.changed)


def notes_on(source: Source, options: Options) -> list[str]:
    """What a file has that is not kept, and pages without posts."""
    notes = []
    if source.empty_pages:
        notes.append(f"Without any post: {plural(source.empty_pages, 'page')}.")
    if source.mapping.kind == "table":
        used = {
            path.steps[0].name.casefold() for column in _columns(source) for value in column for path in value.paths
        }
        used |= {name.casefold() for name in (*options.columns.values(), *options.keep, options.labels or "")}
        used |= set(GOLD) if options.labels else set()
        left = [name for name in source.names if name.casefold() not in used]
        if left:
            notes.append(f"Columns not kept: {', '.join(left)} (--keep NAME keeps one).")
        if not options.labels and (label := next((name for name in left if name.casefold() == "label"), None)):
            notes.append(f"If people gave the labels in {label}: --labels {label} brings them in as gold.")
    return notes


def _columns(source: Source) -> list[Column]:
    return [*source.mapping.columns.values(), *source.mapping.extra.values()]


def say_report(report: Report, say: Callable[[str], None]) -> None:
    """Tell what came of a file: a line of counts, then what is odd about it."""
    if report.error:
        say(f"{report.file}: not read. {report.error}")
        return
    if not report.mapping:
        say(report.notes[0])
        return
    parts = [f"{report.added:,} new", f"{report.changed:,} changed", f"{report.unchanged:,} already there"]
    if report.labels:
        parts.append(f"{report.labels:,} labels")
    if report.rejected:
        parts.append(f"{report.rejected:,} rejected")
    say(f"{report.file}: {report.title}: " + ", ".join(parts) + ".")
    for note in report.notes:
        say(f"  {note}")
    if report.rejects_file:
        say(f"  What was not read, and why: {report.rejects_file}")


def say_layouts(reports: Sequence[Report], say: Callable[[str], None]) -> None:
    """Tell when the files were of different kinds."""
    used = {report.mapping for report in reports if report.mapping}
    if len(used) > 1:
        which = f" ({', '.join(sorted(used))})" if len(used) < 5 else ""
        say(f"The files have {len(used)} different layouts{which}; each was read by its own.")
