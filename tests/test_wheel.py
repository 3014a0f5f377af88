"""What the wheel carries, what it must not, and that it runs where there is no repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

# What a user may have lying about in the folders that the wheel takes files from.
PLANTED = (
    "models/my-tuned/card.toml",
    "models/my-tuned/adapter_model.safetensors",
    "models/xlt-mini/optimizer.pt",
    "queries/mine.sql",
    "tweets.labelled.csv",
    "corpus.duckdb",
    "runs/1/run.json",
)
BUILD = """
import sys
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
builder = {"sdist": SdistBuilder, "wheel": WheelBuilder}[sys.argv[1]]
print(*builder(".").build(directory=sys.argv[2], versions=["standard"]))
"""


@pytest.fixture(scope="module")
def settings(repository: Path) -> dict[str, Any]:
    """`[tool.hatch.build.targets]` of pyproject.toml."""
    targets = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    found: dict[str, Any] = targets["targets"]
    return found


@pytest.fixture(scope="module")
def source(repository: Path, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with a user's own files in it."""
    copy = tmp_path_factory.mktemp("source")
    rubbish = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("src", "tests", "scripts"):
        shutil.copytree(repository / name, copy / name, ignore=rubbish)
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt", ".gitignore"):
        shutil.copy2(repository / name, copy)
    for name in settings["wheel"]["force-include"]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / name, copy / name)
    for name in PLANTED:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("a user's own\n")
    return copy


def build(source: Path, kind: str, folder: Path) -> Path:
    """Build an sdist or a wheel with the hatchling that is installed."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, kind, folder], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel; the libraries are those of this environment."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], check=True)
    site = next(environment.glob("lib/python3.*/site-packages"))
    # A folder named in a .pth is searched, but its own .pth files (an editable xlt's among them) are not read.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def run(command: list[str | Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)


def files_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return {name for name in opened.namelist() if not name.endswith("/")}


def test_wheel_holds_the_package_and_the_named_files_only(wheel: Path, source: Path, settings: dict[str, Any]) -> None:
    package = {
        path.relative_to(source / "src").as_posix() for path in (source / "src" / "xlt").rglob("*") if path.is_file()
    }
    named = set(settings["wheel"]["force-include"].values())
    assert named >= {"xlt/_bundled/models/llama-3.2-3b/card.toml"}
    found = {name for name in files_of(wheel) if ".dist-info/" not in name}
    assert found == package | named
    assert "xlt/tasks/builtin/immigration.toml" in found
    assert "xlt/py.typed" in found
    assert not [name for name in found if name.endswith((".tsv", ".pt", ".duckdb")) or "my-tuned" in name]
    entries = zipfile.ZipFile(wheel).read("xlt-0.1.0.dist-info/entry_points.txt").decode()
    assert "xlt = xlt.cli:main" in entries


def test_every_file_is_named_at_its_own_place(settings: dict[str, Any]) -> None:
    for name, place in settings["wheel"]["force-include"].items():
        assert place == f"xlt/_bundled/{name}"


def test_no_built_in_file_is_forgotten(repository: Path, settings: dict[str, Any]) -> None:
    listing = subprocess.run(
        ["git", "ls-files", "models", "queries"], cwd=repository, capture_output=True, text=True, check=False
    )
    if listing.returncode:
        pytest.skip("this is no git repository, so nobody can say which files are built in")
    kept = set(listing.stdout.split())
    assert set(settings["wheel"]["force-include"]) == kept
    assert {name[1:] for name in settings["sdist"]["include"] if name.startswith(("/models", "/queries"))} == kept


def test_sdist_makes_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    sdist = build(source, "sdist", tmp_path)
    with tarfile.open(sdist) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    shutil.unpack_archive(sdist, tmp_path)
    assert not names & set(PLANTED)
    assert {"scripts/xlt", "scripts/test", "tests/test_wheel.py"} <= names
    again = build(tmp_path / sdist.name.removesuffix(".tar.gz"), "wheel", tmp_path / "again")
    assert files_of(again) == files_of(wheel)


def test_installed_wheel_runs_elsewhere(installed: Path, settings: dict[str, Any], tmp_path: Path) -> None:
    shown = run([installed / "xlt", "--version"], tmp_path)
    assert (shown.returncode, shown.stdout) == (0, "xlt 0.1.0\n"), shown.stderr
    names = list(settings["wheel"]["force-include"])
    code = (
        "import xlt; from xlt.bundled import bundled; from xlt.tasks.load import builtin_names; print(xlt.__file__); "
        f"print([name for name in {names} if not bundled(*name.split('/')).is_file()]); print(*builtin_names())"
    )
    found = run([installed / "python", "-c", code], tmp_path)
    package, missing, tasks = found.stdout.splitlines()
    assert package.startswith(str(installed.parent)), "it is the wheel's xlt that runs"
    assert missing == "[]"
    assert "immigration" in tasks.split()
    doctor = run([installed / "xlt", "doctor"], tmp_path)
    assert doctor.returncode == 0, doctor.stderr
    assert "llama-3.2-3b" in doctor.stdout


def test_demo_runs_from_the_wheel(installed: Path, settings: dict[str, Any], tmp_path: Path) -> None:
    needed = {"models/sample/sample.parquet", "models/xlt-mini/config.json"}
    if not needed <= set(settings["wheel"]["force-include"]):
        pytest.skip("the sample and xlt-mini are not built in yet")
    demo = run([installed / "xlt", "demo"], tmp_path)
    assert demo.returncode == 0, demo.stderr
    assert "Italian" in demo.stdout
    assert (tmp_path / "xlt-demo" / "corpus.duckdb").is_file()
    assert (tmp_path / "xlt-demo" / "tweets.labelled.parquet").is_file()
