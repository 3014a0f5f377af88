"""The methods paragraph: what was done, with what, and the hashes that tell whether it was the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from xlt.science.bootstrap import DRAWS, LEAST_OF_A_LABEL, LEAST_ROWS
from xlt.science.prevalence import LEAST_GOLD
from xlt.study.report.corrected import ASSUMED, OVER_LANGUAGES
from xlt.study.report.parts import Report, Section
from xlt.study.report.scored import SEED

_LIBRARIES = (
    *("duckdb", "torch", "mlx", "mlx-lm", "transformers", "tokenizers", "scikit-learn", "scipy", "numpy"),
    *("statsmodels", "matplotlib"),
)


def methods_section(report: Report) -> Section:
    """What a paper's methods have to say, in words; the rest is in report.json."""
    made = report.made
    section = Section("Methods")
    run, corrected, scored, studies = (made.get(key) for key in ("run", "corrected", "scored", "studies"))
    models = any(cell.get("model") for study in (studies or {}).values() for cell in study["cells"].values())
    if run or models:
        section.words.append(
            "Labels were scored, not generated: the model's probabilities of the task's answers after the prompt, "
            "softmax in float32, the most probable label counted. Equal texts were scored once."
        )
    if isinstance(run, Mapping):
        section.words.append(_run(run) + _corpus(made))
    if isinstance(corrected, Mapping):
        section.words.append(_correction(corrected))
    if scored or studies:
        section.words.append(_scores(scored, studies))
    if isinstance(studies, Mapping):
        section.words.append(_studies(studies))
    made["libraries"] = _versions()
    listed = ", ".join(f"{library} {number}" for library, number in made["libraries"].items())
    section.words.append(
        f"Made with xlt {made['xlt']}, Python {made['python']}, {listed}. Hashes of files, models and test rows and "
        "all settings stand in report.json beside this file."
    )
    return section


def _run(run: Mapping[str, Any]) -> str:
    def said(table: str, key: str) -> str:
        return str((run.get(table) or {}).get(key, "unknown"))

    words = (
        f"Shares are those of the model {said('model', 'name')} (hash {said('identity', 'model')}) on the task "
        f"{said('task', 'name')} (hash {said('identity', 'task')})"
    )
    if run.get("loaded"):
        words += (
            f", run in {said('loaded', 'precision')} with {said('loaded', 'backend')} on {said('loaded', 'device')}"
        )
    return f"{words}."


def _corpus(made: Mapping[str, Any]) -> str:
    files = made.get("files") or []
    if not files:
        return ""
    joined = hashlib.sha256("\n".join(sorted(str(each["sha256"]) for each in files)).encode()).hexdigest()[:16]
    return f" The corpus was read from {len(files):,} file{'s' * (len(files) != 1)} (hash of their hashes {joined})."


def _correction(used: Mapping[str, Any]) -> str:
    pooled = list(used["months"]) if used["months"] else []
    if used["pooled_languages"] and OVER_LANGUAGES not in pooled:
        pooled.append(OVER_LANGUAGES)
    assumed = "; ".join(f"{said}, on the assumption that {ASSUMED[said]}" for said in pooled)
    return (
        "Shares were corrected by prediction-powered inference (PPI++, Angelopoulos, Duchi and Zrnic 2023) with "
        f"{used['labels']:,} hand labels (hash {used['hash']}), weighted by inverse inclusion probabilities, by "
        "strata, with the finite population correction, and by the hand labels alone where fewer than two errors of "
        "the classifier were caught. "
        + (used["draw"] or "The hand labels are stated to be a plain random sample of every cell.")
        + " Intervals of shares are at the 95 % level (Wilson's score interval at the effective sample size); none is "
        f"given below {LEAST_GOLD} hand labels, and none is adjusted for how many there are."
        + (f" Below that, the correction is {assumed}." if assumed else "")
    )


def _scores(scored: Any, studies: Any) -> str:
    models = len(scored["runs"]) if isinstance(scored, Mapping) else 0
    words = (
        f"Intervals of scores are at the 95 % level: percentiles of {DRAWS:,} bootstrap draws within language and gold "
        f"label (seed {SEED}), none below {LEAST_ROWS} texts or {LEAST_OF_A_LABEL} of each label. Macro-F1 is the mean "
        "over all labels of the task."
    )
    if models > 1 or studies:
        words += (
            " Models were compared on the same texts by McNemar's exact test, two-sided, and by paired bootstrap "
            "intervals of the difference; p values are adjusted by Holm's method over all languages of all pairs, "
            "and over pairs for all languages together."
        )
    return words


def _studies(studies: Mapping[str, Any]) -> str:
    parts = []
    for name, study in studies.items():
        cells = study["cells"].values()
        hashes = sorted({str(cell[key]) for cell in cells for key in ("train",) if cell.get(key)})
        models = sorted({str(cell["model"])[:16] for cell in cells if cell.get("model")})
        part = f"The study {name}: seeds {', '.join(map(str, study['seeds']))}; test rows {study['test']}"
        part += f"; training file {', '.join(hashes)}" if hashes else ""
        listed = ", ".join(models[:6]) + " and more" * (len(models) > 6)
        part += f"; models {listed}" if models else ""
        parts.append(part + ".")
    return (
        "In studies of transfer, the texts that chose a checkpoint share no near-duplicate (MinHash of 0.8 or more), "
        "repost or translation with training texts and are of languages in training alone; examples of a language are "
        "nested, a draw of fewer being part of one of more. Test texts are all those of the test file. "
        + " ".join(parts)
    )


def _versions() -> dict[str, str]:
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
