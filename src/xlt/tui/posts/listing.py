"""A list of posts and the one at the cursor: asked for, read page by page, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from xlt.corpus.labelled import Run
from xlt.corpus.selection import ORDERS, Wanted
from xlt.errors import XltError
from xlt.tui import filtering
from xlt.tui.jobs import LITTLE, Job
from xlt.tui.posts import reading
from xlt.tui.posts.detail import Detail
from xlt.tui.posts.matches import Matches
from xlt.tui.posts.pages import PAGE, Pages, columns_for
from xlt.tui.posts.picking import PostRows
from xlt.tui.posts.reading import Found, Window
from xlt.tui.scheme import Scheme, scheme_of
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from xlt.corpus.pages import Line as Entry
    from xlt.corpus.pages import Post
    from xlt.tui.app import XltApp

    _Pages = list[tuple[int, list[Entry]]]

SORTED = {
    "date": "by date",
    "language": "by language",
    "label": "by label",
    "confidence": "by confidence",
    "length": "by length",
    "reposts": "by reposts",
    "likes": "by likes",
}
BESIDE = 100
"""Columns from which the post stands beside the list."""


class PostList(XltScreen):
    """What is asked for, read and drawn; `PostsScreen` adds what the user does."""

    MODE = "posts"

    def __init__(self, wanted: Wanted | None = None, title: str = "", run_id: str | None = None) -> None:
        """`wanted` are the posts behind a bar of the run `run_id`; by default all posts."""
        super().__init__()
        self._behind, self._title, self._run_id = wanted is not None, title, run_id
        self._wanted = wanted or Wanted()
        self._run: Run | None = None
        self._scheme: Scheme | None = None
        self._pages: Pages | None = None
        self._unread: Pages | None = None
        """Pages of which one could not be read; nothing more is asked of them."""
        self._matches: Matches | None = None
        self._words: str | None = None
        self._post: Post | None = None
        self._awaited: int | None = None
        """The post at the cursor, while it is read with its selection."""

    def body(self) -> ComposeResult:
        yield Static(id="what")
        with Horizontal(id="split"):
            yield PostRows()
            yield Detail()

    def on_mount(self) -> None:
        if not self._behind:
            self._wanted = _remembered(self.state)
        self.query_one(Rows).focus()
        self._fold()
        self._say_what()
        self.watch(self.app, "theme", self._repaint, init=False)

    def on_unmount(self) -> None:
        super().on_unmount()
        # The arrays would wait for the garbage collector with it.
        self._pages = self._unread = self._matches = None

    # What is asked for

    def begin(self, app: XltApp) -> None:
        """Ask before the screen is there: its first rows are awaited, and it takes a frame to compose."""
        self._shown = app.version
        self._know_run(app)
        self._start(self._wanted, Window(None, 0, 0, app.size.height))

    def load(self) -> None:
        self._know_run(self.xlt)
        self._ask(self._wanted)

    def _know_run(self, app: XltApp) -> None:
        about = app.overview
        self._run = about.run(self._run_id or app.run_id) if about else None
        self._scheme = scheme_of(self._run) if self._run else None

    def _ask(self, wanted: Wanted) -> None:
        self._wanted = wanted
        if not self._behind:
            self.state.clear()
            self.state.update(filter=filtering.kept(wanted.filter), order=wanted.order, descending=wanted.descending)
        self.clear()
        self._matches = None
        self._say_what()
        rows = self.query_one(Rows)
        length = None if self._pages is None else len(self._pages)
        self._start(wanted, Window(length, rows.cursor, rows.seen.start, rows.size.height))

    def _start(self, wanted: Wanted, window: Window) -> None:
        self.jobs.start(
            "select", lambda job: self._select(job, wanted, window), self._show_pages, about="Selecting", memory=LITTLE
        )

    def _select(self, job: Job, wanted: Wanted, window: Window) -> _Pages:
        from xlt.corpus.pages import post

        run = self._run.id if self._run else None
        # In one go, what is waited for first: to open the corpus anew for the rest costs more than to read it.
        with job.corpus(self.xlt.corpus) as con:
            found = reading.select(con, wanted, self._run, window)
            job.hand(self._selected, found)
            length = len(found.numbers)
            job.hand(self._show_first, post(con, int(found.numbers[found.cursor]), run) if length else None)
            return reading.read_pages(con, found.numbers, reading.beside(found.seen, length), run)

    def _selected(self, found: Found) -> None:
        # A page of the former selection has no place in this one.
        self.jobs.cancel("page")
        self.jobs.cancel("post")
        rows = self.query_one(Rows)
        columns = self._columns()
        self._pages = Pages(found.numbers, self._scheme, columns, self._want)
        self._pages.words, self._pages.dark = self._words, self.app.current_theme.dark
        for number, lines in found.pages:
            self._pages.put(number, lines)
        self._awaited = int(found.numbers[found.cursor]) if len(found.numbers) else None
        rows.show(self._pages, columns, found.cursor)
        self._say_what()
        if self._words:
            self._search(self._words)

    def _show_first(self, post: Post | None) -> None:
        # Unless the cursor has moved on meanwhile.
        if post is None or post.number == self._awaited:
            self._show_post(post)
        self._awaited = None

    def _want(self, page: int) -> None:
        # Asked while a line is drawn: only the pages that are seen when the job begins are read.
        if not self.jobs.running("page") and self._unread is not self._pages:
            self.jobs.start("page", self._read_pages, self._show_pages, self._page_failed, memory=LITTLE)

    def _page_failed(self, error: XltError) -> None:
        # Drawing the sentence draws the list, which would ask again, and so on.
        self._unread = self._pages
        self.fail(error)

    def _read_pages(self, job: Job) -> _Pages:
        pages = self._pages
        assert pages is not None
        rows = self.query_one(Rows).seen
        seen = range(rows.start // PAGE, (max(rows.stop, 1) - 1) // PAGE + 1)
        run = self._run.id if self._run else None
        missing = [each for each in seen if not pages.has(each)]
        around = [each for each in reading.beside(seen, len(pages)) if not pages.has(each)]
        with job.corpus(self.xlt.corpus) as con:
            job.hand(self._show_pages, reading.read_pages(con, pages.numbers, missing, run))
            return reading.read_pages(con, pages.numbers, around, run)

    def _show_pages(self, found: _Pages) -> None:
        if self._pages is None:
            return
        for number, lines in found:
            self._pages.put(number, lines)
        self.query_one(Rows).changed()

    # The post at the cursor

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        self._say_what()
        if self._pages is not None and len(self._pages):
            number = int(self._pages.numbers[event.index])
            if number == self._awaited:
                return
            self._awaited = None
            if self._post is None or self._post.number != number:
                self.jobs.start("post", lambda job: self._read_post(job, number), self._show_post, memory=LITTLE)

    def _read_post(self, job: Job, number: int) -> Post | None:
        from xlt.corpus.pages import post

        with job.corpus(self.xlt.corpus) as con:
            return post(con, number, self._run.id if self._run else None)

    def _show_post(self, post: Post | None) -> None:
        self._post = post
        detail = self.query_one(Detail)
        if post is None:
            detail.clear()
        else:
            detail.show(post, self._scheme, self._words, self.app.current_theme.dark)

    # The screen

    def on_resize(self) -> None:
        self._fold()
        self.call_after_refresh(self._repaint)

    def _fold(self) -> None:
        """The post beside the list where there is room, else below it."""
        self.set_class(self.size.width < BESIDE, "-narrow")

    def _columns(self) -> tuple[Any, ...]:
        width = self.query_one(Rows).size.width or self.size.width
        one = len(self._wanted.filter.langs) == 1 or any(by == "lang" for by, _ in self._wanted.cell)
        return columns_for(width, self._run is not None, not one)

    def _repaint(self) -> None:
        if self._pages is None:
            return
        self._pages.columns = self._columns()
        self._pages.dark = self.app.current_theme.dark
        self.query_one(Rows).show(self._pages, self._pages.columns)
        if self._post is not None:
            self._show_post(self._post)

    def _say_what(self) -> None:
        wanted = self._wanted
        parts = [self._title or "All posts"]
        if not self._behind and (filtered := filtering.words(wanted.filter)):
            parts = [filtered]
        if self._pages is not None:
            parts.append(f"{len(self._pages):,} posts")
        if wanted.order in SORTED:
            parts.append(f"{SORTED[wanted.order]} {'↓' if wanted.descending else '↑'}")
        if self._matches is not None:
            parts.append(f"{len(self._matches):,} hold “{self._matches.words}”")
        line = " · ".join(parts)
        if self._pages is not None and len(self._pages):
            line += f"     row {self.query_one(Rows).cursor + 1:,}"
        self.query_one("#what", Static).update(Content(line), layout=False)

    def _search(self, words: str, then: Callable[[], None] | None = None) -> None:
        """Find the posts of the list that hold the words."""
        pages = self._pages
        if pages is None:
            return

        def find(job: Job) -> Matches:
            from xlt.corpus.selection import holding

            with job.corpus(self.xlt.corpus) as con:
                return Matches(words, holding(con, pages.numbers, words))

        def found(matches: Matches) -> None:
            self._matches = matches
            self._say_what()
            if then is not None:
                then()

        self.jobs.start("search", find, found, about="Searching", memory=LITTLE)


def _remembered(state: dict[str, Any]) -> Wanted:
    order = state.get("order")
    return Wanted(
        filter=filtering.remembered(state.get("filter", {})),
        order=order if order in ORDERS else "corpus",
        descending=state.get("descending") is True,
    )
