"""Several processes under torchrun: each takes its part of every batch, and their gradients are added up."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed

from xlt.errors import XltError


class Ranks:
    """This process among those that train together; alone when torchrun did not start it."""

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.own = int(os.environ.get("RANK", "0"))
        self._joined = False

    def place(self, device: str) -> str:
        """The device of this process: under torchrun each takes the GPU of its local rank."""
        alone = self.count == 1 or device not in ("auto", "cuda") or not torch.cuda.is_available()
        return device if alone else f"cuda:{os.environ.get('LOCAL_RANK', self.own)}"

    def join(self, device: torch.device) -> None:
        """Meet the others. Raises XltError when they do not come."""
        if self.count == 1 or distributed.is_initialized():
            return
        try:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
            # Nobody goes on before all are here: the leader is about to write what the others check.
            self._joined = True
            self.add_up([torch.zeros(1, device=device)])
        except (RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise XltError(
                f"The {self.count} processes of torchrun don't find one another ({reason}); start them anew, or one "
                "without torchrun."
            ) from None

    def add_up(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one message."""
        if self.count == 1:
            return
        parts = list(tensors)
        flat = torch.cat([part.flatten() for part in parts])
        distributed.all_reduce(flat)
        start = 0
        for part in parts:
            part.copy_(flat[start : start + part.numel()].view_as(part))
            start += part.numel()

    def take_first(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by that of the leading process."""
        if self.count > 1:
            for tensor in tensors:
                distributed.broadcast(tensor, 0)

    def leave(self) -> None:
        """Part from the others."""
        if self._joined:
            distributed.destroy_process_group()
            self._joined = False
