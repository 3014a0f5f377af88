"""Deposits: rebuilt from themselves alone, and without a word of anybody's."""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import Xlt, xlt  # noqa: F401
from filled import ANTI, PRO, UNRELATED, Post, fill
from study.test_grid import QUICK, ran, write_data
from xlt.study.transfer import label_of, matrix

SECRET = "a post that nobody may quote"
POSTS = [
    Post(str(n), f"{SECRET} {n}", (PRO, PRO, ANTI, UNRELATED)[n % 4], "en" if n < 12 else "de", author="secret-author",
         at=f"2024-0{1 + n % 2}-10")
    for n in range(20)
]  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deposit")
    fill(folder, POSTS)
    write_data(folder)
    (folder / "study.toml").write_text(QUICK, encoding="utf-8")
    ran(folder)
    return folder


@pytest.fixture
def deposit(workspace: Path, tmp_path: Path) -> Path:
    """A deposit, moved to where nothing else is."""
    from xlt.study.deposit.write import write_deposit

    write_deposit(workspace / "out", [workspace / "study.toml"], workspace / "corpus.duckdb", workspace)
    return Path(shutil.move(workspace / "out", tmp_path / "elsewhere"))


def remade(deposit: Path) -> subprocess.CompletedProcess[str]:
    """`python remake.py`, where xlt can't be imported."""
    code = (
        "import runpy, sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'xlt': raise ImportError(name)\n"
        "sys.meta_path.insert(0, No()); sys.argv = ['remake.py']\n"
        f"runpy.run_path({str(deposit / 'remake.py')!r}, run_name='__main__')"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_it_is_rebuilt_from_itself_alone(deposit: Path) -> None:
    done = remade(deposit)
    assert done.returncode == 0, done.stderr + done.stdout
    names = {path.stem for path in (deposit / "tables").iterdir()}
    assert names == {"study-scores", "study-matrix", "shares-by-language", "shares-by-language-and-month"}
    assert {path.stem for path in (deposit / "remade").iterdir()} == names
    counts = deposit / "corpus" / "counts.csv"
    lines = counts.read_text(encoding="utf-8").splitlines()
    lines[1] = f"{lines[1].rpartition(',')[0]},99"
    counts.write_text("\n".join(lines), encoding="utf-8")
    changed = remade(deposit)
    assert changed.returncode == 1
    assert "shares-by-language: DIFFERS" in changed.stdout
    assert "study-matrix: the same" in changed.stdout


def test_its_tables_are_those_of_the_study_and_the_corpus(deposit: Path, workspace: Path) -> None:
    grid = ran(workspace)
    found = matrix(grid, grid.study.cells, "macro_f1")
    with (deposit / "tables" / "study-matrix.csv").open(encoding="utf-8") as file:
        rows = {(row["configuration"], row["language"]): row for row in csv.DictReader(file)}
    assert {row for row, _ in rows} == {label_of(cell) for cell in grid.study.cells}
    for (configuration, lang), row in rows.items():
        spot = found.spots[configuration, lang]
        assert float(row["macro_f1"]) == pytest.approx(spot.mean, abs=1e-8)
        assert row["seen"] == ("" if spot.seen is None else str(spot.seen))
        assert (float(row["macro_f1_sd"]) if row["macro_f1_sd"] else None) == pytest.approx(spot.spread, abs=1e-8)
    with (deposit / "tables" / "shares-by-language.csv").open(encoding="utf-8") as file:
        shares = {row["language"]: row for row in csv.DictReader(file)}
    assert float(shares["en"]["topic_related"]) == pytest.approx(0.75)
    assert float(shares["all"]["stance_pro"]) == pytest.approx(2 / 3)


def test_nobody_is_in_it_and_every_file_has_its_hash(deposit: Path) -> None:
    sums = dict(line.split("  ")[::-1] for line in (deposit / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    files = [path for path in deposit.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    assert set(sums) == {path.relative_to(deposit).as_posix() for path in files}
    for path in files:
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == sums[path.relative_to(deposit).as_posix()]
        assert SECRET.encode() not in content
        assert b"secret-author" not in content
        assert b'"/' not in content  # where somebody's files lie
    assert "text" not in (deposit / "studies" / "study" / "rows.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "codebook" in (deposit / "tasks" / "immigration.json").read_text(encoding="utf-8")
    assert "\nduckdb==" in (deposit / "requirements.txt").read_text(encoding="utf-8")


def test_the_command(workspace: Path, xlt: Xlt, tmp_path: Path) -> None:  # noqa: F811
    nothing = xlt("package")
    assert (nothing.code, "nothing to deposit" in nothing.sentence) == (2, True)
    study = str(workspace / "study.toml")
    done = xlt("package", study, "-o", "with", "--with-texts")
    assert done.code == 0, done.err
    assert "row,language,gold,text" in (tmp_path / "with" / "studies" / "study" / "rows.csv").read_text(
        encoding="utf-8"
    )
    again = xlt("package", study, "-o", "with")
    assert (again.code, "is not empty" in again.sentence) == (2, True)
