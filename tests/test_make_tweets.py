"""The generated tweets that large corpora are measured with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made") / "a.parquet", 1)


def make(path: Path, seed: int) -> Path:
    script = Path(__file__).resolve().parents[1] / "scripts" / "make_tweets.py"
    subprocess.run([sys.executable, script, "--rows", "20000", "--seed", str(seed), path], check=True)
    return path


def test_the_same_seed_makes_the_same_rows(made: Path, tmp_path: Path) -> None:
    assert make(tmp_path / "b.parquet", 1).read_bytes() == made.read_bytes()
    assert make(tmp_path / "c.parquet", 2).read_bytes() != made.read_bytes()


def test_they_look_like_tweets(made: Path) -> None:
    import duckdb

    query = (
        "SELECT count(DISTINCT id), avg((retweet_of IS NOT NULL)::INT), count(DISTINCT text), median(length(text)), "
        "max(length(text)), count(DISTINCT lang), avg((lang = 'und')::INT) FROM read_parquet(?)"
    )
    [(ids, reposts, texts, length, longest, tags, unknown)] = duckdb.execute(query, [str(made)]).fetchall()
    assert ids == 20_000
    assert 0.58 < reposts < 0.62
    assert 7_500 < texts < 8_500
    assert 80 < length < 180
    assert longest <= 280
    assert tags == 14
    assert 0.03 < unknown < 0.07
    lost = "SELECT count(*) FROM read_parquet($1) a ANTI JOIN read_parquet($1) b ON a.retweet_of = b.id "
    lost += "AND a.text = b.text"
    [(orphans,)] = duckdb.execute(f"{lost} WHERE a.retweet_of IS NOT NULL", [str(made)]).fetchall()
    assert orphans == 0
