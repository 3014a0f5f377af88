"""MLX itself: whether it is there, on which device it runs, how much memory it has."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from xlt.backends.base import Availability, Device, Precision
from xlt.backends.common import free_memory, go_offline
from xlt.errors import UsageError, XltError

PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
# Buffers that MLX keeps for reuse; batches of many shapes would otherwise let them grow to all of the memory.
_KEPT = 2 << 30


def availability() -> Availability:
    """What `xlt doctor` shows. Never raises."""
    try:
        if importlib.util.find_spec("mlx_lm") is None:
            raise ImportError("no module named mlx_lm")
        import mlx.core as mx

        devices = (_metal(mx), _cpu()) if mx.metal.is_available() else (_cpu(),)
        return Availability(True, versions=versions(), devices=devices)
    except ImportError as error:
        found = str(error).splitlines()[0] if str(error) else "it is not installed"
        return Availability(False, f"MLX can't be used here ({found}); install it with: pip install 'xlt[mlx]'.")
    except Exception as error:
        return Availability(False, f"MLX is installed but doesn't work here ({_first_line(error)}).")


def versions() -> dict[str, str]:
    """Versions of what computes the scores."""
    return {name: importlib.metadata.version(name) for name in ("mlx", "mlx-lm")}


def import_mlx_lm() -> None:
    """Import mlx-lm, offline, or raise XltError with what to install."""
    go_offline()
    try:
        with _limits_kept():
            import mlx_lm.utils  # noqa: F401
    except ImportError:
        raise XltError(availability().reason or "mlx-lm can't be imported; install it again.") from None


def use(device: str) -> Device:
    """Make MLX compute on `auto`, `metal` or `cpu` from now on."""
    import mlx.core as mx

    metal = mx.metal.is_available()
    if device not in ("auto", "metal", "cpu"):
        raise UsageError(f"The MLX backend runs on metal or cpu, not on {device!r}.")
    if device == "metal" and not metal:
        raise UsageError("There is no Metal device here; use --device cpu, or --backend torch.")
    mx.set_cache_limit(_KEPT)
    if metal and device != "cpu":
        from mlx_lm.utils import maybe_set_recommended_wired_limit

        mx.set_default_device(mx.gpu)
        mx.enable_compile()
        # Else macOS may page out a large model between two batches.
        maybe_set_recommended_wired_limit()
        return _metal(mx)
    mx.set_default_device(mx.cpu)
    # On the CPU it calls a C++ compiler, which need not be there, and is no faster.
    mx.disable_compile()
    return _cpu()


def threads(device: Device) -> int:
    """Threads of one operation: the Linux build's matrix products use one; on a Mac the system decides."""
    if device.name != "cpu":
        return 0
    return psutil.cpu_count() or 1 if sys.platform == "darwin" else 1


def _metal(mx: Any) -> Device:
    info = mx.device_info()
    total = int(
        info.get("max_recommended_working_set_size") or info.get("memory_size") or psutil.virtual_memory().total
    )
    title = str(info.get("device_name") or "Apple GPU")
    return Device("metal", title, total, max(0, total - int(mx.get_active_memory())), ("bf16", "fp16", "fp32"))


def _cpu() -> Device:
    title = platform.processor() or platform.machine() or "CPU"
    return Device("cpu", title, int(psutil.virtual_memory().total), free_memory(), PRECISIONS)


@contextmanager
def _limits_kept() -> Iterator[None]:
    """Keep mlx-lm from setting the process's limits on open files, as it does when it is imported.

    It lowers the hard limit for good, and its import fails where that is below what it asks for.
    """
    try:
        import resource
    except ImportError:
        yield
        return
    original = resource.setrlimit
    resource.setrlimit = lambda *_: None
    try:
        yield
    finally:
        resource.setrlimit = original


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
