"""Which texts people code: stratified draws whose inclusion probabilities are known, and who codes what.

A draw depends on the seed and on the units' keys alone, never on their order; a larger draw of one seed holds the
smaller one. What orders units is `md5(seed:key)`, which SQL can compute as well.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Allocation = Literal["equal", "proportional"]


@dataclass(frozen=True)
class Drawn:
    """One unit of a draw."""

    key: str
    stratum: str
    probability: float
    """Of this unit being drawn: what its stratum got over what it holds."""
    position: int
    """From 1, in random order: whoever stops early has coded a random part."""


def allocate(sizes: Mapping[str, int], n: int, how: Allocation = "equal", least: int = 0) -> dict[str, int]:
    """Units for each stratum: `n` in all, or every unit there is.

    `equal` gives strata the same, `proportional` by size; each gets `least` first. A stratum never gets more than it
    holds; what it can't use goes to the others. Largest remainders decide ties, then names.
    """
    room = {name: size for name, size in sorted(sizes.items()) if size > 0}
    found = dict.fromkeys(sizes, 0)
    left = min(n, sum(room.values()))
    for name in sorted(room, key=lambda each: (room[each], each)):
        found[name] = min(least, room[name], left)
        left -= found[name]
    while left > 0:
        open_to = [name for name in room if found[name] < room[name]]
        weights = {name: 1.0 if how == "equal" else float(room[name]) for name in open_to}
        total = sum(weights.values())
        exact = {name: min(left * weights[name] / total, float(room[name] - found[name])) for name in open_to}
        whole = {name: int(exact[name] + 1e-9) for name in open_to}
        if not any(whole.values()):
            order = sorted(open_to, key=lambda name: (-(exact[name] - whole[name]), name))
            whole = dict.fromkeys(order[:left], 1)
        for name, count in whole.items():
            found[name] += count
            left -= count
    return found


def draw(units: Mapping[str, str], sizes: Mapping[str, int], seed: int) -> list[Drawn]:
    """Draw `sizes[stratum]` units of each stratum without replacement. `units` maps keys to strata."""
    strata: dict[str, list[str]] = defaultdict(list)
    for key, stratum in units.items():
        strata[stratum].append(key)
    chosen: list[tuple[str, str, float]] = []
    for stratum, keys in strata.items():
        size = min(sizes.get(stratum, 0), len(keys))
        first = sorted(keys, key=lambda key: rank(seed, key))[:size]
        chosen += [(key, stratum, size / len(keys)) for key in first]
    # Another hash than the one that chose: a thinly drawn stratum would otherwise come first as a whole.
    chosen.sort(key=lambda each: rank(seed, f"order:{each[0]}"))
    return [Drawn(*each, position) for position, each in enumerate(chosen, start=1)]


def rank(seed: int, key: str) -> str:
    """What orders the units of a stratum at random, the same on every machine."""
    return hashlib.md5(f"{seed}:{key}".encode(), usedforsecurity=False).hexdigest()


def band(confidence: float, cuts: Sequence[float] = (0.5, 0.7, 0.9)) -> str:
    """The confidence band of a prediction, such as `.50-.70`, as part of a stratum's name."""
    edges = [0.0, *cuts, 1.0]
    at = sum(confidence >= cut for cut in cuts)
    return f"{edges[at]:.2f}-{edges[at + 1]:.2f}".replace("0.", ".").replace("1.00", "1")


def coded_probabilities(drawn: Sequence[Drawn], coded: set[str]) -> dict[str, float]:
    """The inclusion probabilities of those units of a draw that were coded, when coding stopped early.

    Within a stratum the coded units are taken for a random part of the drawn ones, which holds when they were coded in
    the order of their positions.
    """
    planned = Counter(unit.stratum for unit in drawn)
    done = Counter(unit.stratum for unit in drawn if unit.key in coded)
    return {
        unit.key: unit.probability * done[unit.stratum] / planned[unit.stratum] for unit in drawn if unit.key in coded
    }


def assign(
    drawn: Sequence[Drawn], coders: Sequence[str], overlap: float, seed: int, voices: int = 2
) -> dict[str, tuple[str, ...]]:
    """Who codes which unit: a share `overlap` of every stratum goes to `voices` coders, the rest to one.

    Loads differ by one unit at most within each kind. Raises ValueError when there are fewer coders than voices.
    """
    if not 0 <= overlap <= 1:
        raise ValueError("The overlap is a share between 0 and 1.")
    if overlap and len(coders) < voices:
        raise ValueError(
            f"{voices} coders are needed for each text that is coded twice or more, and there are {len(coders)}."
        )
    if not coders:
        raise ValueError("There is nobody to code.")
    strata: dict[str, list[Drawn]] = defaultdict(list)
    for unit in drawn:
        strata[unit.stratum].append(unit)
    sizes = {stratum: len(units) for stratum, units in strata.items()}
    shared = allocate(sizes, round(overlap * len(drawn)), "proportional")
    several: list[str] = []
    single: list[str] = []
    for stratum in sorted(strata):
        ordered = sorted(strata[stratum], key=lambda unit: rank(seed, f"overlap:{unit.key}"))
        several += [unit.key for unit in ordered[: shared[stratum]]]
        single += [unit.key for unit in ordered[shared[stratum] :]]
    found: dict[str, tuple[str, ...]] = {}
    # Every set of coders in turn, so that every two of them meet.
    for at, key in enumerate(several):
        step = 1 + at // len(coders) % max(1, (len(coders) - 1) // max(1, voices - 1))
        found[key] = tuple(coders[(at + voice * step) % len(coders)] for voice in range(voices))
    for at, key in enumerate(single):
        found[key] = (coders[at % len(coders)],)
    return found
