"""Quantises a model folder into MLX's own layout, as mlx-lm does."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from xlt.backends.common import read_config, read_headers, weight_files
from xlt.backends.mlx import device as devices
from xlt.backends.mlx.config import completed
from xlt.cards.rope import with_both_spellings
from xlt.disk import write_json
from xlt.errors import XltError

GROUP = 64
HEAD_BITS = 8


def quantise(folder: Path, out: Path, name: str, bits: int) -> None:
    """Write weights and `config.json` of an unquantised Hugging Face folder into `out`, `bits` per weight.

    Groups of 64 share a scale and an offset. The layer that gives the logits (the embedding, when tied) keeps 8 bits:
    its rows are the label head. Matrices whose rows are no whole groups stay as they are.
    """
    devices.import_mlx_lm()
    import mlx.core as mx
    from mlx_lm.utils import load_model, quantize_model, save_model

    from xlt.backends.mlx.head import head

    devices.use("auto")
    config = read_config(folder, name)
    tensors = read_headers(weight_files(folder, name), name)
    try:
        model, loaded = load_model(folder, lazy=True, model_config=completed(config, tensors, name))
    except XltError:
        raise
    except Exception as error:  # mlx-lm raises whatever its models raise
        raise XltError(f"mlx-lm can't build model {name!r}: {' '.join(str(error).split())}.") from None
    path, _ = head(model, name)

    def bits_of(module: str, _: Any) -> bool | dict[str, Any]:
        kept = {"group_size": GROUP, "bits": HEAD_BITS, "mode": "affine"}
        return kept if module == path and bits < HEAD_BITS else True

    # It prints on stdout, where data belong.
    with contextlib.redirect_stdout(io.StringIO()):
        model, made = quantize_model(model, loaded, GROUP, bits, quant_predicate=bits_of)
    # One layer after the other, so that its unquantised weights go before the next one's come.
    for _, module in model.named_modules():
        mx.eval([array for array in module.values() if isinstance(array, mx.array)])
    try:
        save_model(out, model, donate_model=True)
    except RuntimeError as error:
        raise OSError(0, str(error).splitlines()[0]) from None
    settings = {key: made[key] for key in ("quantization", "quantization_config")}
    write_json(out / "config.json", with_both_spellings(config) | settings)
