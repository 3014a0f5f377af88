"""The torch backend. Importing this does not import torch."""

from xlt.backends.base import Backend
from xlt.backends.torch.backend import TorchBackend

BACKEND: Backend = TorchBackend()

__all__ = ["BACKEND", "TorchBackend"]
