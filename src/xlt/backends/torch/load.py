"""Loads a model's files into a transformers model on a device: the checks, the adapter, the 4 bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from xlt.backends.base import Loaded, Precision
from xlt.backends.common import check_memory, read_config, read_headers, weight_files
from xlt.backends.torch.adapter import merge
from xlt.backends.torch.backend import versions
from xlt.backends.torch.devices import DTYPES, free_memory
from xlt.backends.torch.gguf import first_line, load_gguf
from xlt.cards.check import check_gguf
from xlt.cards.files import ModelFiles
from xlt.cards.gguf_header import read_header
from xlt.cards.safetensors_header import Tensor
from xlt.errors import XltError

CPU = torch.device("cpu")
AGAIN = "download or copy it again"


def load_model(files: ModelFiles, device: torch.device, precision: Precision) -> Any:
    """A transformers causal model in evaluation mode; raises XltError in one sentence when it cannot be."""
    quiet()
    width = DTYPES[precision].itemsize
    nf4 = precision == "nf4"
    if files.format == "gguf":
        check_gguf(files.weights, files.name, AGAIN)
        # Dequantised on the CPU, whatever comes after.
        check_memory(files.name, read_header(files.weights).parameters * width, free_memory(CPU), precision)
        model = load_gguf(files.weights, DTYPES[precision])
    else:
        check_config(files)
        tensors = read_headers(weight_files(files.weights, files.name), files.name)
        # An adapter is merged into unquantised weights, which then lie in the CPU's memory.
        quantised = nf4 and files.adapter is None and not in_nf4(files)
        check_memory(files.name, bytes_needed(tensors, width, nf4=nf4), free_memory(device), precision)
        if nf4 and files.adapter is not None:
            check_memory(files.name, bytes_needed(tensors, width, nf4=False), free_memory(CPU), "bf16")
        model = load_folder(files, device, DTYPES[precision], quantised=quantised)
    if files.adapter is not None:
        model = merge(model, files.adapter)
    if nf4 and not getattr(model, "is_loaded_in_4bit", False):
        quantise(model, device)
    settle_nf4(model)
    return model.requires_grad_(False).eval().to(device)


def in_nf4(files: ModelFiles) -> bool:
    """Whether a folder's weights are stored in NF4, so that no other precision can be had."""
    return files.format == "hf" and "quantization_config" in read_config(files.weights, files.name)


def check_config(files: ModelFiles) -> None:
    """Refuse what torch cannot run, by `config.json` alone."""
    config = read_config(files.weights, files.name)
    if files.format == "mlx" or "quantization" in config:
        raise XltError(
            f"Model {files.name!r} is quantised for MLX, which torch cannot read: use --backend mlx, or the "
            "unquantised model with --precision nf4."
        )
    method = (config.get("quantization_config") or {}).get("quant_method", "bitsandbytes")
    if method != "bitsandbytes":
        raise XltError(f"Model {files.name!r} is quantised with {method}, which xlt cannot read: choose another form.")
    if "quantization_config" in config and files.adapter is not None:
        raise XltError(
            f"The adapter of model {files.name!r} sits on a base in 4 bits ({files.weights}), and merging into "
            "4 bits loses most of the tuning: put the unquantised base in its place."
        )


def bytes_needed(tensors: dict[str, Tensor], width: int, *, nf4: bool) -> int:
    """Bytes of the loaded weights at `width` bytes a number; with nf4, 4.5 bits for the layers' matrices."""
    total = 0
    for name, tensor in tensors.items():
        if not tensor.floating:
            total += tensor.bytes
        elif nf4 and len(tensor.shape) == 2 and ".layers." in name:
            total += tensor.size * 9 // 16
        else:
            total += tensor.size * width
    return total


def load_folder(files: ModelFiles, device: torch.device, dtype: torch.dtype, *, quantised: bool) -> Any:
    """A Hugging Face folder; `quantised`: each matrix becomes NF4 as it is read."""
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"quantization_config": nf4_settings(), "device_map": {"": device}} if quantised else {}
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            str(files.weights),
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # they are reported, and refused below
            output_loading_info=True,
            **options,
        )
    except torch.OutOfMemoryError:
        raise
    except (ValueError, KeyError, OSError, RuntimeError, ImportError, TypeError) as error:
        raise XltError(f"Model {files.name!r} can't be loaded from {files.weights}: {first_line(error)}") from None
    # transformers fills what is missing with random numbers.
    lacking = sorted(report["missing_keys"]) + sorted(str(key[0]) for key in report["mismatched_keys"])
    if lacking:
        raise XltError(
            f"Model {files.name!r} is incomplete: {len(lacking)} weights that its config.json asks for are missing "
            f"or of another shape, {lacking[0]} among them; {AGAIN}."
        )
    return model


def nf4_settings() -> Any:
    """NF4 with bf16 products; the library's defaults are fp4 and fp32."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)


def quantise(model: Any, device: torch.device) -> None:
    """Put the linear layers of a bf16 model into NF4, all but the head, as transformers does when it loads."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    head = model.get_output_embeddings()
    found = [
        (name, module) for name, module in model.named_modules() if type(module) is nn.Linear and module is not head
    ]
    for name, module in found:
        layer = Linear4bit(
            module.in_features,
            module.out_features,
            bias=module.bias is not None,
            compute_dtype=torch.bfloat16,
            quant_type="nf4",
            device="meta",
        )
        layer.weight = Params4bit(module.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=False)
        layer.bias = module.bias
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.to(device))


def settle_nf4(model: Any) -> None:
    """Keep bitsandbytes from packing matrices for the CPU whose rows are no whole number of blocks: it fails there."""
    for module in model.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False):
            module.support_avx512bf16_for_cpu = module.in_features % module.weight.quant_state.blocksize == 0


def quiet() -> None:
    """No progress bars and no advice on stderr: the command line tells what happens."""
    import logging

    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    # It looks on the hub for kernels that it does not need, and says so.
    logging.getLogger("bitsandbytes").setLevel(logging.CRITICAL)


def describe(model: Any, device: torch.device, precision: Precision, threads: int) -> Loaded:
    """What goes into a run's record."""
    return Loaded(
        backend="torch",
        device=str(device),
        precision=precision,
        threads=threads,
        weight_bytes=weight_bytes(model),
        parameters=parameters(model),
        max_tokens=model.config.get_text_config().max_position_embeddings,
        versions=versions(),
    )


def weight_bytes(model: Any) -> int:
    """Bytes of all weights as they are held."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())


def parameters(model: Any) -> int:
    """Weights that a token is multiplied with: the layers' matrices and norms, without embedding and head."""
    apart = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    # A 4-bit matrix holds two numbers a byte.
    return sum(
        tensor.numel() * (2 if tensor.dtype == torch.uint8 else 1)
        for tensor in model.parameters()
        if id(tensor) not in apart
    )
