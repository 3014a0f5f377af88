"""Bring a file into the corpus: choose it, say what xlt should know, watch it come in."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, DirectoryTree, Input, Static

from xlt.errors import UsageError, XltError
from xlt.tui.box import Box
from xlt.tui.jobs import Jobs
from xlt.tui.waiting import run_xlt

if TYPE_CHECKING:
    from xlt.tui.app import XltApp


class Files(DirectoryTree):
    """Folders, and the files that xlt reads."""

    # Textual's are pictures, which terminals draw one or two cells wide as they like.
    ICON_NODE, ICON_NODE_EXPANDED, ICON_FILE = "▸ ", "▾ ", "  "

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave out what can't be imported."""
        from xlt.corpus.importing.files import is_readable

        return [path for path in paths if not path.name.startswith(".") and (path.is_dir() or is_readable(path))]


class ImportScreen(Box[None]):
    """A file picker over `xlt import`."""

    AUTO_FOCUS = "#files"

    def __init__(self) -> None:
        super().__init__()
        self.jobs = Jobs(self, self._say, self._fail, self._defect)

    def compose(self) -> ComposeResult:
        with Vertical(classes="box", id="import"):
            yield Static(Content("Import a file: Parquet, CSV, TSV, JSONL, exports of X and other platforms"))
            yield Files(Path.cwd(), id="files")
            yield Input(placeholder="path of a file, a folder or a pattern", id="path", compact=True)
            yield Input(
                placeholder="options, if it needs any: --text-column body --labels label", id="options", compact=True
            )
            yield Static("", id="said")
            with Horizontal():
                yield Button("Import", id="go", compact=True)
                yield Button("Close", id="close", compact=True)

    @on(DirectoryTree.FileSelected)
    def _chosen(self, event: DirectoryTree.FileSelected) -> None:
        self.query_one("#path", Input).value = str(event.path)
        self.query_one("#go", Button).focus()

    @on(Button.Pressed, "#go")
    @on(Input.Submitted)
    def _go(self) -> None:
        path = self.query_one("#path", Input).value.strip()
        if not path:
            self._fail(UsageError("Choose a file above, or write its path."))
            return
        try:
            options = shlex.split(self.query_one("#options", Input).value)
        except ValueError as error:
            self._fail(UsageError(f"The options can't be read: {error}."))
            return
        app = cast("XltApp", self.app)
        where = ["--workspace", str(app.workspace), "--corpus", str(app.corpus)]
        arguments = ["import", str(Path(path).expanduser()), *options, *where]
        self.query_one("#go", Button).disabled = True
        self.jobs.start("import", lambda job: run_xlt(job, arguments, app.workspace, "Importing"), self._done)

    def _done(self, narrated: list[str]) -> None:
        self.query_one("#go", Button).disabled = False
        self._show("\n".join(narrated))
        self.query_one("#close", Button).focus()

    @on(Button.Pressed, "#close")
    def _close(self) -> None:
        self.dismiss()

    def on_unmount(self) -> None:
        self.jobs.cancel_all()
        # Not before: the welcome, and this report over it, would give way to the posts.
        self.app.call_later(cast("XltApp", self.app).connect)

    def _say(self, sentence: str, part: float | None) -> None:
        if sentence:
            self._show(sentence)

    def _fail(self, error: XltError) -> None:
        self.query_one("#go", Button).disabled = False
        self._show(str(error))

    def _defect(self, error: Exception) -> None:
        self._fail(XltError(cast("XltApp", self.app).defect(error)))

    def _show(self, sentence: str) -> None:
        self.query_one("#said", Static).update(Content(sentence))
