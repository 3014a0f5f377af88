"""A label for a post that somebody came upon while reading: it is for training alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xlt.corpus.coding import Coding
from xlt.corpus.gold import PICKED
from xlt.errors import XltError
from xlt.tui.actions import bindings
from xlt.tui.choice import Choice
from xlt.tui.label.book import label_keys
from xlt.tui.label.people import People, ask_coder
from xlt.tui.screen import XltScreen
from xlt.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from xlt.corpus.pages import Post

NONE = "-"


class PostRows(Rows, inherit_bindings=False):
    """A list that is never wider than the screen: h and l have nothing to scroll to."""

    BINDINGS = bindings("rows", without=("h", "l"))


def label_post(screen: XltScreen, post: Post, named: str) -> None:
    """Ask for the label of a post, and write it down as picked; who codes is asked the first time."""
    app = screen.xlt
    people = People(app.settings.of("label"))
    coder = people.coder
    if coder is None:

        def said(name: str) -> None:
            people.coder = name
            app.settings.save()
            label_post(screen, post, named)

        ask_coder(app, [], None, said)
        return
    from xlt.tasks.load import find_task

    try:
        task = find_task(named, app.workspace)
    except XltError as error:
        screen.fail(error)
        return
    keys = label_keys(task)

    def given(label: str | None) -> None:
        if label is None or post.key is None:
            return
        lang = post.lang or post.lang_tag or "und"
        coding = Coding(
            post.key,
            task.name,
            None if label == NONE else label,
            coder,
            PICKED,
            post.id,
            task.codebook.hash if task.codebook else None,
            None,
            "coder",
            people.coded_from(coder, lang),
            people.competence(coder, lang),
            # The model's label stands beside the text.
            post.label is None and not post.others,
        )
        # When it is written the post is read again, and shows it.
        app.writer.put(coding)

    options = [*((label, f"{key}  {label}") for key, label in keys.items()), (NONE, "x  can't be coded")]
    title = f"{coder} labels this post, for training: it was picked, not drawn, so the label is part of no estimate"
    screen.app.push_screen(Choice(title, options, keys={**keys, "x": NONE}), given)
