"""Loads a model with mlx-lm: checked first, so that whatever can go wrong is said in a sentence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from xlt.backends.base import Device, Loaded, Precision
from xlt.backends.common import check_memory, read_config, read_headers, weight_files
from xlt.backends.mlx import device as devices
from xlt.backends.mlx.config import completed, max_tokens, shape_of
from xlt.backends.training import Course
from xlt.cards.files import ModelFiles
from xlt.cards.safetensors_header import Tensor
from xlt.errors import UsageError, XltError

if TYPE_CHECKING:
    from xlt.backends.mlx.score import MlxScorer
    from xlt.backends.mlx.train import MlxTrainer

_BYTES: dict[Precision, int] = {"fp32": 4, "bf16": 2, "fp16": 2}


def load(files: ModelFiles, *, device: str, precision: Precision) -> MlxScorer:
    """A scorer over the model; see `xlt.backends.base.Backend.load`."""
    if precision == "nf4":
        raise UsageError(
            "nf4 is the 4-bit format of the torch backend; for 4 bits on MLX choose a model quantised for it, such as "
            "an mlx-community 4-bit conversion (xlt models list)."
        )
    if precision != "auto" and precision not in devices.PRECISIONS:
        raise UsageError(f"There is no precision {precision!r}; MLX has {', '.join(devices.PRECISIONS)}.")
    devices.import_mlx_lm()
    place = devices.use(device)
    chosen: Precision = place.precisions[0] if precision == "auto" else precision
    model, config = _from_gguf(files, place, chosen) if files.format == "gguf" else _from_folder(files, place, chosen)
    return _scorer(model, config, files, place, chosen)


def load_trainer(files: ModelFiles, course: Course, *, device: str) -> MlxTrainer:
    """A trainer over a base, its updates all zero. Raises XltError in one sentence when it can't be trained."""
    if files.adapter is not None:
        raise XltError(f"Model {files.name!r} is an adapter: merge it first (xlt models merge), or tune its base.")
    if files.format == "gguf":
        raise XltError(f"Model {files.name!r} is a GGUF file, which holds no weights to train on: use its base.")
    if course.precision == "fp16":
        raise UsageError("fp16 gradients underflow; train in bf16 or fp32.")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("MLX tunes in one process: start it without torchrun, or use --backend torch.")
    precision = course.precision
    if precision == "nf4":
        if files.format != "mlx":
            raise UsageError(
                "nf4 is the 4-bit format of the torch backend; on MLX tune a base in MLX's own 4 bits (xlt quantise "
                f"{files.name} --to mlx), or --set precision=bf16."
            )
        # Asked for 4 bits, and it has them.
        precision = "auto"
    scorer = load(files, device=device, precision=precision)
    from xlt.backends.mlx.lora import Masks, put_on, recompute
    from xlt.backends.mlx.train import MlxTrainer

    masks = Masks(course.lora.dropout)
    layers = put_on(scorer.model, course.lora, masks, files.name)
    if course.checkpointing:
        recompute(scorer.model, masks)
    return MlxTrainer(scorer, layers, masks, course)


def _from_folder(files: ModelFiles, device: Device, precision: Precision) -> tuple[Any, dict[str, Any]]:
    """The model with its weights not yet read, adapter applied, and its config as mlx-lm got it."""
    from mlx_lm.utils import load_model

    from xlt.backends.mlx.adapter import apply_adapter

    name = files.name
    config = read_config(files.weights, name)
    tensors = read_headers(weight_files(files.weights, name), name)
    _check_kind(config, device, precision, name)
    check_memory(name, bytes_needed(tensors, precision), device.free, precision)
    config = completed(config, tensors, name)
    try:
        # Lazy: weights are read one by one when their precision is changed.
        model, _ = load_model(files.weights, lazy=True, model_config=config)
    except Exception as error:  # mlx-lm raises whatever its models raise
        raise _refused(error, name) from None
    if files.adapter is not None:
        apply_adapter(model, files.adapter, name)
    return model, config


def _from_gguf(files: ModelFiles, device: Device, precision: Precision) -> tuple[Any, dict[str, Any]]:
    from xlt.backends.mlx.gguf import load_gguf

    return load_gguf(files, device, precision, _BYTES[precision])


def bytes_needed(tensors: dict[str, Tensor], precision: Precision) -> int:
    """Bytes of the weights in memory, and of the largest once more while it changes its precision."""
    sizes = [each.size * _BYTES[precision] if each.floating else each.bytes for each in tensors.values()]
    return sum(sizes) + max(sizes, default=0)


def _scorer(model: Any, config: dict[str, Any], files: ModelFiles, device: Device, precision: Precision) -> MlxScorer:
    from mlx.utils import tree_flatten
    from mlx_lm.utils import get_total_parameters

    from xlt.backends.mlx.head import embedding, head, numbers
    from xlt.backends.mlx.score import MlxScorer, windows

    _materialise(model, device, precision, files.name)
    slides = any(windows(model, files.name))
    _, table = embedding(model, files.name)
    outside = {id(layer): layer for layer in (table, head(model, files.name)[1])}
    loaded = Loaded(
        backend="mlx",
        device=device.name,
        precision=precision,
        threads=devices.threads(device),
        weight_bytes=sum(array.nbytes for _, array in tree_flatten(model.parameters())),
        parameters=get_total_parameters(model) - sum(numbers(layer) for layer in outside.values()),
        max_tokens=max_tokens(config, slides),
        versions=devices.versions(),
    )
    return MlxScorer(model, loaded, files.name, len(table.weight), shape_of(config))


def _materialise(model: Any, device: Device, precision: Precision, name: str) -> None:
    """Read the weights into memory in the precision asked for, one after the other."""
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_flatten

    dtype = {"fp32": mx.float32, "bf16": mx.bfloat16, "fp16": mx.float16}[precision]
    try:
        for _, module in model.named_modules():
            # The reference BLAS of the Linux build is nearly twice as fast with the matrix lying this way.
            turn = device.name == "cpu" and type(module) is nn.Linear
            for key, array in list(module.items()):
                if not isinstance(array, mx.array) or key.startswith("_"):
                    continue
                if mx.issubdtype(array.dtype, mx.floating) and key != "global_scale":
                    array = array.astype(dtype)
                if turn and key == "weight":
                    array = mx.contiguous(array.T).T
                mx.eval(array)
                module[key] = array
        mx.eval(tree_flatten(model.parameters()))
    except (RuntimeError, MemoryError) as error:
        raise XltError(f"The weights of model {name!r} can't be read ({_brief(error)}); copy it again.") from None


def _check_kind(config: dict[str, Any], device: Device, precision: Precision, name: str) -> None:
    if "model_file" in config:
        raise XltError(f"Model {name!r} runs only with Python code of its own, which xlt never runs; choose another.")
    foreign = config.get("quantization_config")
    if "quantization" in config:
        if device.name == "cpu" and precision != "fp32":
            raise UsageError(
                f"Model {name!r} is quantised, and on the CPU MLX multiplies quantised weights accurately only in "
                "fp32; use --precision fp32."
            )
    elif isinstance(foreign, dict):
        raise XltError(
            f"Model {name!r} is quantised by {foreign.get('quant_method')!r}, which the MLX backend does not run; use "
            "--backend torch, or the unquantised model."
        )


def _refused(error: Exception, name: str) -> XltError:
    return XltError(
        f"mlx-lm can't build model {name!r} from its files ({_brief(error)}); copy it again, or use --backend torch."
    )


def _brief(error: Exception) -> str:
    """An error's text on one line, not too long for a sentence."""
    text = " ".join(str(error).split()).rstrip(". ") or type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"
