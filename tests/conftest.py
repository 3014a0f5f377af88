"""What holds for every test: offline, plain output, few threads, and nothing in the user's home is touched.

Set here, before any test module imports a library that reads it.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_SCRATCH = Path(tempfile.mkdtemp(prefix="xlt-tests-"))


def _settle() -> None:
    # A shell that starts us in the background has Ctrl-C ignored, and children would inherit that.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A user's own settings must not decide what a test sees.
    for name in list(os.environ):
        if name.startswith(("XLT_", "HF_", "HUGGINGFACE_", "TRANSFORMERS_")) or name in (
            "FORCE_COLOR",
            "CLICOLOR_FORCE",
        ):
            del os.environ[name]
    # Workers of pytest-xdist share the cores; threads beyond them only wait for one another.
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    os.environ.update(
        {
            "XLT_CACHE": str(_SCRATCH / "xlt"),
            "HF_HOME": str(_SCRATCH / "hf"),
            "XDG_CACHE_HOME": str(_SCRATCH / "cache"),
            "TORCHINDUCTOR_CACHE_DIR": str(_SCRATCH / "inductor"),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "NO_COLOR": "1",
            "COLUMNS": "160",
            "PYTHONUTF8": "1",
            "OMP_NUM_THREADS": threads,
            # Threads that spin while they wait take the cores of the other workers and of child processes.
            "OMP_WAIT_POLICY": "passive",
            "OPENBLAS_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "VECLIB_MAXIMUM_THREADS": threads,
        }
    )


_settle()


def pytest_unconfigure() -> None:
    """Remove what the tests left in their own cache folders."""
    shutil.rmtree(_SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real labelled tweets, kept outside the repository; the test is skipped where they are not."""
    if not SHARED.is_dir():
        pytest.skip("the labelled tweets in ../shared/data are not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def own_cache() -> Path:
    """The tests' own cache folder; it need not exist yet."""
    return Path(os.environ["XLT_CACHE"])
