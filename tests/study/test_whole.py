"""A whole study with every strategy, from plan to deposit; shards that are killed and go on, by the script in docs."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.conftest import Xlt, xlt  # noqa: F401
from models import write_model
from study.test_deposit import remade
from study.test_grid import write_data
from xlt.study.design import STRATEGIES, load_study, shard_of
from xlt.study.grid import Grid, Where

STUDY = """
train = "train.csv"
test = "test.csv"
sets = {sets}
seeds = [1]
bases = ["{base}"]
recipes = ["tiny"]
strategies = {strategies}
few_shot = {{ k = 2, examples = ["same", "en", "mixed"] }}
settings = {{ epochs = {epochs}, batch = 4, dev_share = {dev} }}
"""
FIGURES = {"heat-map.svg", "seen.svg"}


def write_study(
    folder: Path,
    strategies: tuple[str, ...],
    sets: tuple[str, ...] = ("en", "en+de"),
    epochs: int = 1,
    dev: float = 0.2,
) -> Path:
    folder.mkdir(exist_ok=True)
    write_data(folder)
    base = write_model(folder / "tiny")
    path = folder / "study.toml"
    said = STUDY.format(base=base, strategies=list(strategies), sets=list(sets), epochs=epochs, dev=dev)
    path.write_text(said, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_whole_study_with_every_strategy(tmp_path: Path, xlt: Xlt) -> None:  # noqa: F811
    write_study(tmp_path, STRATEGIES)
    plan = xlt("transfer", "plan", "study.toml", "--threads", "1")
    assert plan.code == 0, plan.err
    assert "unknown" not in plan.out
    assert plan.out.count("timed steps") == len(STRATEGIES)
    assert not (tmp_path / "study" / "cells").exists()  # timing keeps nothing
    ran = xlt("transfer", "run", "study.toml", "--threads", "1")
    assert ran.code == 0, ran.err
    assert "12 cells run" in ran.err
    after = xlt("transfer", "plan", "study.toml", "--quick")
    assert "In all" not in after.err
    table = xlt("transfer", "table", "study.toml")
    for strategy in STRATEGIES:
        assert f"\n{strategy} " in table.out, strategy
    for shown in ("same", "en", "mixed"):
        assert f"few-shot 2 {shown} " in table.out
    # One base and one recipe: the names of rows leave them out, and say so once.
    assert "tiny" not in table.out
    assert "Base and recipe: tiny tiny." in table.err
    drawn = xlt("transfer", "plot", "study.toml")
    assert {Path(line).name for line in drawn.out.split()} == FIGURES
    assert xlt("transfer", "explain", "study.toml").code == 0
    reported = xlt("report", "--study", "study.toml", "-o", "report")
    assert reported.code == 0, reported.err
    packed = xlt("package", "study.toml", "-o", "deposit")
    assert packed.code == 0, packed.err
    deposit = Path(shutil.move(tmp_path / "deposit", tmp_path / "moved"))
    for path in (tmp_path / "report" / "tables").glob("*.csv"):
        assert (deposit / "tables" / path.name).read_bytes() == path.read_bytes(), path.name
    # Only the deposit is left, as at a journal's.
    for name in ("study", "tiny", "report"):
        shutil.rmtree(tmp_path / name)
    done = remade(deposit)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(tmp_path) not in "".join(path.read_text() for path in deposit.rglob("*.*") if path.suffix != ".parquet")
    with (deposit / "tables" / "transfer-study-table-accuracy.csv").open(encoding="utf-8") as file:
        assert {row["configuration"].partition(" ")[0] for row in csv.DictReader(file)} == set(STRATEGIES)


def test_cells_of_one_model_stay_together(tmp_path: Path) -> None:
    cells = load_study(write_study(tmp_path, STRATEGIES)).cells
    for n in (1, 2, 3, 5, 20):
        parts = [shard_of(cells, k, n) for k in range(1, n + 1)]
        assert sorted(cell.key for part in parts for cell in part) == sorted(cell.key for cell in cells)
        for part in parts:
            tuned = {cell.set for cell in part if cell.strategy == "finetune"}
            assert {cell.set for cell in part if cell.strategy == "translate-test"} == tuned


@pytest.mark.slow
def test_shards_that_are_killed_go_on_and_end_like_one_run(tmp_path: Path) -> None:
    docs = (Path(__file__).parents[2] / "docs" / "study.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```bash\n(#!/bin/bash\n.*?)```", docs, re.DOTALL)
    script = script.replace("immigration-study.toml", "study.toml --quiet --threads 1").replace("/8", "/$OF")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        # The model's cells are in the first part; the second needs no torch.
        write_study(folder, ("finetune", "translate-test", "ngrams", "commonest"), ("en",), epochs=4, dev=0)
    # The base is named by its path, which decides the cells' names.
    shutil.copy(whole / "study.toml", broken / "study.toml")

    def job(folder: Path, k: int, of: int) -> subprocess.Popen[bytes]:
        """The script of docs/study.md, as the cluster would start it."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        slurm = {"SLURM_SUBMIT_DIR": str(folder), "SLURM_ARRAY_TASK_ID": str(k), "OF": str(of), "PATH": path}
        return subprocess.Popen(["bash", "-c", script], env={**os.environ, **slurm}, start_new_session=True)

    cells = broken / "study" / "cells"
    first, second = job(broken, 1, 2), job(broken, 2, 2)
    deadline = time.monotonic() + 100
    mine = {cell.key for cell in shard_of(load_study(broken / "study.toml").cells, 1, 2)}
    while first.poll() is None and time.monotonic() < deadline:
        # In the middle of a training: its folder is there, its card is not.
        if any((cells / key / "models" / "model" / "training" / "steps.csv").is_file() for key in mine):
            os.killpg(first.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    assert first.wait() == -signal.SIGKILL
    assert second.wait(100) == 0
    assert {path.parent.name.partition("_")[0] for path in cells.glob("*/cell.json")} == {"ngrams"}
    finished = {path: path.stat().st_mtime_ns for path in cells.glob("*/cell.json")}
    assert job(broken, 1, 2).wait(100) == 0
    grid = Grid(load_study(whole / "study.toml"), Where(whole, threads=1))
    assert grid.run(grid.study.cells, lambda _: None).ran == 4
    assert finished.items() <= {path: path.stat().st_mtime_ns for path in cells.glob("*/cell.json")}.items()
    made = sorted((whole / "study" / "cells").glob("*/predictions.parquet"))
    assert len(made) == len(list(cells.glob("*/cell.json"))) == 4
    for path in made:
        assert (cells / path.parent.name / path.name).read_bytes() == path.read_bytes(), path.parent.name
