"""Studies as files: what they unfold into, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from xlt.errors import XltError
from xlt.study.design import Cell, load_study

HEAD = 'train = "train.csv"\ntest = "test.csv"\n'


def written(folder: Path, body: str) -> Path:
    for name in ("train.csv", "test.csv"):
        (folder / name).write_text("text,label,lang\n", encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(HEAD + body, encoding="utf-8")
    return path


def test_a_study_unfolds_into_cells(tmp_path: Path) -> None:
    study = load_study(
        written(
            tmp_path,
            """
            sets = ["en", "en+es", "all-ko"]
            seeds = [1, 2]
            bases = ["xlt-mini-base"]
            recipes = ["tiny"]
            strategies = ["finetune", "zero-shot", "few-shot", "ngrams", "commonest"]
            shots_on = ["en"]
            shots = { it = [0, 10, 50] }
            few_shot = { k = 4, examples = ["same", "en"] }
            settings = { epochs = 3 }
            """,
        )
    )
    count = {s: sum(cell.strategy == s for cell in study.cells) for s in ("finetune", "zero-shot", "few-shot")}
    # Three sets and two amounts of Italian beside English, twice each.
    assert count == {"finetune": 10, "zero-shot": 1, "few-shot": 4}
    # n-grams have nothing to draw without shots.
    assert sum(cell.strategy == "ngrams" for cell in study.cells) == 3 + 2 * 2
    assert sum(cell.strategy == "commonest" for cell in study.cells) == 3
    assert study.settings == ("epochs=3",)
    korea = next(cell for cell in study.cells if cell.set == "all-ko")
    assert korea.langs == ("all", "-ko")
    assert len({cell.key for cell in study.cells}) == len(study.cells)


def test_shots_of_a_language_that_the_set_has_are_no_cell(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, 'sets = ["it", "en"]\nstrategies = ["ngrams"]\nshots = { it = [10] }\n'))
    assert [(cell.set, cell.shots) for cell in study.cells] == [("it", ()), ("en", ()), ("en", (("it", 10),))]
    assert study.cells[-1].seen() == ("en", "it")


def test_the_key_changes_with_what_decides_the_labels() -> None:
    cell = Cell("finetune", "en", ("en",), seed=1, base="b", recipe="tiny")
    other = Cell("finetune", "en", ("en",), seed=1, base="org/b", recipe="tiny")
    assert cell.key != other.key
    assert cell.key.startswith("finetune_en_b_tiny_s1-")


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ('sets = ["en"]\nbanana = 1\n', 4, "no key 'banana'"),
        ('strategies = ["magic"]\n', 3, "no strategy 'magic'"),
        ('\nseeds = ["1"]\n', 4, "whole numbers"),
        ('sets = ["en+xx"]\n', 3, "no set of languages"),
        ('strategies = ["few-shot"]\n[few_shot]\nk = 0\n', 5, "from 1 to 64"),
        ('strategies = ["ngrams"]\n[shots]\nit = "many"\n', 5, "whole numbers"),
        ("sets = []\n", 3, "empty"),
    ],
)
def test_a_bad_study_is_refused_at_its_line(tmp_path: Path, body: str, line: int, said: str) -> None:
    with pytest.raises(XltError, match=rf"study.toml, line {line}: .*{said}"):
        load_study(written(tmp_path, body))


def test_missing_files_and_keys(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('train = "gone.csv"\ntest = "gone.csv"\n', encoding="utf-8")
    with pytest.raises(XltError, match="line 1: there is no file"):
        load_study(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(XltError, match="needs train"):
        load_study(path)
    with pytest.raises(XltError, match="can't be read"):
        load_study(tmp_path / "none.toml")
