"""What being right depends on: a logistic model of single answers, with standard errors that respect how they hang
together.

Answers of several models to one text are not independent, and neither are texts of one language. What differs between
texts or between training sets is estimated within languages (each language has a constant of its own), clustered by
text. What differs between languages only, such as its share in pre-training, would need many languages: clustered
standard errors are too small with few clusters (Cameron and Miller 2015), so below LEAST_LANGUAGES it is not given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xlt.errors import XltError
from xlt.science.metrics import Floats, Ints

LEAST_LANGUAGES = 30
"""Languages below which effects that differ between languages only are not given."""
FARTHEST = 1e4
"""Odds ratios beyond this, or below its inverse, are no finding but a fit that ran off."""
LEAST_OF_EACH = 10
"""Answers that must be right, and as many wrong."""


@dataclass(frozen=True)
class Effect:
    """One odds ratio."""

    name: str
    odds_ratio: float
    low: float
    """95 % interval."""
    high: float
    p: float


@dataclass(frozen=True)
class Rightness:
    """What came out."""

    effects: tuple[Effect, ...]
    answers: int
    texts: int
    languages: int
    left_out: tuple[str, ...]
    """Why something is not given, as sentences."""


def rightness(
    right: Ints, text: Ints, language: Sequence[str], inside: Mapping[str, Floats], between: Mapping[str, Floats]
) -> Rightness:
    """Fit the model. `right` (n,) is 1 where an answer is right, `text` (n,) tells texts apart.

    `inside` holds what differs between answers within a language, `between` what is one number a language; both (n,).
    Raises XltError when there are too few right or wrong answers to fit anything.
    """
    langs, at = np.unique(np.array(language), return_inverse=True)
    if min(right.sum(), len(right) - right.sum()) < LEAST_OF_EACH:
        raise XltError(
            f"Of {len(right):,} answers {int(right.sum()):,} are right: too few of one kind to tell what it hangs on."
        )
    left: list[str] = []
    names, columns = [], []
    for name, values in inside.items():
        if _varies_within(values, at):
            names.append(name)
            columns.append(values)
        else:
            left.append(f"{name} does not differ within any language, so its effect can't be told from the languages'.")
    found: list[Effect] = []
    if columns:
        dummies = np.eye(len(langs))[at]
        found += _fit(right, np.column_stack([*columns, dummies]), names, text[:, None])
        given = {each.name for each in found}
        left += [
            f"{name} has no odds ratio that could be told from 0 or from infinity."
            for name in names
            if name not in given
        ]
    if between and len(langs) < LEAST_LANGUAGES:
        left.append(
            f"{', '.join(between)} differ{'s' if len(between) == 1 else ''} between languages only, and {len(langs)} "
            f"languages are too few to say how sure that is; {LEAST_LANGUAGES} or more are needed."
        )
    elif between:
        whole = np.column_stack([*between.values(), *columns, np.ones(len(right))])
        found += _fit(right, whole, list(between), np.column_stack([text, at]))
    return Rightness(tuple(found), len(right), len(np.unique(text)), len(langs), tuple(left))


def _varies_within(values: Floats, at: Ints) -> bool:
    return any(np.ptp(values[at == each]) > 0 for each in np.unique(at))


def _fit(right: Ints, columns: Floats, names: Sequence[str], clusters: Ints) -> list[Effect]:
    """The first effects of a logistic regression, standard errors clustered one or two ways."""
    try:
        import statsmodels.api as sm
        from statsmodels.tools.sm_exceptions import PerfectSeparationError
    except ImportError:
        raise XltError("This model needs statsmodels: pip install 'xlt[science]'.") from None
    import warnings

    groups = clusters[:, 0] if clusters.shape[1] == 1 else clusters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fitted = sm.GLM(right, columns, family=sm.families.Binomial()).fit(
                cov_type="cluster", cov_kwds={"groups": groups}
            )
        except (PerfectSeparationError, np.linalg.LinAlgError, ValueError):
            raise XltError(
                "The model can't be fitted: something tells right from wrong answers without fail."
            ) from None
    bounds = np.asarray(fitted.conf_int())
    effects = []
    for number, name in enumerate(names):
        ratio, low, high = (float(each) for each in np.exp([fitted.params[number], *bounds[number]]))
        # Where an effect tells right from wrong without fail, the fit runs off towards 0 or infinity.
        if np.isfinite([ratio, low, high]).all() and 1 / FARTHEST < ratio < FARTHEST:
            effects.append(Effect(name, ratio, low, high, float(fitted.pvalues[number])))
    return effects
