"""Where in a list of posts the words stand that were searched for, and which place comes next."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Matches:
    """The places of the posts that hold the words, in order."""

    def __init__(self, words: str, places: npt.NDArray[np.uint32]) -> None:
        self.words, self._places = words, places

    def __len__(self) -> int:
        return len(self._places)

    def beside(self, place: int, step: int, stay: bool = False) -> tuple[int, bool]:
        """The next place (`step` 1) or the one before (-1), and whether it is beyond the end; `stay` where it is one.

        There is at least one.
        """
        places = cast("Sequence[int]", self._places)
        at = bisect_left(places, place + (0 if step < 0 or stay else 1)) - (step < 0)
        return int(places[at % len(places)]), not 0 <= at < len(places)
