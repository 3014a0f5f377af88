"""A curve in characters: eight dots to a cell."""

from __future__ import annotations

from collections.abc import Sequence

# Bits of a Braille cell, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
Point = tuple[float, float]


def curve(
    points: Sequence[Point], width: int, height: int, low: float, high: float, left: float, right: float
) -> list[str]:
    """Lines of text, the highest first: `points` joined by straight lines, y from `low` to `high`, x `left` to `right`.

    What lies outside is drawn at the edge.
    """
    cells = [[0] * width for _ in range(height)]
    columns, rows = 2 * width, 4 * height

    def place(point: Point) -> tuple[int, int]:
        x = (point[0] - left) / (right - left) if right > left else 0.5
        y = (point[1] - low) / (high - low) if high > low else 0.5
        return (
            min(columns - 1, max(0, round(x * (columns - 1)))),
            min(rows - 1, max(0, round((1 - y) * (rows - 1)))),
        )

    placed = [place(point) for point in points]
    for (x, y), (to_x, to_y) in zip(placed, placed[1:] or placed, strict=False):
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for step in range(steps + 1):
            at_x, at_y = round(x + (to_x - x) * step / steps), round(y + (to_y - y) * step / steps)
            cells[at_y // 4][at_x // 2] |= _DOTS[at_y % 4][at_x % 2]
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in line) for line in cells]


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """The mean of the last `window` values at each place."""
    found: list[float] = []
    total = 0.0
    for at, value in enumerate(values):
        total += value
        if at >= window:
            total -= values[at - window]
        found.append(total / min(at + 1, window))
    return found


def framed(lines: Sequence[str], title: str, low: str, high: str, below: str) -> list[str]:
    """Curves with their title, the values of their edges at the left, and what x is below."""
    margin = max(len(low), len(high))
    found = [title]
    for at, line in enumerate(lines):
        edge = high if at == 0 else low if at == len(lines) - 1 else ""
        found.append(f"{edge:>{margin}} ┤{line}" if edge else f"{'':>{margin}} │{line}")
    return [*found, f"{'':>{margin}}  {below}"]
