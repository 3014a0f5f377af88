"""Query: SQL over the corpus, named queries, and rows that say honestly how many there are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from xlt.errors import Interrupted, UsageError, XltError
from xlt.tui.actions import bindings
from xlt.tui.choice import Line
from xlt.tui.jobs import Job
from xlt.tui.query.editor import Candidates, SqlEditor
from xlt.tui.query.naming import NamedQueries
from xlt.tui.query.results import ArrowRows, RecordScreen
from xlt.tui.widgets.bar import Chip
from xlt.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from xlt.corpus.asking import Answer
    from xlt.corpus.completion import Words

FIRST = """\
-- Posts by language
-- F5 runs the statement where the cursor stands, F2 opens named queries.
SELECT language, count(*) AS posts
FROM (SELECT coalesce(lang, lang_tag, 'und') AS language FROM tweets)
GROUP BY ALL
ORDER BY posts DESC;
"""


class QueryScreen(NamedQueries):
    """The editor above, the rows below."""

    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("query")

    def __init__(self) -> None:
        super().__init__()
        self._answer: Answer | None = None
        self._rows: ArrowRows | None = None

    def body(self) -> ComposeResult:
        with Horizontal(classes="chips"):
            yield Chip("named", "named", "named queries")
            yield Chip("history", "history", "history")
        candidates = Candidates(compact=True)
        yield SqlEditor(candidates, id="sql")
        yield Static(id="came")
        yield Rows()
        yield candidates

    def on_mount(self) -> None:
        editor = self.query_one(SqlEditor)
        script = self.state.get("script")
        self._open_query = str(self.state.get("name", ""))
        script = script if isinstance(script, str) else FIRST
        cursor = self.state.get("cursor")
        editor.place(script, cursor if isinstance(cursor, int) else len(script.rstrip()))
        editor.focus()
        self._say_name()
        self._say("Nothing asked yet.")

    def load(self) -> None:
        # Another corpus may have other words; the rows stay, they say when they came.
        self.jobs.start("words", self._read_words, self.query_one(SqlEditor).know)

    def _read_words(self, job: Job) -> Words:
        from xlt.corpus.completion import words
        from xlt.corpus.queries import for_run

        with job.corpus(self.xlt.corpus) as con:
            for_run(con, self.xlt.run_id)
            return words(con)

    # Running

    def action_run(self) -> None:
        """Run what is selected, or the statement where the cursor stands."""
        from xlt.corpus.queries import parse, values_of
        from xlt.corpus.statements import statement_at

        editor = self.query_one(SqlEditor)
        editor.close()
        self._keep()
        selected = editor.selected_text.strip()
        found = statement_at(editor.text, editor.cursor)
        sql = selected or (found.sql if found else "")
        self.clear()
        if not sql:
            self.fail(UsageError("There is no statement to run: write one, or take a named query with F2."))
            return
        values = values_of(parse(editor.text), [])
        self.jobs.cancel("count")
        self._say("")
        self.jobs.start(
            "query", lambda job: self._ask(job, sql, values), self._show, self._failed, about="Running (esc stops it)"
        )

    def _ask(self, job: Job, sql: str, values: dict[str, Any]) -> tuple[Answer, ArrowRows]:
        from xlt.corpus.asking import answer
        from xlt.corpus.history import remember
        from xlt.corpus.queries import for_run

        workspace = self.xlt.workspace
        try:
            with job.corpus(self.xlt.corpus) as con:
                _, of_run = for_run(con, self.xlt.run_id)
                found = answer(con, sql, {**values, **of_run})
        except Interrupted:
            remember(workspace, sql, error="stopped")
            raise
        except XltError as error:
            remember(workspace, sql, error=str(error))
            raise
        remember(workspace, sql, seconds=round(found.seconds, 3), rows=found.total)
        return found, ArrowRows(found.table)

    def _show(self, found: tuple[Answer, ArrowRows]) -> None:
        answer, self._rows = found
        self._answer = answer
        self._draw(self._rows, 0)
        self.query_one(Rows).scroll_home(animate=False)
        if answer.total is None:
            self._say(f"the first {answer.table.num_rows:,} rows, counting how many there are …", answer.seconds)
            self.jobs.start("count", lambda job: self._count(job, answer), lambda total: self._counted(answer, total))
        else:
            self._counted(answer, answer.total)

    def _count(self, job: Job, answer: Answer) -> int:
        from xlt.corpus.asking import count
        from xlt.corpus.queries import for_run

        with job.corpus(self.xlt.corpus) as con:
            for_run(con, self.xlt.run_id)
            return count(con, answer)

    def _counted(self, answer: Answer, total: int) -> None:
        shown = answer.table.num_rows
        rows = "1 row" if total == 1 else f"{total:,} rows"
        self._say(rows if shown == total else f"showing {shown:,} of {rows}; e writes all", answer.seconds)

    def _failed(self, error: XltError) -> None:
        self._say("No rows." if self._answer is None else "The rows below are those of the statement before.")
        self.fail(error)

    def action_stop(self) -> None:
        """Stop the query that runs; else to the rows, however often it is pressed."""
        job = self.jobs.running("query")
        if job is not None:
            self.jobs.cancel("query")
            self._say(f"Stopped after {time.monotonic() - job.began:.1f} s.")
        elif self.jobs.running("count"):
            self.jobs.cancel("count")
            assert self._answer is not None
            self._say(f"the first {self._answer.table.num_rows:,} rows; not counted", self._answer.seconds)
        else:
            self.query_one(Rows).focus()

    @on(SqlEditor.Left)
    def _left(self) -> None:
        self.action_stop()

    # Rows

    @on(Rows.Opened)
    def _opened(self, event: Rows.Opened) -> None:
        if self._rows is not None:
            title = f"Row {event.index + 1:,} of {len(self._rows):,}"
            self.app.push_screen(RecordScreen(self._rows.table.column_names, self._rows.values(event.index), title))

    def on_resize(self) -> None:
        if self._rows is not None:
            self.call_after_refresh(self._draw, self._rows)

    def _draw(self, found: ArrowRows, cursor: int | None = None) -> None:
        rows = self.query_one(Rows)
        rows.show(found, found.columns(rows.size.width), cursor)

    def action_edit(self) -> None:
        """To the text."""
        self.query_one(SqlEditor).focus()

    def action_copy(self) -> None:
        """Copy the row at the cursor, with tabs between its cells."""
        from xlt.tui.query.results import written
        from xlt.tui.words import one_line

        if self._rows is not None and len(self._rows):
            values = self._rows.values(self.query_one(Rows).cursor)
            self.app.copy_to_clipboard("\t".join("" if each is None else one_line(written(each)) for each in values))
            self.tell("Copied: the row, with tabs between its cells.")

    def action_export(self) -> None:
        """Ask for a file."""
        if self._answer is None:
            self.fail(UsageError("There are no rows to write yet: run a statement first."))
            return
        name = self._open_query or "rows"
        hint = ".parquet, .csv, .jsonl or .json"
        self.app.push_screen(Line("Write all rows to", str(self.xlt.workspace / f"{name}.csv"), hint), self._export)

    def _export(self, given: str | None) -> None:
        from xlt.corpus.queries import FORMATS

        answer = self._answer
        if not given or answer is None:
            return
        path = Path(given).expanduser()
        if path.suffix.lower() not in FORMATS:
            self.fail(UsageError(f"{path.name}: the file must end in {', '.join(FORMATS)}."))
            return

        def write(job: Job) -> int:
            from xlt.corpus.queries import for_run, write

            with job.corpus(self.xlt.corpus) as con:
                for_run(con, self.xlt.run_id)
                return write(con, answer.sql, answer.values, path)

        self.clear()
        self.jobs.start("export", write, lambda rows: self.tell(f"Written: {path}, {rows:,} rows."), about="Writing")

    # What is said

    def _say(self, sentence: str, seconds: float | None = None) -> None:
        took = "" if seconds is None else f" · {seconds:.2f} s"
        self.query_one("#came", Static).update(Content(sentence + took))
