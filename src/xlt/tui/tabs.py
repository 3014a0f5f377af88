"""The screens that the app has, in the order of their numbers. A screen is imported when it is first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from xlt.tui.screen import XltScreen


@dataclass(frozen=True)
class Tab:
    """A numbered screen."""

    key: str
    mode: str
    title: str
    where: str
    """`module:Class`."""
    needs_posts: bool = True
    """Whether it has nothing to show of an empty workspace."""

    def make(self) -> XltScreen:
        """The screen itself."""
        module, _, name = self.where.partition(":")
        return cast("XltScreen", getattr(import_module(module), name)())


TABS: tuple[Tab, ...] = (
    Tab("1", "breakdown", "Breakdown", "xlt.tui.breakdown.screen:BreakdownScreen"),
    Tab("2", "posts", "Posts", "xlt.tui.posts.screen:PostsScreen"),
    Tab("3", "query", "Query", "xlt.tui.query.screen:QueryScreen"),
    Tab("4", "classify", "Classify", "xlt.tui.classify.screen:ClassifyScreen"),
    Tab("5", "models", "Models", "xlt.tui.shelf.screen:ModelsScreen", needs_posts=False),
    Tab("6", "label", "Label", "xlt.tui.label.screen:LabelScreen"),
)
WELCOME = Tab("", "welcome", "Welcome", "xlt.tui.welcome:WelcomeScreen", needs_posts=False)
