"""scripts/xlt and scripts/test make and mend their environment: tried on a throw-away project that needs no index."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "xlt"
version = "1"
"""

# Builds an editable wheel by hand, so that pip needs no build tool: `xlt` and `pytest` print how they were called.
BACKEND = """
import os, pathlib, time, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    time.sleep(float(os.environ.get("SLOW_BUILD", "0")))
    said = "import os, sys\\ndef main(): print('called', os.getcwd(), sys.argv[1:]); sys.exit(7)\\n"
    needs = pathlib.Path("needs.txt")
    files = {
        "xlt.py": said,
        "pytest.py": said + "main()\\n",
        "xlt-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: xlt\\nVersion: 1\\n"
        "Provides-Extra: dev\\nProvides-Extra: mlx\\nProvides-Extra: torch\\n"
        + (needs.read_text() if needs.exists() else ""),
        "xlt-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "xlt-1.dist-info/entry_points.txt": "[console_scripts]\\nxlt = xlt:main\\n",
    }
    files["xlt-1.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in [*files, "xlt-1.dist-info/RECORD"])
    with zipfile.ZipFile(os.path.join(folder, "xlt-1-py3-none-any.whl"), "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
    return "xlt-1-py3-none-any.whl"
def get_requires_for_build_editable(config_settings=None):
    return []
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for bash")


@pytest.fixture
def project(tmp_path: Path, repository: Path) -> Path:
    """A small project with our scripts; its path has a space in it."""
    root = tmp_path / "a clone"
    (root / "scripts").mkdir(parents=True)
    for name in ("bootstrap.sh", "xlt", "test"):
        shutil.copy2(repository / "scripts" / name, root / "scripts")
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "constraints.txt").write_text("")
    (root / "backend.py").write_text(BACKEND)
    return root


def environment(**changes: str) -> dict[str, str]:
    """An index that refuses connections, so that nothing is fetched; this Python makes the environments."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
    offline = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "XLT_PYTHON": sys.executable,
    }
    return {**kept, **offline, **changes}


def call(script: Path, *args: str, cwd: Path | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *args], cwd=cwd, env=environment(**changes), capture_output=True, text=True, timeout=120, check=False
    )


def ask(project: Path, function: str) -> int:
    """The exit status of one of the functions that the scripts share."""
    command = f'. "$1/scripts/bootstrap.sh" && {function}'
    return subprocess.run(["bash", "-c", command, "ask", project], env=environment(), check=False).returncode


def assert_ran(done: subprocess.CompletedProcess[str], *args: str) -> None:
    assert done.returncode == 7, done.stderr
    assert done.stdout.startswith("called ")
    assert done.stdout.endswith(f" {list(args)}\n")


def old_python(folder: Path, name: str) -> Path:
    """Answers as Python 3.9 does: fails the version check, prints its version."""
    path = folder / name
    path.write_text('#!/bin/sh\ncase "$*" in *print*) echo 3.9 ;; *) exit 3 ;; esac\n')
    path.chmod(0o755)
    return path


def tools_only(folder: Path) -> str:
    """A PATH with what the scripts call, and no Python."""
    for name in ("bash", "cat", "cksum", "dirname", "env", "grep", "ls", "mkdir", "mv", "rm", "rmdir", "sed", "sh"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name in ("sleep", "tail", "uname"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def test_python_too_old(project: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    path = tools_only(tools)
    nothing = call(project / "scripts" / "xlt", PATH=path, XLT_PYTHON="")
    assert nothing.returncode == 1
    assert nothing.stderr == (
        "xlt needs Python 3.11 or later and finds none; install one, or name it with XLT_PYTHON=/path/to/python3.11.\n"
    )
    old_python(tools, "python3")
    done = call(project / "scripts" / "xlt", PATH=path, XLT_PYTHON="")
    assert done.returncode == 1
    assert done.stderr == (
        "xlt needs Python 3.11 or later and finds none (python3 is 3.9); install one, or name it with "
        "XLT_PYTHON=/path/to/python3.11.\n"
    )
    assert not (project / ".venv").exists()
    assert not (project / ".venv.lock").exists()


def test_python_named_is_too_old_or_missing(project: Path, tmp_path: Path) -> None:
    old = old_python(tmp_path, "snake")
    done = call(project / "scripts" / "test", XLT_PYTHON=str(old))
    assert done.returncode == 1
    assert done.stderr == (
        f"XLT_PYTHON={old} is no Python 3.11 or later that runs here ({old} is 3.9); name another one or unset it.\n"
    )
    done = call(project / "scripts" / "xlt", XLT_PYTHON="no-such-python")
    assert done.returncode == 1
    assert "XLT_PYTHON=no-such-python is no Python 3.11" in done.stderr


@pytest.mark.slow
def test_first_call_installs_and_later_calls_start_at_once(project: Path, tmp_path: Path) -> None:
    xlt, stamp = project / "scripts" / "xlt", project / ".venv" / "xlt-stamp"
    first = call(xlt, "two words", "", "*", cwd=tmp_path)
    assert_ran(first, "two words", "", "*")
    assert first.stdout.startswith(f"called {tmp_path} "), "it runs in the caller's folder"
    assert "Installing xlt and its libraries into" in first.stderr
    again = call(xlt, cwd=tmp_path)
    assert_ran(again)
    assert again.stderr == ""
    link = tmp_path / "linked"
    link.symlink_to("a clone/scripts/xlt")
    assert call(link).stderr == ""

    def seconds(command: list[str | Path]) -> float:
        taken = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run(command, env=environment(), capture_output=True, check=False)
            taken.append(time.perf_counter() - start)
        return min(taken)

    assert seconds([xlt]) - seconds([project / ".venv" / "bin" / "xlt"]) < 0.1

    # More extras are added once; after that fewer are there already.
    tested = call(project / "scripts" / "test", "-k", "x y")
    assert_ran(tested, "-k", "x y")
    assert tested.stdout.startswith(f"called {project} ")
    assert "what its tests need" in tested.stderr
    assert call(xlt).stderr == ""
    whole = call(project / "scripts" / "test")
    assert_ran(whole, "-n", "2")
    assert whole.stderr == ""
    # Other dependencies: installed again, extras kept.
    (project / "constraints.txt").write_text("# changed\n")
    assert "Installed in" in call(xlt).stderr
    assert "dev" in stamp.read_text()
    assert call(project / "scripts" / "test").stderr == ""


@pytest.mark.slow
def test_half_made_environments_are_mended(project: Path, tmp_path: Path) -> None:
    xlt, venv = project / "scripts" / "xlt", project / ".venv"
    # Killed before pip was in.
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    made = call(xlt)
    assert_ran(made)
    assert "is made anew" in made.stderr
    # Killed while pip wrote a package: its RECORD, which pip writes last, is not there, nor is one of its files.
    site = next(venv.glob("lib/python3.*/site-packages"))
    (site / "xlt.py").unlink()
    (site / "xlt-1.dist-info" / "RECORD").unlink()
    (site / "~lt-1.dist-info").mkdir()
    (venv / "xlt-stamp").unlink()
    mended = call(xlt)
    assert_ran(mended)
    assert "is made anew" not in mended.stderr
    assert not list(site.glob("~*"))
    # The folder was moved: scripts in it would name the old place.
    moved = tmp_path / "moved"
    project.rename(moved)
    there = call(moved / "scripts" / "xlt")
    assert_ran(there)
    assert "is made anew" in there.stderr
    assert call(moved / "scripts" / "xlt").stderr == ""
    # The Python it was made with is gone: neither ready nor mendable.
    python = moved / ".venv" / "bin" / "python"
    assert ask(moved, 'xlt_ready ""') == ask(moved, "xlt_usable") == 0
    python.unlink()
    python.symlink_to(tmp_path / "gone")
    assert ask(moved, 'xlt_ready ""') != 0
    assert ask(moved, "xlt_usable") != 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_killed_installation_is_taken_up_again(project: Path, name: str) -> None:
    xlt = project / "scripts" / "xlt"
    process = subprocess.Popen(
        [xlt],
        env=environment(SLOW_BUILD="3"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    stamp = project / ".venv" / "xlt-stamp"
    wait_for(stamp)
    assert stamp.read_text().startswith("unfinished\n")
    process.send_signal(signal.Signals[name])
    process.communicate(timeout=30)
    lock = project / ".venv.lock"
    # A kill leaves the lock, and pip goes on without its parent: the next one must wait for it, not run beside it.
    assert lock.exists() == (name == "SIGKILL")
    assert process.returncode == {"SIGKILL": -9, "SIGINT": 130}[name]
    assert_ran(call(xlt))
    assert not lock.exists()
    assert call(xlt).stderr == ""


@pytest.mark.slow
def test_two_at_once_install_once(project: Path) -> None:
    xlt = project / "scripts" / "xlt"
    both = [
        subprocess.Popen(
            [xlt], env=environment(SLOW_BUILD="2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [7, 7]
    assert sum("Installing" in stderr for _, stderr in said) == 1
    assert sum("Waiting for another installation" in stderr for _, stderr in said) == 1


@pytest.mark.slow
def test_index_out_of_reach_is_one_sentence(project: Path) -> None:
    (project / "needs.txt").write_text("Requires-Dist: no-such-package-of-ours\n")
    done = call(project / "scripts" / "xlt", PIP_RETRIES="1")
    log = project / ".venv" / "bootstrap.log"
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        "xlt could not be installed: the package index can't be reached; check the connection (or pip's proxy and "
        f"index settings) and run the same command again; the log is {log}."
    ]
    assert "no-such-package-of-ours" in log.read_text()
    # A package that nobody has.
    done = call(project / "scripts" / "xlt", PIP_NO_INDEX="1")
    assert done.returncode == 1
    assert "the index has no fitting package for this Python and machine (no-such-package-of-ours" in done.stderr
    # Back again, nothing of it stays in the way.
    (project / "needs.txt").unlink()
    assert_ran(call(project / "scripts" / "xlt"))


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)
