"""The torch backend: CUDA, and CPUs everywhere. Importing this module does not import torch."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from xlt.backends.base import Availability, BackendName, Precision
from xlt.backends.common import go_offline
from xlt.backends.training import Course
from xlt.cards.files import ModelFiles
from xlt.errors import XltError

if TYPE_CHECKING:
    from xlt.backends.torch.scorer import TorchScorer
    from xlt.backends.torch.trainer import TorchTrainer

LIBRARIES = ("torch", "transformers", "safetensors", "peft", "bitsandbytes", "gguf")


class TorchBackend:
    """`xlt.backends.base.Backend` and `xlt.backends.training.TrainingBackend` with PyTorch."""

    name: BackendName = "torch"

    def availability(self) -> Availability:
        """Versions and devices, or why torch cannot be used. Never raises."""
        try:
            from xlt.backends.torch.devices import devices

            return Availability(True, versions=versions(), devices=devices())
        except ImportError as error:
            return Availability(
                False, f"The torch backend needs {error.name or 'torch'}: pip install 'xlt[torch]'.", versions()
            )
        except Exception as error:  # a broken driver or library must not break `xlt doctor`
            return Availability(False, f"torch is installed but does not work here: {error}", versions())

    def load(
        self, files: ModelFiles, *, device: str = "auto", precision: Precision = "auto", threads: int = 0
    ) -> TorchScorer:
        """Load a model for scoring; raises XltError in one sentence when it cannot be."""
        _import()
        import torch

        from xlt.backends.torch import devices, load
        from xlt.backends.torch.generic import GenericForward
        from xlt.backends.torch.llama import LlamaForward, is_llama_shaped
        from xlt.backends.torch.scorer import TorchScorer, memory_errors

        place = devices.choose_device(device)
        chosen = devices.choose_precision(precision, place)
        used = devices.set_threads(place, threads)
        too_big = f"The memory does not hold {files.name}: choose a smaller model or a lower --precision (bf16, nf4)."
        with torch.inference_mode(), memory_errors(too_big):
            chosen = "nf4" if load.in_nf4(files) else chosen
            model = load.load_model(files, place, chosen)
            loaded = load.describe(model, place, chosen, used)
            forward = LlamaForward(model) if is_llama_shaped(model) else GenericForward(model)
        devices.keep_freed_memory()
        return TorchScorer(forward, loaded)

    def trainer(self, files: ModelFiles, course: Course, *, device: str = "auto", threads: int = 0) -> TorchTrainer:
        """Load a base for training, its updates all zero; raises XltError in one sentence when it cannot be."""
        _import()
        from xlt.backends.torch.train_load import load_trainer

        return load_trainer(files, course, device, threads)


def _import() -> None:
    """Import the libraries that take long, so that what is missing is told."""
    # Before transformers, peft or bitsandbytes come in: they ask the hub otherwise.
    go_offline()
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise XltError(f"The torch backend needs {error.name}: pip install 'xlt[torch]'.") from None


def versions() -> dict[str, str]:
    """The installed versions of the libraries that move a score."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
