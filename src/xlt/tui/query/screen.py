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
from xlt.tui.choice import Choice, Line
from xlt.tui.jobs import Job
from xlt.tui.query.editor import Candidates, SqlEditor
from xlt.tui.query.results import ArrowRows, RecordScreen
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.bar import Chip
from xlt.tui.widgets.picker import Picker
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


class QueryScreen(XltScreen):
    """The editor above, the rows below."""

    MODE = "query"
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("query")

    def __init__(self) -> None:
        super().__init__()
        self._answer: Answer | None = None
        self._rows: ArrowRows | None = None
        self._open_query = ""

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

    # Queries that have a name, and those that were run

    def action_named(self) -> None:
        """Choose a named query."""
        from xlt.tui.query.lists import named_items

        try:
            items = named_items(self.xlt.workspace)
        except XltError as error:
            self.fail(error)
            return
        self.app.push_screen(Picker("Named queries", items, self._open_query), self._open)

    def _open(self, name: str | None) -> None:
        from xlt.corpus.queries import find

        if name is None:
            return
        try:
            script = find(name, self.xlt.workspace).path.read_text(encoding="utf-8")
        except (OSError, XltError) as error:
            self.fail(XltError(str(error)))
            return
        self._put(script, name)
        self.action_run()

    def _put(self, script: str, name: str) -> None:
        editor = self.query_one(SqlEditor)
        editor.place(script, len(script.rstrip()))
        editor.focus()
        self._open_query = name
        self._keep()
        self._say_name()

    def action_history(self) -> None:
        """Choose a statement that was run before."""
        from xlt.tui.query.lists import history_items

        items = history_items(self.xlt.workspace)
        if not items:
            self.tell("Nothing was run in this workspace yet.")
            return
        self.app.push_screen(Picker("Run before, the newest first", items), self._again)

    def _again(self, sql: str | None) -> None:
        if sql is not None:
            self._put(sql + ("" if sql.endswith(";") else ";") + "\n", "")

    def action_save(self) -> None:
        """Save the text as a named query."""
        hint = "letters, digits and hyphens; the text begins with -- Title"
        self.app.push_screen(Line("Save as queries/NAME.sql in this workspace", self._open_query, hint), self._save)

    def _save(self, name: str | None, replace: bool = False) -> None:
        from xlt.corpus.queries import FOLDER, save

        if not name:
            return
        name = name.strip().removesuffix(".sql")
        path = self.xlt.workspace / FOLDER / f"{name}.sql"
        script = self.query_one(SqlEditor).text
        if path.exists() and not replace and name != self._open_query:
            options = [("yes", f"write over {path.name}"), ("no", "leave it as it is")]
            chosen = Choice(f"There is a query {name} in this workspace", options, "no")
            self.app.push_screen(chosen, lambda given: self._save(path.stem, True) if given == "yes" else None)
            return
        try:
            save(self.xlt.workspace, name, script, replace=path.exists())
        except XltError as error:
            self.fail(error)
            return
        self._open_query = name
        self._keep()
        self._say_name()
        self.tell(f"Saved: {path}. xlt query {name} runs it too.")

    # What is kept and said

    def _keep(self) -> None:
        editor = self.query_one(SqlEditor)
        self.state.update(script=editor.text, cursor=editor.cursor, name=self._open_query)

    def on_screen_suspend(self) -> None:
        self._keep()

    def _say_name(self) -> None:
        for chip in self.query(Chip):
            said = self._open_query if chip.name == "named" and self._open_query else ""
            chip.say(said or {"named": "named queries"}.get(chip.name or "", "history"), active=bool(said))

    def _say(self, sentence: str, seconds: float | None = None) -> None:
        took = "" if seconds is None else f" · {seconds:.2f} s"
        self.query_one("#came", Static).update(Content(sentence + took))
