"""One post with everything that is known of it."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from xlt.corpus.pages import Post
from xlt.languages import name
from xlt.tui.posts.pages import FOUND, label_text, percent
from xlt.tui.scheme import Scheme, ink
from xlt.tui.words import harmless, marked, one_line

BAR = 12
"""Cells of a probability of 1."""
MOST = 20_000
"""Characters of a text that are laid out at once; more is cut with a line that says so."""


class Detail(VerticalScroll, can_focus=True):
    """The post at the cursor."""

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Static(id="text")
        yield Static(id="known")

    def show(self, post: Post, scheme: Scheme | None, words: str | None, dark: bool) -> None:
        """Show a post, its words marked."""
        self.query_one("#head", Static).update(head(post))
        self.query_one("#text", Static).update(body(post, words))
        self.query_one("#known", Static).update(known(post, scheme, dark))
        self.scroll_home(animate=False)

    def clear(self) -> None:
        """No post."""
        for each in self.query(Static):
            each.update("")


def head(post: Post) -> Text:
    """Date, language, place."""
    when = post.created_at.strftime("%Y-%m-%d %H:%M") if post.created_at else "no date"
    text = Text(when)
    tag = f"tag {post.lang_tag}" if post.lang_tag else "no tag"
    detected = f", detected {post.lang} {percent(post.lang_confidence or 0)}" if post.lang else ""
    text.append(f"   {name(post.lang or post.lang_tag or 'und')}")
    text.append(f" ({tag}{detected})", "dim")
    place = ", ".join(one_line(each) for each in (post.place, post.country) if each)
    if place:
        text.append(f"   {place}")
    return text


def body(post: Post, words: str | None) -> Text:
    """The author's words, and what they quote."""
    own = harmless(post.text or "")
    text = marked(own[:MOST], words, FOUND) if own else Text("no text", "dim")
    text.no_wrap = False
    if len(own) > MOST:
        text.append(f"\n… {len(own) - MOST:,} more characters; y copies the whole text.", "dim")
    if post.quoted_text:
        text.append("\n\n│ ", "dim")
        quoted = harmless(post.quoted_text)[:MOST].replace("\n", "\n│ ")
        text.append(quoted, "dim")
    return text


def known(post: Post, scheme: Scheme | None, dark: bool) -> Text:
    """Label, probabilities, hand labels, other runs, and where the post stands."""
    text = Text()
    if scheme is not None and post.label is not None:
        likely = sorted(zip(scheme.labels, post.p, strict=False), key=lambda each: -each[1])
        for label, share in likely:
            found = scheme.of_label(label)
            bar = (found.shade if found else "·") * max(1 if share >= 0.005 else 0, round(share * BAR))
            style = ink(found.colour, dark) if found else Style(dim=True)
            text.append(f"{scheme.shorts.get(label, label):<11}", "bold" if label == post.label else "")
            text.append(f"{bar:<{BAR}}", style).append(f" {percent(share)}\n")
    for hand in post.hands:
        given = label_text(scheme, hand.label, dark) if hand.label else Text("no label", "dim")
        text.append("by hand    ", "dim").append_text(given)
        text.append(f"  {hand.coder}, {hand.coded_at:%Y-%m-%d}", "dim")
        text.append(f"  {one_line(hand.note)}\n" if hand.note else "\n", "dim")
    for run, label, confidence in post.others:
        text.append("other run  ", "dim").append_text(label_text(scheme, label, dark))
        text.append(f"  {percent(confidence)}  {run}\n", "dim")
    facts = [f"posted {post.times:,} times" if post.times > 1 else "", _relation(post)]
    facts += [f"{count:,} {what}" for count, what in ((post.likes, "likes"), (post.reposts, "reposts")) if count]
    facts.append(f"{post.platform} {post.id}")
    text.append(" · ".join(each for each in facts if each), "dim")
    if post.url:
        text.append(f"\n{one_line(post.url)}", "dim underline")
    return text


def _relation(post: Post) -> str:
    found = [
        what
        for what, of in (("repost", post.retweet_of), ("reply", post.reply_to), ("quote", post.quote_of))
        if of is not None
    ]
    return ", ".join(found)
