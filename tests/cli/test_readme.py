"""The README's second chapter, its commands as they are printed, on the exports of every platform."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Ran, Xlt

CHAPTER = "## The second chapter: a corpus"
TWEETS = [
    ("1", "they closed the border again, for good", "en", "anti-immigration"),
    ("2", "Willkommen, schön, dass ihr hier seid", "de", "pro-immigration"),
    ("3", "hoy hace mucho calor en la ciudad", "es", "unrelated"),
    ("4", "les réfugiés sont arrivés ce matin à la gare", "fr", "neutral"),
]


def commands(readme: str) -> list[str]:
    """The lines behind `$` of a chapter."""
    chapter = readme.split(CHAPTER, 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```console\n(.*?)```", chapter, re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def pile(tmp_path: Path, repository: Path) -> Path:
    """A researcher's folder before the first command."""
    exports = tmp_path / "exports"
    shutil.copytree(repository / "tests" / "corpus" / "exports", exports)
    # What holds an error in place of posts is for another test.
    for broken in exports.glob("*_error.json"):
        broken.unlink()
    with (tmp_path / "tweets.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "text", "lang", "label"), *TWEETS])
    return tmp_path


def steps(line: str) -> Iterator[list[str]]:
    """The commands of a line, with patterns spread as a shell does it."""
    for part in line.split("&&"):
        words = shlex.split(part)
        yield [match for word in words for match in (_spread(word) if any(sign in word for sign in "*?") else [word])]


def _spread(pattern: str) -> list[str]:
    found = sorted(map(str, Path(pattern).parent.glob(Path(pattern).name)))
    assert found, pattern
    return found


def test_the_second_chapter_as_it_is_written(
    xlt: Xlt, pile: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pile)
    ran: dict[str, Ran] = {}
    for line in commands((repository / "README.md").read_text(encoding="utf-8")):
        for words in steps(line):
            if words[0] == "mkdir":
                Path(words[1]).mkdir()
            elif words[0] == "cd":
                monkeypatch.chdir(words[1])
            else:
                assert words[0] == "xlt", line
                done = xlt(*words[1:])
                assert done.code == 0, (line, done.err)
                ran[line.removeprefix("xlt ")] = done
    posts = xlt("query", "SELECT platform, count(*) AS n FROM tweets GROUP BY 1 ORDER BY 1", "--format", "csv").out
    assert {row.split(",")[0] for row in posts.split()[1:]} == {
        "bluesky", "mastodon", "reddit", "table", "telegram", "x"
    }  # fmt: skip
    assert "German" in ran["breakdown --by lang"].out
    assert "stance-by-language" in ran["query"].out
    assert "xlt-mini" in ran["runs list"].out
    assert len(Path("ids.csv").read_text(encoding="utf-8").splitlines()) == int(
        xlt("query", "SELECT count(*) + 1 FROM tweets", "--format", "csv").out.split()[-1]
    )
    gold = xlt("query", "SELECT count(*) FROM gold", "--format", "csv").out.split()[-1]
    assert int(gold) == len(TWEETS)
    # And erased again.
    assert xlt("forget", TWEETS[0][0]).code == 0
    assert "closed the border" not in xlt("query", "SELECT text FROM tweets", "--format", "csv").out
