"""Root mean squared errors of shares on labelled tweets, over repeated draws."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simulated.tables import row, table
from xlt.science.bootstrap import LEAST_OF_A_LABEL
from xlt.science.labels import match
from xlt.science.metrics import Floats, Ints, confusion
from xlt.science.ppi import Kinds, estimate
from xlt.science.prevalence import adjusted_count, gold_given_predicted
from xlt.tasks.load import load_task

Texts = npt.NDArray[np.str_]
COLUMNS = ("paper_en", "paper_es", "paper_en_es", "paper_multi")


def errors(data: Path, draws: int, rng: np.random.Generator) -> None:
    """Each label's share over all, then pooled shares of languages; in points, against the share of all rows."""
    names = load_task("immigration").names
    with data.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    gold = match([each["label"] for each in rows], names, {}).codes
    langs = np.array([each["lang"] for each in rows])
    said = {column: match([each[column] for each in rows], names, {}).codes for column in COLUMNS}
    table(["predictions", "n", "label", "share", "naive", "gold alone", "adjusted count", "corrected"])
    better: list[tuple[bool, bool]] = []
    for column in COLUMNS:
        whole = confusion(gold, said[column], len(names))
        for n in (100, 200):
            samples = rng.multivariate_hypergeometric(whole.astype(int).ravel(), n, draws).astype(float)
            adjusted = [_adjusted(each.reshape(whole.shape), whole.sum(axis=0)) for each in samples]
            for label, name in enumerate(names):
                truth = whole[label].sum() / whole.sum()
                found = estimate(_kinds(whole, label, n), samples)
                naive = whole[:, label].sum() / whole.sum()
                count = np.array([each[label] for each in adjusted if each is not None])
                values = [np.array([naive]), found.gold, count, found.share]
                off = [100 * float(np.sqrt(((each - truth) ** 2).mean())) for each in values]
                better.append((off[3] < off[1], off[3] < off[0]))
                row(column, n, name, f"{100 * truth:.1f}", *(f"{each:.1f}" for each in off))
    alone, naive = (sum(each) for each in zip(*better, strict=True))
    print(f"\nCorrected beats gold alone in {alone} of {len(better)} rows, the naive share in {naive}.\n")
    table(["predictions", "gold of all", "label", "naive", "gold alone", "pooled", "an interval would hold"])
    for column in COLUMNS:
        for label in (1, 3):
            _languages(gold, said[column], langs, label, names[label], column, draws, rng)
    print()


def _kinds(whole: Floats, label: int, n: int) -> Kinds:
    """The cells of a confusion, of which `n` rows are drawn plainly."""
    meant, called = (each.ravel() == label for each in np.indices(whole.shape))
    ones = np.ones(whole.size)
    share_hat = float(whole[:, label].sum() / whole.sum())
    fraction = ones * n / whole.sum()
    return Kinds(meant.astype(float), ones, called.astype(float), ones, ones, 0 * ones, fraction, share_hat, 1.0)


def _adjusted(counts: Floats, population: Floats) -> Floats | None:
    return None if (counts.sum(axis=1) < LEAST_OF_A_LABEL).any() else adjusted_count(counts, population)


def _languages(
    gold: Ints, said: Ints, langs: Texts, label: int, name: str, column: str, draws: int, rng: np.random.Generator
) -> None:
    """Languages with 20 rows or more: error rates of a draw of all, in each language."""
    for n in (200, 400):
        off: dict[str, list[float]] = {"naive": [], "gold": [], "pooled": []}
        held: list[bool] = []
        cells = [np.flatnonzero(langs == lang) for lang in np.unique(langs) if (langs == lang).sum() >= 20]
        for _ in range(draws // 5):
            at = rng.choice(len(gold), n, replace=False)
            counts = confusion(gold[at], said[at], 4)
            rates = gold_given_predicted(counts)[:, label]
            for cell in cells:
                truth = float((gold[cell] == label).mean())
                mix = np.bincount(np.where(said[cell] < 0, 4, said[cell]), minlength=5) / len(cell)
                own = np.intersect1d(cell, at)
                used = mix > 0
                if not np.isfinite(rates[used]).all() or not len(own):
                    continue
                estimate_there = float(mix[used] @ rates[used])
                off["naive"].append(mix[label] - truth)
                off["gold"].append(float((gold[own] == label).mean()) - truth)
                off["pooled"].append(estimate_there - truth)
                rows = counts.sum(axis=0)[used]
                smooth = (counts[label][used] + 0.5) / (rows + 1)
                spread = 1.96 * np.sqrt((smooth * (1 - smooth) / rows) @ mix[used] ** 2)
                held.append(abs(estimate_there - truth) <= spread)
        errors_of = [100 * float(np.sqrt(np.mean(np.square(each)))) for each in off.values()]
        row(column, n, name, *(f"{each:.1f}" for each in errors_of), f"{100 * np.mean(held):.0f} %")
