"""The backends by name, and the choice among them. Importing this imports neither torch nor mlx."""

from __future__ import annotations

import importlib
import platform
import sys
from typing import cast

from xlt.backends.base import Backend, BackendName
from xlt.errors import UsageError, XltError

NAMES: tuple[BackendName, ...] = ("torch", "mlx")


def get(name: BackendName) -> Backend:
    """The backend object; its library is imported when it is first used."""
    return cast("Backend", importlib.import_module(f"xlt.backends.{name}").BACKEND)


def preferred() -> tuple[BackendName, ...]:
    """The backends in the order in which `auto` tries them: MLX first on Apple Silicon, otherwise PyTorch."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return ("mlx", "torch") if apple else ("torch", "mlx")


def choose(name: str = "auto") -> Backend:
    """The backend asked for, or the best that works here: MLX on Apple Silicon, otherwise PyTorch.

    Raises UsageError for an unknown name, XltError with what to install when it can't be used.
    """
    if name != "auto" and name not in NAMES:
        raise UsageError(f"There is no backend {name!r}; there are auto, {', '.join(NAMES)}.")
    wanted = preferred() if name == "auto" else (cast("BackendName", name),)
    reasons: list[str] = []
    for each in wanted:
        backend = get(each)
        state = backend.availability()
        if state.usable:
            return backend
        reasons.append(state.reason)
    raise XltError(" ".join(reasons))
