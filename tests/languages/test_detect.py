from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from xlt.errors import UsageError
from xlt.languages.detect import check_candidates, detect, words_of

SENTENCES = {
    "ar": "أريد أن أعرف متى يفتح المكتب غدا",
    "de": "Das Wetter ist heute wirklich schlecht und ich bleibe zu Hause",
    "en": "The weather is really bad today and I am staying at home",
    "es": "Hoy hace muy mal tiempo y me quedo en casa con los niños",
    "fr": "Il fait vraiment mauvais aujourd'hui et je reste à la maison",
    "hi": "आज मौसम बहुत खराब है और मैं घर पर हूँ",
    "hu": "Ma nagyon rossz az idő, ezért inkább itthon maradok",
    "id": "Cuaca hari ini sangat buruk jadi saya tinggal di rumah saja",
    "it": "Oggi il tempo è davvero brutto e resto a casa con la famiglia",
    "ko": "오늘은 날씨가 정말 나빠서 집에 있을 거예요",
    "pl": "Dzisiaj pogoda jest naprawdę zła i zostaję w domu",
    "pt": "Hoje o tempo está muito ruim e não vou sair de casa",
    "tr": "Bugün hava gerçekten çok kötü ve evde kalıyorum",
}


def test_one_sentence_of_each_language() -> None:
    found = detect(SENTENCES.values())
    assert [code for code, _ in found] == list(SENTENCES)
    assert all(0.5 < confidence <= 1 for _, confidence in found)


@pytest.mark.parametrize(
    "text", ["", "   ", "😀😀 🎉", "https://example.org/page @some_one", "12:30 !!", "&amp; &lt;3"]
)
def test_a_text_without_words_is_undetermined(text: str) -> None:
    assert detect([text]) == [("und", 0.0)]


def test_a_text_in_which_the_library_knows_nothing_is_undetermined() -> None:
    assert detect(["ok", "ᏣᎳᎩ"]) == [("und", 0.0)] * 2


def test_only_candidates_come_out_and_a_script_that_none_uses_is_undetermined() -> None:
    found = detect(SENTENCES.values(), ["en", "de"])
    assert {code for code, _ in found} == {"en", "de", "und"}
    assert [code for code, _ in detect([SENTENCES["ko"], SENTENCES["hi"], SENTENCES["de"]], ["en", "de"])] == [
        "und",
        "und",
        "de",
    ]


def test_restricting_one_call_does_not_restrict_the_next() -> None:
    detect(["hello"], ["de"])
    assert detect([SENTENCES["en"]])[0][0] == "en"


def test_one_candidate_is_always_sure() -> None:
    assert detect([SENTENCES["de"]], ["de"]) == [("de", 1.0)]


@pytest.mark.parametrize("text", ["kya baat hai bhai", "aap log kahan ja rahe ho, mujhe bhi batao"])
def test_hindi_in_latin_letters(text: str) -> None:
    assert detect([text])[0][0] == "hi"
    assert detect([text], ["en", "hi"])[0][0] == "hi"
    assert detect([text], ["en", "de"])[0][0] != "hi"


def test_old_codes_and_repeats_are_candidates_once() -> None:
    assert check_candidates(["in", "id", "EN"]) == ("en", "id")


@pytest.mark.parametrize("candidates", [["xx"], ["en", "klingon"], []])
def test_a_candidate_that_cannot_be_detected_is_refused(candidates: list[str]) -> None:
    with pytest.raises(UsageError, match="--candidates"):
        detect(["hello"], candidates)


def test_lone_surrogates_and_huge_texts_pass() -> None:
    assert len(detect(["\ud800 hello there \udfff", "word " * 50_000])) == 2


def test_what_says_nothing_of_the_language_is_taken_out() -> None:
    assert words_of("RT @who: see https://t.co/x\n#Berlin &amp; more").split() == ["see", "Berlin", "more"]


def test_naming_languages_does_not_load_the_detector() -> None:
    script = "import sys, xlt.languages; sys.exit('py3langid' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.slow
def test_agreement_with_the_tweets_of_the_paper_is_as_documented(shared_data: Path) -> None:
    import duckdb

    files = [str(shared_data / "immigration" / name) for name in ("train.csv", "test.csv")]
    rows = duckdb.execute(
        "SELECT lang, text FROM read_csv(?, all_varchar=true, union_by_name=true)", [files]
    ).fetchall()
    candidates = ["ar", "de", "en", "es", "fr", "hi", "hu", "id", "it", "ko", "pl", "pt", "tr"]
    found = detect([text for _, text in rows], candidates)
    right = Counter(lang for (lang, _), (code, _) in zip(rows, found, strict=True) if lang == code)
    n = Counter(lang for lang, _ in rows)
    shares = {lang: right[lang] / n[lang] for lang in n}
    assert shares["id"] >= 0.86
    assert shares["hu"] >= 0.80
    assert min(shares.values()) >= 0.80
    assert sum(shares.values()) / len(shares) >= 0.95
