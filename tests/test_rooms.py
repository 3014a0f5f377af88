"""Lower rooms never import upper ones, and the heavy libraries stay in the rooms that need them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1] / "src" / "xlt"
# From the bottom up; rooms on one line may not import one another either.
FLOORS: list[set[str]] = [
    {"errors", "processes"},
    {"bundled", "cache", "disk", "locks", "languages"},
    {"tasks", "cards"},
    {"science"},
    {"corpus"},
    {"backends"},
    {"engine"},
    {"training"},
    {"release"},
    {"study"},
    {"doctor"},
    {"tui", "cli"},
]
# Whoever may import a heavy library, and then only its own rooms.
KEPT_IN = {"torch": {"backends"}, "mlx": {"backends"}, "mlx_lm": {"backends"}, "textual": {"tui"}, "duckdb": {"corpus"}}
# The TUI is a verb of the command line.
ALLOWED = {("cli", "tui")}


def modules() -> list[Path]:
    return sorted(HOUSE.rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import in a file, those for type checkers and inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            if node.module == "xlt":
                yield from ((node.lineno, f"xlt.{alias.name}") for alias in node.names)


def room_of(dotted: str) -> str | None:
    parts = dotted.split(".")
    return parts[1] if parts[0] == "xlt" and len(parts) > 1 else None


def floor_of(room: str) -> int | None:
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), None)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(HOUSE)))
def test_a_room_imports_only_what_lies_below(path: Path) -> None:
    own = path.relative_to(HOUSE).parts[0].removesuffix(".py")
    if own in ("__init__", "__main__"):
        return
    floor = floor_of(own)
    assert floor is not None, f"{own} stands on no floor: add it to FLOORS"
    for line, name in imported(path):
        room = room_of(name)
        if room is not None and room != own and (own, room) not in ALLOWED:
            below = floor_of(room)
            if below is None:
                continue  # a name of the package itself, such as `__version__`
            assert below < floor, f"{path}:{line}: {own} imports {room}, which does not lie below it"
        library = name.split(".")[0]
        assert own in KEPT_IN.get(library, {own}), f"{path}:{line}: {library} is not for {own}"
