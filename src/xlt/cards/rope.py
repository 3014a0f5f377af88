"""Both spellings of the rope in `config.json`: transformers 5 reads and writes one, mlx-lm reads only the other.

mlx-lm falls back to a base of 10000 without a word where it does not find its own: every logit is then wrong.
"""

from __future__ import annotations

from typing import Any

_APART = ("rope_theta", "partial_rotary_factor")


def with_both_spellings(config: dict[str, Any]) -> dict[str, Any]:
    """The config with `rope_parameters` and with top-level `rope_theta` and `rope_scaling`.

    Settings that differ by layer (Gemma 3) have no such second spelling and stay as they are.
    """
    parameters, theta = config.get("rope_parameters"), config.get("rope_theta")
    if isinstance(parameters, dict) and parameters:
        return config if any(isinstance(each, dict) for each in parameters.values()) else config | top_level(parameters)
    if theta is None:
        return config
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    parameters = {key: config[key] for key in _APART if key in config} | scaling | {"rope_type": kind}
    return config | {"rope_parameters": parameters, "rope_scaling": {**scaling, "rope_type": kind} if scaling else None}


def top_level(parameters: dict[str, Any]) -> dict[str, Any]:
    """What `rope_parameters` say, as entries of the config itself."""
    found = {key: parameters[key] for key in _APART if key in parameters}
    if parameters.get("rope_type", "default") != "default":
        found["rope_scaling"] = {key: value for key, value in parameters.items() if key not in _APART}
    return found
