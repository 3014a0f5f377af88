"""The footer: the keys that matter here."""

from __future__ import annotations

from textual.screen import Screen
from textual.widgets import Footer


class Keys(Footer):
    """Drawn anew only when other keys stand in it, and without those that are gone.

    Textual's own is composed at every change of the focus, and holds on to each key that ever stood in it: some 500
    objects for each, so that a full garbage collection takes longer with every dialog that was opened.
    """

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._said: tuple[tuple[str, str, bool], ...] | None = None

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Other bindings hold."""
        said = tuple(
            (self.app.get_key_display(binding), binding.description, enabled)
            for _, binding, enabled, _ in screen.active_bindings.values()
            if binding.show
        )
        if screen.app.app_focus and said != self._said:
            self._said = said
            super().bindings_changed(screen)

    async def recompose(self) -> None:
        """Show the keys that hold now."""
        await super().recompose()
        # Its watchers are looked through, and those of keys that are gone dropped.
        self.mutate_reactive(Footer.compact)
