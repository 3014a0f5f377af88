"""Deposits: rebuilt from themselves alone, and without a word of anybody's."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cli.conftest import Xlt, xlt  # noqa: F401
from coded import drawn, make_corpus, said_of, text_of, truth_of
from filled import Post, add_run, fill
from study.test_grid import QUICK, ran, write_data
from xlt.corpus import gate
from xlt.errors import UsageError, XltError
from xlt.study.deposit.check import DIFFERS, NEARLY, SAME, compared, main
from xlt.study.deposit.write import write_deposit
from xlt.tasks.load import BUILTIN

CODER = "somebody-secret"
RUNS = ("2026-03-02-aaaaaaaa", "2026-03-01-bbbbbbbb")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with two runs and hand labels of a draw, and a study."""
    folder = tmp_path_factory.mktemp("deposit")
    corpus = make_corpus(folder)
    posts = [Post(str(at), text_of(at), truth_of(at) if at % 3 else said_of(at)) for at in range(1200)]
    add_run(corpus, posts, RUNS[1], seen=("de",))
    with gate.opened(corpus, write=True) as con:
        con.execute("UPDATE runs SET merged_at = '2026-03-01' WHERE id = ?", [RUNS[1]])
        con.execute(
            "UPDATE tweets SET created_at = CASE id::INT % 2 WHEN 0 THEN TIMESTAMP '2026-01-05' ELSE '2026-02-05' END, "
            "author = 'author-' || id::INT % 50"
        )
    drawn(corpus, 240, by=("lang",))
    with gate.opened(corpus, write=True) as con:
        con.execute("UPDATE gold SET coder = ?", [CODER])
    write_data(folder)
    (folder / "study.toml").write_text(QUICK, encoding="utf-8")
    ran(folder)
    return folder


@pytest.fixture(scope="module")
def deposit(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deposit, moved to where nothing else is."""
    write_deposit(workspace / "out", [workspace / "study.toml"], workspace / "corpus.duckdb", workspace)
    return Path(shutil.move(workspace / "out", tmp_path_factory.mktemp("elsewhere") / "deposit"))


def remade(deposit: Path) -> subprocess.CompletedProcess[str]:
    """`python remake.py` where nothing can be imported but the deposit's own code and the libraries that it names."""
    named = {line.partition("==")[0] for line in (deposit / "requirements.txt").read_text(encoding="utf-8").split()}
    modules = [module for module, of in packages_distributions().items() if named & {each.lower() for each in of}]
    code = f"""
import runpy, sys
from importlib.machinery import PathFinder
class Only:
    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        if top == 'xlt':
            return PathFinder.find_spec(name, path or [{str(deposit / "code")!r}])
        spec = PathFinder.find_spec(name, path)
        if spec and 'site-packages' in str(spec.origin) and top not in {modules!r}:
            raise ImportError(f'{{name}} is not in requirements.txt')
sys.meta_path.insert(0, Only())
sys.argv = ['remake.py']
runpy.run_path({str(deposit / "remake.py")!r}, run_name='__main__')
"""
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, cwd=deposit)


def test_it_is_rebuilt_from_itself_alone(deposit: Path) -> None:
    done = remade(deposit)
    assert done.returncode == 0, done.stderr + done.stdout
    names = {path.stem for path in (deposit / "tables").iterdir()}
    assert {path.stem for path in (deposit / "remade").iterdir()} == names
    for name in names:
        assert (deposit / "remade" / f"{name}.csv").read_bytes() == (deposit / "tables" / f"{name}.csv").read_bytes()
    assert f"{len(names)} of {len(names)} tables are the same" in done.stdout
    assert not list(deposit.rglob("__pycache__"))


def test_its_tables_are_those_of_the_report_byte_for_byte(deposit: Path, workspace: Path, tmp_path: Path) -> None:
    from xlt.study.report.gather import Wanted, gather
    from xlt.study.report.write import as_csv

    report = gather(Wanted(workspace / "corpus.duckdb", studies=(workspace / "study.toml",), workspace=workspace))
    shown = [each for section in report.sections for each in section.tables]
    assert len(shown) > 12
    for each in shown:
        assert (deposit / "tables" / f"{each.name}.csv").read_text(encoding="utf-8") == as_csv(each), each.name


def test_its_tables_are_those_of_the_commands(deposit: Path, workspace: Path, xlt: Xlt) -> None:  # noqa: F811
    place = ("--workspace", str(workspace), "--format", "csv")
    study = str(workspace / "study.toml")
    asked = {
        "transfer-study-table-macro_f1": ("transfer", "table", study, *place),
        "transfer-study-cells": ("transfer", "table", study, "--seeds", *place),
        "transfer-study-explain": ("transfer", "explain", study, *place),
        "evaluate-immigration-scores": (
            *("evaluate", "--corpus", "--run", RUNS[0], "--run", RUNS[1], "--show", "scores"),
            *place,
        ),
        **{
            f"prevalence-{by.replace(',', '-')}-{run}": ("prevalence", "corpus", "--run", run, "--by", by, *place)
            for run, by in zip(RUNS, ("lang", "lang,month"), strict=True)
        },
    }
    for name, arguments in asked.items():
        said = xlt(*arguments)
        assert said.code == 0, said.err
        kept = (deposit / "tables" / f"{name}.csv").read_text(encoding="utf-8")
        assert compared(said.out, kept) == SAME, name


def test_a_changed_row_shows(deposit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Path(shutil.copytree(deposit, tmp_path / "other", ignore=shutil.ignore_patterns("code")))
    path = other / "corpus" / RUNS[0] / "labels-lang.json"
    counts = json.loads(path.read_text(encoding="utf-8"))
    counts["rows"][0]["labels"]["neutral"] += 9
    path.write_text(json.dumps(counts), encoding="utf-8")
    assert main(other) == 1
    said = capsys.readouterr().out
    assert "naive-by-language: DIFFERS" in said
    assert "transfer-study-cells: the same" in said


def test_last_digits_make_no_difference_and_others_do() -> None:
    assert compared("a,b\n0.1,x\n", "a,b\n0.1,x\n") == SAME
    assert compared("a,b\n0.1,x\n", "a,b\n0.10000000000000003,x\n") == NEARLY
    for other in ("a,b\n0.1000001,x\n", "a,b\n0.1,y\n", "a,b\n0.1,x\n0.1,x\n", ""):
        assert compared("a,b\n0.1,x\n", other) == DIFFERS


def test_hand_labels_are_there_with_how_they_were_drawn(deposit: Path, workspace: Path) -> None:
    def rows(name: str) -> list[dict[str, str]]:
        with (deposit / "corpus" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    (draw,) = rows("draws.csv")
    units = {row["unit"]: row for row in rows("units.csv")}
    codings = rows("codings.csv")
    assert len(units) == len(codings) == 240
    assert {row["coder"] for row in codings} == {"coder-1"}
    assert {row["month"] for row in units.values()} == {"2026-01", "2026-02"}
    assert {row["draw"] for row in units.values()} == {draw["draw"]}
    sample = rows(f"{RUNS[0]}/sample-lang.csv")
    assert {row["unit"] for row in sample} == set(units)
    for row in sample:
        unit = units[row["unit"]]
        assert (row["by_lang"], row["stratum"]) == (unit["language"], unit["stratum"])
        assert float(row["probability"]) == pytest.approx(float(unit["probability"]))
    said = {row["unit"]: row for row in rows(f"{RUNS[1]}/units.csv")}
    assert set(said) == set(units)
    assert {row["unit"]: row["label"] for row in codings} == {row["unit"]: row["gold"] for row in sample}
    with gate.opened(workspace / "corpus.duckdb") as con:
        keys = {str(key) for (key,) in con.execute("SELECT text_key FROM drawn").fetchall()}
    assert not keys & set(units)  # nobody finds a text by its hash


def test_nobody_is_in_it_and_every_file_has_its_hash(deposit: Path) -> None:
    sums = dict(line.split("  ")[::-1] for line in (deposit / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    files = [path for path in deposit.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    files = [path for path in files if path.parent.name != "remade"]
    assert set(sums) == {path.relative_to(deposit).as_posix() for path in files}
    texts = {text_of(at).encode() for at in range(0, 1200, 40)}
    for path in files:
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == sums[path.relative_to(deposit).as_posix()]
        if "code" in path.parts:
            continue
        assert not [text for text in texts if text in content]
        assert CODER.encode() not in content
        assert b"author-1" not in content
        assert b'"/' not in content  # where somebody's files lie
    assert "text" not in (deposit / "studies" / "study" / "rows.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "codebook" in (deposit / "tasks" / "immigration.toml").read_text(encoding="utf-8")
    assert "\nduckdb==" in (deposit / "environment.txt").read_text(encoding="utf-8")
    said = (deposit / "README.md").read_text(encoding="utf-8")
    for word in ("python remake.py", "What can't be remade", "consent", "licence"):
        assert word in said


def test_the_command(workspace: Path, xlt: Xlt, tmp_path: Path) -> None:  # noqa: F811
    nothing = xlt("package")
    assert (nothing.code, "nothing to deposit" in nothing.sentence) == (2, True)
    study = str(workspace / "study.toml")
    done = xlt("package", study, "-o", "with", "--with-texts")
    assert done.code == 0, done.err
    rows = (tmp_path / "with" / "studies" / "study" / "rows.csv").read_text(encoding="utf-8")
    assert rows.partition("\n")[0].endswith(",text")
    again = xlt("package", study, "-o", "with")
    assert (again.code, "is not empty" in again.sentence) == (2, True)
    twice = xlt("package", study, study, "-o", "twice")
    assert (twice.code, "files of the same name" in twice.sentence) == (2, True)
    assert not list(tmp_path.glob("*twice*"))


def test_a_task_of_ones_own_is_in_it(tmp_path: Path) -> None:
    posts = [Post(str(at), f"{at} words", truth_of(at), "en") for at in range(8)]
    corpus = fill(tmp_path / "work", posts, run=None)
    add_run(corpus, posts, RUNS[0], task="mine")
    with pytest.raises(UsageError, match=r"task mine is not here; put its .toml file into .*work"):
        write_deposit(tmp_path / "out", [], corpus, corpus.parent)
    own = (BUILTIN / "immigration.toml").read_text(encoding="utf-8").replace('name = "immigration"', 'name = "mine"', 1)
    (corpus.parent / "mine.toml").write_text(own, encoding="utf-8")
    assert "naive-by-language" in write_deposit(tmp_path / "out", [], corpus, corpus.parent)
    shutil.rmtree(corpus.parent)
    assert (tmp_path / "out" / "tasks" / "mine.toml").read_text(encoding="utf-8") == own
    assert main(tmp_path / "out") == 0


def test_what_is_not_to_be_had_is_told(workspace: Path, tmp_path: Path) -> None:
    from xlt.study.report.gather import Wanted

    corpus = workspace / "corpus.duckdb"
    with pytest.raises(UsageError, match="no such run"):
        write_deposit(tmp_path / "out", [], corpus, workspace, told=replace(Wanted(None), run="2020"))
    with pytest.raises(XltError, match="can't be read"):
        write_deposit(tmp_path / "out", [], corpus, workspace, told=replace(Wanted(None), bench=tmp_path / "no.json"))
    assert not list(tmp_path.iterdir())
