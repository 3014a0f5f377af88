"""Posts: all of them or those behind a bar, read one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual import on

from xlt.corpus.filters import Filter
from xlt.corpus.selection import ORDERS, Order, reversed_order
from xlt.tui import filtering
from xlt.tui.actions import bindings
from xlt.tui.choice import Choice, Line
from xlt.tui.filtering import FilterScreen
from xlt.tui.jobs import Job
from xlt.tui.posts.detail import Detail
from xlt.tui.posts.listing import SORTED, PostList
from xlt.tui.posts.picking import label_post
from xlt.tui.widgets.rows import Rows
from xlt.tui.words import harmless


class PostsScreen(PostList):
    """Sort, filter, search, copy, label, export."""

    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("posts")

    @on(Rows.Opened)
    def _opened(self) -> None:
        self.query_one(Detail).focus()

    @on(Rows.HeaderClicked)
    def _header(self, event: Rows.HeaderClicked) -> None:
        order = "length" if event.column == "text" else event.column
        if order in ORDERS:
            self._ask(reversed_order(self._wanted, order))

    def action_sort(self) -> None:
        """Choose the order."""
        options: list[tuple[str, str]] = [("corpus", "as imported"), *SORTED.items()]
        self.app.push_screen(Choice("Sort", options, self._wanted.order), self._sorted)

    def _sorted(self, order: str | None) -> None:
        known: dict[str, Order] = {each: each for each in ORDERS}
        if order is not None:
            self._ask(reversed_order(self._wanted, known[order]))

    def action_reverse(self) -> None:
        """The other way round."""
        self._ask(reversed_order(self._wanted, self._wanted.order))

    def action_filter(self) -> None:
        """Say which posts."""
        self.app.push_screen(FilterScreen(self._wanted.filter), self._filtered)

    def _filtered(self, wanted: Filter | None) -> None:
        if wanted is not None:
            if self._behind:
                said = filtering.words(wanted)
                self._title = self._title.split(" · ")[0] + (f" · {said}" if said else "")
            self._ask(replace(self._wanted, filter=wanted))

    def action_search(self) -> None:
        """Ask for words."""
        self.app.push_screen(Line("Find posts whose text holds", self._words or ""), self._searched)

    def _searched(self, words: str | None) -> None:
        if words is None:
            return
        self._words = words.strip() or None
        self._matches = None
        if self._pages is not None:
            self._pages.words = self._words
        self.query_one(Rows).changed()
        if self._post is not None:
            self._show_post(self._post)
        if self._words:
            self._search(self._words, lambda: self._jump(1, stay=True))
        self._say_what()

    def action_next_match(self) -> None:
        """To the next post that holds the words."""
        self._jump(1)

    def action_previous_match(self) -> None:
        """To the post before that holds them."""
        self._jump(-1)

    def _jump(self, step: int, stay: bool = False) -> None:
        if self._matches is None or not len(self._matches):
            self.tell(f"No post here holds “{self._words}”." if self._words else "Nothing was searched yet: /")
            return
        rows = self.query_one(Rows)
        place, around = self._matches.beside(rows.cursor, step, stay)
        if around:
            self.tell("From the last match to the first." if step > 0 else "From the first match to the last.")
        rows.cursor = place

    def action_label(self) -> None:
        """Label the post at the cursor."""
        self.clear()
        if self._post is None or self._post.key is None:
            self.tell("There is no text to label.")
        else:
            label_post(self, self._post, self._run.task if self._run else "immigration")

    def action_copy(self) -> None:
        """Copy the text."""
        if self._post is not None and self._post.text:
            self.app.copy_to_clipboard(harmless(self._post.text))
            self.tell("Copied: the text of the post.")

    def action_copy_link(self) -> None:
        """Copy the link, or the id."""
        if self._post is not None:
            self.app.copy_to_clipboard(self._post.url or self._post.id)
            self.tell(f"Copied: {self._post.url or self._post.id}")

    def action_detail_down(self) -> None:
        """Scroll the text."""
        self.query_one(Detail).scroll_page_down(animate=False)

    def action_detail_up(self) -> None:
        """Scroll the text."""
        self.query_one(Detail).scroll_page_up(animate=False)

    def action_export(self) -> None:
        """Ask for a file."""
        hint = "posts.parquet, .csv, .tsv, .jsonl, .dta, .sav; .txt: bare ids"
        self.app.push_screen(Line("Write these posts to", str(self.xlt.workspace / "posts.csv"), hint), self._export)

    def _export(self, given: str | None) -> None:
        if not given or self._pages is None:
            return
        numbers, run, path = self._pages.numbers, self._run, Path(given).expanduser()
        self.clear()

        def write(job: Job) -> int:
            from xlt.corpus.exports import Selection, export

            selection = Selection(run=run.id if run else None, numbers=numbers, ids_only=path.suffix == ".txt")
            return export(self.xlt.workspace, self.xlt.corpus, selection, path)

        done = f"Written: {path}"
        self.jobs.start("export", write, lambda rows: self.tell(f"{done}, {rows:,} posts."), about="Writing")
