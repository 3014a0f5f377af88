"""The bundled sample as a corpus with a run, and a small one with known counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from filled import ANTI, NEUTRAL, PRO, TASK, UNRELATED, Post, fill
from xlt.bundled import bundled
from xlt.corpus import gate
from xlt.corpus.importing.job import Import, Labels, Options, run
from xlt.corpus.store import corpus_path

RUN = "2026-03-02-aaaaaaaa"


@pytest.fixture(autouse=True)
def coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a terminal of a user who did not ask for grey."""
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture(scope="session")
def sample_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, with the labels of its writers as those of a model that is right four times of five."""
    folder = tmp_path_factory.mktemp("sample")
    corpus = corpus_path(folder)
    gold = Labels(TASK, coder="sample")
    source = bundled("models", "sample", "sample.parquet")
    run(Import([source], folder, corpus, Options(labels="label", keep=("split",)), gold), lambda sentence: None)
    with gate.opened(corpus, write=True) as con:
        con.execute("UPDATE imports SET imported_at = '2026-03-01'")
        con.execute("UPDATE gold SET coded_at = '2026-03-01'")
        names = "['" + "', '".join(TASK.names) + "']"
        con.execute(
            "INSERT INTO predictions SELECT DISTINCT ON (text_key) ?, text_key, CASE WHEN h % 5 = 0 THEN "
            f"{names}[1 + (h // 7 % 4)::INTEGER] ELSE label END, 0.4 + (h % 600) / 1000, "
            f"[CASE WHEN n = label THEN 0.7 ELSE 0.1 END FOR n IN {names}] "
            "FROM (SELECT text_key, label, hash(text_key::VARCHAR) AS h FROM gold WHERE label IS NOT NULL "
            "ORDER BY text_key, tweet_id)",
            [RUN],
        )
        con.execute(
            "INSERT INTO runs SELECT ?, 'f', 'some-model', 'h', 'immigration', ?, ?, ['en', 'es'], '2026-03-02', "
            "'2026-03-02', count(*), '{}' FROM predictions",
            [RUN, TASK.hash, list(TASK.names)],
        )
    return folder


@pytest.fixture
def sample(sample_once: Path, tmp_path: Path) -> Path:
    """A copy of the sample's workspace."""
    folder = tmp_path / "sample"
    shutil.copytree(sample_once, folder)
    return folder


POSTS = [
    *(Post(f"e{at}", f"english text {at}", PRO, "en", "en", "a", "2024-01-10 10:00:00") for at in range(6)),
    *(Post(f"f{at}", f"english other {at}", ANTI, "en", "en", "b", "2024-02-10 10:00:00") for at in range(2)),
    *(Post(f"u{at}", f"english nothing {at}", UNRELATED, "en", "en", "c", "2024-03-10 10:00:00") for at in range(2)),
    *(Post(f"d{at}", f"deutscher Text {at}", ANTI, "de", "de", "d", "2024-02-20 10:00:00") for at in range(3)),
    Post("n1", "neutraler Text", NEUTRAL, "de", "de", "e", "2024-02-21 10:00:00", confidence=0.4),
    Post("k1", "한국어 문장", PRO, "ko", "ko", "f", "2024-03-01 10:00:00"),
]


@pytest.fixture(scope="session")
def small_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten English posts (6 pro, 2 anti, 2 unrelated), four German (3 anti, 1 neutral), one Korean (pro)."""
    return fill(tmp_path_factory.mktemp("small") / "small", POSTS, RUN).parent


@pytest.fixture
def small(small_once: Path, tmp_path: Path) -> Path:
    """A copy of the small workspace."""
    return Path(shutil.copytree(small_once, tmp_path / "small"))
