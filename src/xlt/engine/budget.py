"""How many tokens go into one batch: a property of the device, measured once and remembered.

On a CPU what stays in the cache wins and small batches are best; a GPU wants large ones. The measured value is kept
per machine, because batches of another shape move the last bits: two runs on one machine must use the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from xlt.backends.base import Loaded, Prompt, Scorer
from xlt.cache import cache_folder
from xlt.disk import write_json
from xlt.errors import XltError

SMALLEST, LARGEST = 256, 65_536
# Beyond this a CPU gains nothing, and on a busy machine noise could choose it all the same.
LARGEST_ON_CPU = 4096
# A batch this slow ends the search: larger ones would only make Ctrl-C and resuming coarser.
SLOW_SECONDS = 3.0
WORTH = 1.04


def token_budget(scorer: Scorer, prompt: Prompt, suffixes: Sequence[Sequence[int]]) -> int:
    """The remembered budget for this model on this device, or a measured one, in suffix tokens per batch.

    `suffixes` are some of the texts to come; with fewer tokens than the smallest budget nothing is measured.
    """
    path = cache_folder() / "budgets.json"
    known = _read(path)
    key = _key(scorer.loaded, len(prompt.prefix))
    if key in known:
        return known[key]
    if sum(map(len, suffixes)) < 2 * SMALLEST:
        return SMALLEST
    budget = _measure(scorer, suffixes)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**_read(path), key: budget})
    except (OSError, XltError):
        pass  # A read-only home costs a second of measuring per run, no more.
    return budget


def _key(loaded: Loaded, prefix: int) -> str:
    return f"{loaded.backend}/{loaded.device}/{loaded.precision}/{loaded.threads}/{loaded.parameters}/{prefix // 64}"


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, int)} if isinstance(found, dict) else {}


def _measure(scorer: Scorer, suffixes: Sequence[Sequence[int]]) -> int:
    """Double the budget until tokens per second stop growing; the smallest that is nearly the best wins."""
    ordered = sorted(suffixes, key=len)
    middle = ordered[len(ordered) // 4 : max(len(ordered) // 4 + 1, 3 * len(ordered) // 4)]
    rates: dict[int, float] = {}
    budget = SMALLEST
    while budget <= (LARGEST_ON_CPU if scorer.loaded.threads else LARGEST):
        batch = _fill(middle, budget)
        seconds = _timed(scorer, batch)
        rates[budget] = sum(map(len, batch)) / seconds
        best = max(rates.values())
        if seconds > SLOW_SECONDS or rates[budget] < 0.85 * best:
            break
        budget *= 2
    best = max(rates.values())
    return min(size for size, rate in rates.items() if rate * WORTH >= best)


def _fill(suffixes: Sequence[Sequence[int]], budget: int) -> list[Sequence[int]]:
    """Texts, repeated if need be, that fill a batch of this budget."""
    batch: list[Sequence[int]] = []
    longest = 0
    while True:
        suffix = suffixes[len(batch) % len(suffixes)]
        longest = max(longest, len(suffix))
        if batch and (len(batch) + 1) * longest > budget:
            return batch
        batch.append(suffix)


def _timed(scorer: Scorer, batch: Sequence[Sequence[int]]) -> float:
    """Seconds of the fastest of a few passes; slow devices get one after the warm-up."""
    best = float("inf")
    for attempt in range(4):
        start = time.perf_counter()
        scorer.score(batch)
        seconds = time.perf_counter() - start
        if attempt > 0 or seconds > SLOW_SECONDS:
            best = min(best, seconds)
        if seconds > SLOW_SECONDS / 4 and attempt > 0:
            break
        if seconds > SLOW_SECONDS:
            break
    return best
