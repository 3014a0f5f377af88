"""Systems against each other on the same rows, and languages seen against unseen across training sets."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from xlt.science.bootstrap import DRAWS
from xlt.science.metrics import Ints, confusion, macro_f1_of
from xlt.science.paired import compare, holm
from xlt.study.evaluate import Table
from xlt.study.rows import Rows
from xlt.tasks.spec import Task

ALL = "all"


def pair_table(rows: Rows, task: Task, seed: int = 0, draws: int = DRAWS) -> Table:
    """Every two systems, in each language and in all: exact McNemar, differences (B - A) with intervals.

    `p_holm` is adjusted over all languages of all pairs, one family of tests; in rows of all languages, over pairs.
    """
    table = Table(
        (
            *("a", "b", "slice", "n", "only_a_right", "only_b_right"),
            *("accuracy_difference", "accuracy_low", "accuracy_high"),
            *("macro_f1_difference", "macro_f1_low", "macro_f1_high", "p", "p_holm"),
        )
    )
    langs = np.array(rows.langs)
    names, codes = np.unique(langs, return_inverse=True)
    sizes = np.bincount(codes)
    order = sorted(range(len(names)), key=lambda at: (-sizes[at], names[at]))
    chosen = [(str(names[at]), np.flatnonzero(codes == at)) for at in order] + [(ALL, np.arange(len(langs)))]
    found = [
        (
            a.name,
            b.name,
            name,
            compare(rows.gold[at], a.codes[at], b.codes[at], len(task.names), codes[at], seed, draws),
        )
        for a, b in combinations(rows.systems, 2)
        for name, at in chosen
    ]
    pooled = [name == ALL for _, _, name, _ in found]
    families = [
        iter(holm([each[3].p for each, all_ in zip(found, pooled, strict=True) if all_ == of])) for of in (0, 1)
    ]
    for (a_name, b_name, name, each), all_ in zip(found, pooled, strict=True):
        accuracy, f1 = each.accuracy_interval or (None, None), each.macro_f1_interval or (None, None)
        row = (a_name, b_name, name, each.n, each.only_a, each.only_b, each.accuracy_difference, *accuracy)
        table.rows.append((*row, each.macro_f1_difference, *f1, each.p, next(families[all_])))
    return table


def seen_table(rows: Rows, task: Task) -> Table:
    """Within each language: the mean score of systems that were tuned on it and of those that were not.

    Only languages that some systems saw and some did not; comparing one language that was seen with another that was
    not would compare label mixes.
    """
    table = Table(
        (
            *("slice", "n", "seen_systems", "unseen_systems", "accuracy_seen", "accuracy_unseen"),
            *("accuracy_difference", "macro_f1_seen", "macro_f1_unseen", "macro_f1_difference"),
        )
    )
    langs = np.array(rows.langs)
    known = [system for system in rows.systems if system.seen is not None]
    for lang in sorted(set(rows.langs), key=lambda each: (-rows.langs.count(each), each)):
        at = np.flatnonzero(langs == lang)
        seen = [system for system in known if lang in (system.seen or ())]
        unseen = [system for system in known if lang not in (system.seen or ())]
        if not seen or not unseen:
            continue
        means = [_means(rows, [system.codes[at] for system in part], at, len(task.names)) for part in (seen, unseen)]
        differences = [(a, b, a - b) for a, b in zip(*means, strict=True)]
        table.rows.append((lang, len(at), len(seen), len(unseen), *differences[0], *differences[1]))
    return table


def _means(rows: Rows, predicted: list[Ints], at: Ints, labels: int) -> tuple[float, float]:
    gold = rows.gold[at]
    accuracy = float(np.mean([(each == gold).mean() for each in predicted]))
    return accuracy, float(np.mean([macro_f1_of(confusion(gold, each, labels)) for each in predicted]))
