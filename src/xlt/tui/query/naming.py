"""Queries that have a name, and those that were run: opened into the editor, saved from it, kept for the next start."""

from __future__ import annotations

from xlt.errors import XltError
from xlt.tui.choice import Choice, Line
from xlt.tui.query.editor import SqlEditor
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.bar import Chip
from xlt.tui.widgets.picker import Picker


class NamedQueries(XltScreen):
    """A screen with an `SqlEditor`; `QueryScreen` adds what runs its text."""

    MODE = "query"

    def __init__(self) -> None:
        super().__init__()
        self._open_query = ""

    def action_run(self) -> None:
        """Run what is selected, or the statement where the cursor stands."""
        raise NotImplementedError

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

    def _keep(self) -> None:
        editor = self.query_one(SqlEditor)
        self.state.update(script=editor.text, cursor=editor.cursor, name=self._open_query)

    def on_screen_suspend(self) -> None:
        self._keep()

    def _say_name(self) -> None:
        for chip in self.query(Chip):
            said = self._open_query if chip.name == "named" and self._open_query else ""
            chip.say(said or {"named": "named queries"}.get(chip.name or "", "history"), active=bool(said))
