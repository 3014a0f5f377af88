"""What can be done now: the actions of the focused widget, of the screen and of the app, for help and palette."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import App, SystemCommand
from textual.dom import DOMNode

from xlt.tui.actions import BY_ID, Action


@dataclass(frozen=True)
class Here:
    """One action that can be done now."""

    action: Action
    keys: str
    call: str
    """As Textual calls it."""
    node: DOMNode
    """The widget, screen or app that does it."""


def here(app: App[Any]) -> list[Here]:
    """Every action that can be done now, the focused widget's first."""
    found: dict[str, Here] = {}
    for node, binding, enabled, _ in app.screen.active_bindings.values():
        if binding.id in BY_ID and enabled and not binding.system:
            keys = app.get_key_display(binding)
            before = found.get(binding.id)
            keys = f"{before.keys}  {keys}" if before else keys
            found[binding.id] = Here(BY_ID[binding.id], keys, binding.action, node)
    return list(found.values())


def commands(app: App[Any], actions: Sequence[Here]) -> Iterable[SystemCommand]:
    """The actions as the palette offers them."""

    def doer(each: Here) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            await app.run_action(each.call, default_namespace=each.node)

        return act

    for each in actions:
        if each.action.name != "command_palette":
            title = each.action.title[:1].upper() + each.action.title[1:]
            yield SystemCommand(f"{title}  ({each.keys})", each.action.about, doer(each))
