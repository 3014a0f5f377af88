from __future__ import annotations

from pathlib import Path

import pytest

from filled import Post, fill
from xlt.corpus import detection, gate
from xlt.corpus.detection import detect_languages, undetected
from xlt.errors import Interrupted, UsageError

TEXTS = {
    "en": "The weather is really bad today and I am staying at home",
    "de": "Das Wetter ist heute wirklich schlecht und ich bleibe zu Hause",
    "tr": "Bugün hava gerçekten çok kötü ve evde kalıyorum",
}
POSTS = [
    *(Post(code, text, tag=code) for code, text in TEXTS.items()),
    Post("again", TEXTS["de"], tag="nl"),
    Post("emoji", "😀 https://example.org", tag="und"),
    Post("nothing", None, tag="en"),
]


def languages(corpus: Path) -> dict[str, str | None]:
    with gate.opened(corpus) as con:
        return dict(con.execute("SELECT id, lang FROM tweets").fetchall())


def test_every_post_gets_its_language_and_the_tag_stays(tmp_path: Path) -> None:
    corpus = fill(tmp_path, POSTS, run=None)
    heard: list[tuple[int, int]] = []
    found = detect_languages(corpus, heard=lambda done, total, _: heard.append((done, total)))
    expected = {"en": "en", "de": "de", "tr": "tr", "again": "de", "emoji": "und", "nothing": "und"}
    assert languages(corpus) == expected
    assert (found.posts, heard) == (5, [(5, 5)])
    assert {each.code: (each.posts, each.tagged, each.agreed) for each in found.languages} == {
        "de": (2, 2, 1),
        "und": (2, 1, 0),
        "en": (1, 1, 1),
        "tr": (1, 1, 1),
    }
    with gate.opened(corpus) as con:
        assert undetected(con) == (0, 6)
        assert con.execute("SELECT lang_tag FROM tweets WHERE id = 'again'").fetchall() == [("nl",)]


def test_only_what_has_no_language_is_looked_at_unless_again(tmp_path: Path) -> None:
    corpus = fill(tmp_path, [*POSTS, Post("kept", TEXTS["tr"] + " !", lang="xx")], run=None)
    assert detect_languages(corpus, ["en", "de"]).posts == 5
    assert (languages(corpus)["kept"], languages(corpus)["tr"]) == ("xx", "en") or languages(corpus)["tr"] == "de"
    assert detect_languages(corpus).posts == 0
    assert detect_languages(corpus, again=True).posts == 6
    assert (languages(corpus)["kept"], languages(corpus)["tr"]) == ("tr", "tr")


def test_stopped_between_rounds_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "ROUND", 2)
    corpus = fill(tmp_path, POSTS, run=None)

    def stop(done: int, total: int, seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="goes on"):
        detect_languages(corpus, heard=stop)
    assert 0 < sum(code is None for code in languages(corpus).values()) < 6
    detect_languages(corpus)
    assert None not in languages(corpus).values()


def test_the_corpus_is_free_while_texts_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = fill(tmp_path, POSTS, run=None)
    seen: list[int] = []

    def look(texts: list[str], candidates: object) -> list[tuple[str, float]]:
        with gate.opened(corpus, write=True, patience=0) as con:
            con.execute("UPDATE tweets SET place = 'x'")
        seen.append(len(texts))
        return [("en", 1.0) for _ in texts]

    monkeypatch.setattr(detection, "detect", look)
    detect_languages(corpus)
    assert seen == [4]


def test_how_languages_were_found_is_written_down(tmp_path: Path) -> None:
    import json

    corpus = fill(tmp_path, POSTS, run=None)
    detect_languages(corpus, ["tr", "de"])
    with gate.opened(corpus) as con:
        rows = con.execute("SELECT value FROM meta WHERE key = 'detection'").fetchall()
    assert json.loads(rows[0][0])["candidates"] == ["de", "tr"]


def test_an_unknown_candidate_changes_nothing(tmp_path: Path) -> None:
    corpus = fill(tmp_path, POSTS, run=None)
    with pytest.raises(UsageError, match="klingon"):
        detect_languages(corpus, ["klingon"], again=True)
    assert set(languages(corpus).values()) == {None}
