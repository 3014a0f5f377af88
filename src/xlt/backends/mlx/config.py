"""`config.json` as mlx-lm must see it to build the same model as transformers does. Changes nothing on the disk."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from xlt.errors import XltError

_SILU = (None, "silu", "swish")


@dataclass(frozen=True)
class Shape:
    """What the memory of a pass depends on."""

    heads: int
    key_heads: int
    head_size: int
    width: int
    inner: int

    def numbers(self, texts: int, tokens: int, prefix: int) -> int:
        """Numbers held at the worst moment of a pass on the CPU over texts of `tokens` tokens, generously.

        There attention holds the products of all queries with all keys; the factors are measured ones, rounded up.
        """
        attention = self.heads * tokens * (prefix + tokens) * 5 // 2
        keys = 4 * self.key_heads * self.head_size * (prefix + tokens)
        return texts * (attention + keys + tokens * (6 * self.inner + 10 * self.width))


def shape_of(config: dict[str, Any]) -> Shape:
    """The sizes in a config; one that it names in its own way counts as 0."""
    part = text_part(config)
    heads, width = int(part.get("num_attention_heads") or 0), int(part.get("hidden_size") or 0)
    return Shape(
        heads=heads,
        key_heads=int(part.get("num_key_value_heads") or heads),
        head_size=int(part.get("head_dim") or (width // heads if heads else 0)),
        width=width,
        inner=int(part.get("intermediate_size") or 0),
    )


def completed(config: dict[str, Any], tensors: Collection[str], name: str) -> dict[str, Any]:
    """The config with what mlx-lm would otherwise replace by a default of its own.

    tensors: names of the tensors in the checkpoint. Raises XltError when mlx-lm does not know the architecture or
    can't express its settings.
    """
    module = _module(config, name)
    for part in (config, text_part(config)):
        act = part.get("hidden_activation") or part.get("hidden_act")
        if hasattr(module, "swiglu") and act not in _SILU:
            raise XltError(
                f"mlx-lm has no activation {act!r} for the architecture of model {name!r}; use --backend torch."
            )
    # Models that know `rope_parameters` read it themselves.
    knows = "rope_parameters" in inspect.signature(module.ModelArgs).parameters
    made = dict(config) if knows else {**config, **_rope(config, name)}
    if isinstance(text := config.get("text_config"), dict) and not knows:
        made["text_config"] = {**text, **_rope(text, name)}
    if "tie_word_embeddings" not in config:
        # mlx-lm ties by default and drops a head that is there; transformers writes the entry only when it is not
        # the default of the model's class.
        made["tie_word_embeddings"] = not any(each.endswith("lm_head.weight") for each in tensors)
    return made


def max_tokens(config: dict[str, Any], slides: bool) -> int:
    """Positions for which mlx-lm computes what the model was made for.

    slides: whether mlx-lm's model has sliding windows; where it leaves them out, only one window is right.
    """
    config = text_part(config)
    limits = [config.get(key) for key in ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length")]
    most = next((int(limit) for limit in limits if limit), 2048)
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    kind = scaling.get("rope_type") or scaling.get("type")
    original = scaling.get("original_max_position_embeddings") or config.get("original_max_position_embeddings")
    if kind in ("longrope", "su") and original:
        most = min(most, int(original))
    window = config.get("sliding_window")
    if window and not slides and config.get("use_sliding_window") is not False:
        most = min(most, int(window))
    return most


def _module(config: dict[str, Any], name: str) -> Any:
    from mlx_lm.utils import MODEL_REMAPPING

    kind = config["model_type"]
    try:
        return importlib.import_module(f"mlx_lm.models.{MODEL_REMAPPING.get(kind, kind)}")
    except ImportError:
        raise XltError(
            f"mlx-lm does not know the architecture {kind!r} of model {name!r}; use --backend torch."
        ) from None


def text_part(config: dict[str, Any]) -> dict[str, Any]:
    """The part about the language model, in configs of models that see images too."""
    text = config.get("text_config")
    return text if isinstance(text, dict) else config


def _rope(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Top-level rope settings, which mlx-lm reads, from `rope_parameters`, which transformers 5 writes."""
    parameters = config.get("rope_parameters")
    found: dict[str, Any] = {}
    if isinstance(parameters, dict):
        if isinstance(parameters.get("full_attention"), dict):
            found = _by_layer_type(parameters, config, name)
        else:
            found = _top_level(parameters)
    # What stands at the top already was written for readers of the top level.
    found = {key: value for key, value in found.items() if config.get(key) is None}
    scaling = found.get("rope_scaling") or config.get("rope_scaling")
    if isinstance(scaling, dict):
        found["rope_scaling"] = _both_spellings(scaling)
    return found


def _top_level(parameters: dict[str, Any]) -> dict[str, Any]:
    apart = ("rope_theta", "partial_rotary_factor")
    found = {key: parameters[key] for key in apart if key in parameters}
    if parameters.get("rope_type", "default") != "default":
        found["rope_scaling"] = {key: value for key, value in parameters.items() if key not in apart}
    return found


def _by_layer_type(parameters: dict[str, Any], config: dict[str, Any], name: str) -> dict[str, Any]:
    """Settings that differ between full and sliding layers: only Gemma 3's way can be said at the top level."""
    full, sliding = parameters["full_attention"], parameters.get("sliding_attention")
    found = _top_level(full)
    if sliding is None or sliding == full:
        return found
    if not str(config.get("model_type")).startswith("gemma3") or sliding.get("rope_type", "default") != "default":
        raise XltError(
            f"The MLX backend can't give the layers of model {name!r} rope settings of their own; use --backend torch."
        )
    return {**found, "rope_local_base_freq": sliding["rope_theta"]}


def _both_spellings(scaling: dict[str, Any]) -> dict[str, Any]:
    """`type` and `rope_type`, since some of mlx-lm's models read one and some the other."""
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    made = {**scaling, "rope_type": kind, "type": kind}
    if kind in ("longrope", "su") and "short_factor" in scaling:
        # mlx-lm always takes the long factors; texts here stay within the original length (see `max_tokens`).
        made["long_factor"] = scaling["short_factor"]
    return made
