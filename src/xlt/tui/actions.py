"""Every action of the app, once: footer, palette, help and remapping all read this list.

An action of the scope `posts` with the name `search` is `posts.search` in the workspace's xlt.toml, and calls
`action_search` of the widget or screen whose bindings are `bindings("posts")`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Action:
    """Something that the user can do."""

    scope: str
    name: str
    keys: str
    """Textual's names of the keys, with commas between; `?` is question_mark."""
    title: str
    """At most three words: the footer and the palette."""
    about: str
    """One sentence: help and palette."""
    footer: bool = False

    @property
    def id(self) -> str:
        """Its name in xlt.toml: `app.tab-3` for `tab(3)`."""
        return f"{self.scope}.{re.sub('[^a-z0-9_]+', '-', self.name).strip('-')}"


ACTIONS: tuple[Action, ...] = (
    Action("app", "tab(1)", "1", "Breakdown", "Shares of topic and stance, bar by bar."),
    Action("app", "tab(2)", "2", "Posts", "All posts."),
    Action("app", "tab(3)", "3", "Query", "SQL and named queries."),
    Action("app", "tab(4)", "4", "Classify", "Start, watch and stop a classification."),
    Action("app", "tab(5)", "5", "Models", "The models that are here, and what they reach."),
    Action("app", "tab(6)", "6", "Label", "Label posts by hand."),
    Action("app", "help", "question_mark,f1", "help", "What every key does here.", footer=True),
    Action("app", "command_palette", "ctrl+p", "commands", "Everything that can be done here, by name."),
    Action("app", "back", "q", "back", "Back to where you came from; from a first screen, out of xlt."),
    Action("app", "return", "escape", "return", "Back to where you came from; never out of xlt."),
    Action("app", "quit", "ctrl+q", "quit", "Leave xlt."),
    Action("app", "reload", "ctrl+r,f5", "reload", "Ask the corpus again."),
    Action("app", "import", "ctrl+o", "import", "Bring another file into the corpus."),
    Action("welcome", "import", "i", "import a file", "Choose a file and bring it into the corpus.", footer=True),
    Action("welcome", "sample", "d", "load the sample", "Invented posts, classified with xlt-mini.", footer=True),
    Action("welcome", "about", "question_mark", "about xlt", "One page about what xlt does.", footer=True),
    Action("welcome", "stop", "s", "stop", "Stop loading the sample.", footer=True),
    Action("rows", "down", "j,down", "down", "One row down."),
    Action("rows", "up", "k,up", "up", "One row up."),
    Action("rows", "page_down", "ctrl+d,pagedown,space", "page down", "One page down."),
    Action("rows", "page_up", "ctrl+u,pageup", "page up", "One page up."),
    Action("rows", "first", "g,home", "first", "To the first row."),
    Action("rows", "last", "G,end", "last", "To the last row."),
    Action("rows", "left", "h,left", "left", "Scroll to the left."),
    Action("rows", "right", "l,right", "right", "Scroll to the right."),
    Action("rows", "open", "enter", "open", "Open what the row stands for.", footer=True),
    Action("box", "close", "escape,q", "close", "Back to the screen."),
    Action("choice", "down", "j", "down", "One option down."),
    Action("choice", "up", "k", "up", "One option up."),
    Action("posts", "search", "slash", "search", "Find posts whose text holds something.", footer=True),
    Action("posts", "next_match", "n", "next match", "To the next post that holds it."),
    Action("posts", "previous_match", "N", "previous match", "To the post before that holds it."),
    Action("posts", "filter", "f", "filter", "Languages, dates, text, confidence.", footer=True),
    Action(
        "posts", "sort", "s", "sort", "By date, language, label, confidence, length, reposts or likes.", footer=True
    ),
    Action("posts", "reverse", "S", "reverse", "Turn the order around."),
    Action("posts", "label", "l", "label", "Label this post by hand; such a label is for training alone."),
    Action("posts", "copy", "y", "copy", "Copy the text of the post."),
    Action("posts", "copy_link", "Y", "copy link", "Copy the link of the post, or its id."),
    Action("posts", "export", "e", "export", "Write these posts to a file.", footer=True),
    Action("posts", "detail_down", "right_square_bracket,shift+down", "text down", "Scroll the text of the post."),
    Action("posts", "detail_up", "left_square_bracket,shift+up", "text up", "Scroll the text of the post."),
    Action("breakdown", "group", "b", "group by", "Language, month, country, run, seen or unseen.", footer=True),
    Action("breakdown", "filter('langs')", "f", "filter", "Languages, dates, text, confidence.", footer=True),
    Action("breakdown", "filter('contains')", "slash", "filter text", "Only posts whose text holds something."),
    Action("breakdown", "sort", "s", "sort", "Sort by a column; again turns it around."),
    Action("breakdown", "reverse", "S", "reverse", "Turn the order around."),
    Action("breakdown", "second", "v", "second run", "Another run beside this one, line by line.", footer=True),
    Action(
        "breakdown",
        "corrected",
        "c",
        "corrected",
        "Shares corrected by hand labels, or as the model has them.",
        footer=True,
    ),
    Action("breakdown", "export", "e", "export", "Write the shares as they are shown to a file."),
    Action("breakdown", "run", "r", "run", "Show another run."),
    Action("breakdown", "unit", "u", "unit", "Count posts, distinct texts, or authors."),
    Action("breakdown", "clear", "x", "clear filter", "All posts again, and no second run."),
    Action("query", "run", "f5,ctrl+r", "run", "Run what is selected, or the statement at the cursor.", footer=True),
    Action("query", "named", "f2,ctrl+l", "queries", "Named queries: choose one, and it runs.", footer=True),
    Action("query", "history", "f3,ctrl+t", "history", "Statements that were run before.", footer=True),
    Action("query", "save", "f4,ctrl+s", "save", "Save the text as a named query of this workspace.", footer=True),
    Action("query", "export", "e,f8", "export", "Write all rows to a file.", footer=True),
    Action("query", "stop", "escape", "stop", "Stop the query that runs; else to the rows."),
    Action("query", "edit", "i", "edit", "To the text."),
    Action("query", "copy", "y", "copy row", "Copy the row at the cursor."),
    Action("editor", "complete", "ctrl+n,ctrl+@", "complete", "Offer tables, columns and keywords; tab takes one."),
    Action("editor", "leave", "escape", "stop, rows", "Stop the query that runs; else to the rows."),
    Action("classify", "plan", "c", "classify", "Plan what is chosen above, and start it.", footer=True),
    Action("classify", "stop", "s", "stop", "Stop the run at the cursor; finished blocks are kept.", footer=True),
    Action("classify", "resume", "r", "go on", "Go on with the run at the cursor where it stopped.", footer=True),
    Action("classify", "log", "o", "log", "What the run at the cursor said, and when.", footer=True),
    Action("classify", "choose('model')", "m", "model", "Choose the model."),
    Action("classify", "choose('task')", "t", "task", "Choose the task."),
    Action("classify", "choose('langs')", "f", "languages", "Only some languages."),
    Action("classify", "choose('where')", "w", "condition", "Only posts for which an SQL condition holds."),
    Action("classify", "choose('limit')", "n", "limit", "Only the first so many posts."),
    Action("models", "compare", "v", "compare", "Another model beside this one, language by language.", footer=True),
    Action("models", "quantise", "u", "quantise", "Make it small: 4 bits, and what that costs.", footer=True),
    Action("models", "pull", "p", "fetch", "Fetch a model that is not here; this uses the network.", footer=True),
    Action("models", "stop", "s", "stop", "Stop what is being made or fetched."),
    Action("models", "doctor", "d", "machine", "What this machine can run, and what is missing.", footer=True),
    Action("label", "draw", "n", "draw", "Draw texts for people to code.", footer=True),
    Action(
        "label",
        "settle",
        "d",
        "settle",
        "Texts on which coders disagree: look at their labels, and decide.",
        footer=True,
    ),
    Action("label", "agreement", "a", "agreement", "Do coders agree, and the model with them?", footer=True),
    Action("label", "codebook", "b", "codebook", "What the labels mean, with rules and examples.", footer=True),
    Action("label", "coder", "w", "who codes", "Say who you are; it stands with every label."),
    Action("label", "remove", "x", "take back", "Take a draw back that nobody has coded of yet."),
    Action("coding", "label", "1,2,3,4,5,6,7,8,9,0", "label", "The label that stands beside the number."),
    Action(
        "coding",
        "uncodable",
        "x,minus",
        "can't be coded",
        "No label fits, for a reason that you are asked for.",
        footer=True,
    ),
    Action("coding", "skip", "s", "skip", "The next text; this one comes back at the end.", footer=True),
    Action("coding", "undo", "u,backspace", "undo", "Back to the text before; its label is taken back.", footer=True),
    Action("coding", "note", "m", "note", "Write a note that is kept with the label.", footer=True),
    Action("coding", "codebook", "b", "codebook", "What the labels mean, with rules and examples.", footer=True),
    Action("coding", "translation", "t", "translation", "You read a translation, or again the original."),
    Action("coding", "competence", "c", "competence", "How well you read this language."),
    Action("coding", "reveal", "r", "model's label", "Show the model's label; yours is then kept as not blind."),
    Action("coding", "copy", "y", "copy", "Copy the text."),
    Action("coding", "down", "j,down,space,pagedown", "down", "Scroll a long text."),
    Action("coding", "up", "k,up,pageup", "up", "Scroll a long text."),
    Action("coding", "book_down", "right_square_bracket", "codebook down", "Scroll the codebook beside the text."),
    Action("coding", "book_up", "left_square_bracket", "codebook up", "Scroll the codebook beside the text."),
    Action("options", "next", "down,right,j,l,space", "next", "The next option."),
    Action("options", "previous", "up,left,k,h", "previous", "The option before."),
    Action("agreement", "all", "a", "all draws", "Between this draw and all of the task."),
    Action("plan", "start", "enter", "start", "Start it."),
    Action("record", "copy", "y", "copy", "Copy the row, a column a line."),
    Action("picker", "down", "down", "down", "One down."),
    Action("picker", "up", "up", "up", "One up."),
    Action("picker", "page_down", "pagedown", "page down", "One page down."),
    Action("picker", "page_up", "pageup", "page up", "One page up."),
)


def named(scope: str) -> tuple[Action, ...]:
    """The actions of a scope."""
    return tuple(action for action in ACTIONS if action.scope == scope)


def bindings(scope: str, without: Collection[str] = ()) -> list[BindingType]:
    """What a widget or screen of this scope has as its BINDINGS; keys of `without` are free for others."""
    return [
        Binding(
            ",".join(key for key in action.keys.split(",") if key not in without),
            action.name,
            action.title,
            show=action.footer,
            tooltip=action.about,
            id=action.id,
        )
        for action in named(scope)
    ]


BY_ID = {action.id: action for action in ACTIONS}
