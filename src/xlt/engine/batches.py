"""Cuts the texts of a block into batches for one forward pass each."""

from __future__ import annotations

from collections.abc import Sequence


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of texts, sorted by length and cut so that rows × longest row stays within `budget` tokens.

    The sort is stable, so the same lengths in the same order give the same batches, and with them the same bits. A
    text longer than the budget is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    found: list[list[int]] = []
    current: list[int] = []
    for index in order:
        # Sorted: the newest text is the longest, so it sets the width of the batch.
        if current and (len(current) + 1) * lengths[index] > budget:
            found.append(current)
            current = []
        current.append(index)
    if current:
        found.append(current)
    return found
