"""What this machine offers torch: devices, precisions, free memory, threads."""

from __future__ import annotations

import ctypes
import os
import sys

import psutil
import torch

from xlt.backends import common
from xlt.backends.base import Device, Precision
from xlt.errors import UsageError

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "nf4": torch.bfloat16,
}
"""What activations and unquantised weights are held in."""


def choose_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:1` as a device that is there; raises UsageError otherwise."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise UsageError(f"The torch backend has no device {name!r}: use auto, cpu, cuda or cuda:N.")
    index = device.index or 0
    if index >= torch.cuda.device_count():
        raise UsageError(
            f"Device {name!r} is not there: torch {torch.__version__} sees {torch.cuda.device_count()} GPUs."
        )
    return torch.device("cuda", index)


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bf16; emulation is slower than fp32 and does not count."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))


def choose_precision(precision: Precision, device: torch.device) -> Precision:
    """`auto` becomes bf16 where the hardware has it, else fp32; the rest stays."""
    if precision != "auto":
        return precision
    return "bf16" if has_bf16(device) else "fp32"


def free_memory(device: torch.device) -> int:
    """Bytes that can be taken now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return common.free_memory()


def peak_memory(device: torch.device) -> int:
    """The most bytes held so far: by torch on a GPU, by the process (resident) on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return common.peak_resident()


def set_threads(device: torch.device, threads: int) -> int:
    """Set the threads of one operation, 0 for one per core that this process may use; 0 back on a GPU."""
    if device.type != "cpu":
        return 0
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(threads or min(psutil.cpu_count(logical=False) or allowed, allowed))
    return torch.get_num_threads()


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed for the next batch.

    It would give every large block back and take it again page by page, which here made a softmax of 4 MB eight
    times as slow. Elsewhere than on glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**30) or mallopt(mmap_threshold, 2**25)


def devices() -> tuple[Device, ...]:
    """Every device, GPUs first."""
    found = []
    for index in range(torch.cuda.device_count()):
        device = torch.device("cuda", index)
        free, total = torch.cuda.mem_get_info(device)
        title = torch.cuda.get_device_name(device)
        found.append(
            Device(f"cuda:{index}", title, total, free, ("bf16", "nf4", "fp32") if has_bf16(device) else ("fp32",))
        )
    cpu = torch.device("cpu")
    title = str(torch.cpu.get_capabilities().get("cpu_name") or "CPU")
    total = int(psutil.virtual_memory().total)
    precisions: tuple[Precision, ...] = ("bf16", "fp32", "nf4") if has_bf16(cpu) else ("fp32", "bf16", "nf4")
    found.append(Device("cpu", title.strip(), total, common.free_memory(), precisions))
    return tuple(found)
