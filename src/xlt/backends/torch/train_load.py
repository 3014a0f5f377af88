"""From a base's files to a trainer: the frozen model, LoRA on it, the way its passes are run."""

from __future__ import annotations

from xlt.backends.torch import devices, load, lora
from xlt.backends.torch.llama import is_llama_shaped
from xlt.backends.torch.ranks import Ranks
from xlt.backends.torch.scorer import memory_errors
from xlt.backends.torch.train_forward import PackedForward, PaddedForward, TrainingForward
from xlt.backends.torch.trainer import TorchTrainer
from xlt.backends.training import Course
from xlt.cards.files import ModelFiles
from xlt.errors import UsageError, XltError


def load_trainer(files: ModelFiles, course: Course, device: str, threads: int) -> TorchTrainer:
    """Load a base, its updates all zero. Raises XltError in one sentence when it cannot be trained."""
    if files.adapter is not None:
        raise XltError(f"Model {files.name!r} is an adapter: merge it first (xlt models merge), or tune its base.")
    if files.format == "gguf":
        raise XltError(f"Model {files.name!r} is a GGUF file, which holds no weights to train on: use its base.")
    if course.precision == "fp16":
        raise UsageError("fp16 gradients underflow; train in bf16, fp32 or nf4.")
    ranks = Ranks()
    place = devices.choose_device(ranks.place(device))
    precision = devices.choose_precision(course.precision, place)
    used = devices.set_threads(place, threads)
    too_big = f"The memory does not hold {files.name}: choose a smaller base or a lower precision (bf16, nf4)."
    with memory_errors(too_big):
        model = load.load_model(files, place, precision)
        for module in model.modules():
            # bitsandbytes would pack matrices for scoring on the CPU; no gradient goes through those.
            if hasattr(module, "support_avx512bf16_for_cpu"):
                module.support_avx512bf16_for_cpu = False
        loaded = load.describe(model, place, precision, used)
        layers = lora.put_on(model, course.lora, files.name, place)
        forward: TrainingForward = (
            PackedForward(model, course.checkpointing)
            if is_llama_shaped(model)
            else PaddedForward(model, course.checkpointing)
        )
        for layer in layers.values():
            layer.eval()
        devices.keep_freed_memory()
        ranks.join(place)
        return TorchTrainer(forward, layers, course, loaded, ranks)
