"""What a deposit says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_HOW = """# Deposit

The data behind the tables of this work, without the texts, and the program that makes the tables anew:

    python -m pip install -r requirements.txt
    python remake.py

It needs Python 3.11 or newer, those few libraries and nothing from a network; no GPU, no language model. It runs the
code of xlt {xlt} in `code/`, writes `remade/`, and says of each table whether it is the one in `tables/`: byte for byte
with the same versions, else to a relative 1e-12. `SHA256SUMS` has the hash of every file here (`sha256sum -c
SHA256SUMS`), `environment.txt` every library that was installed where the work was done."""

_CAN = """## What can be remade

All of `tables/`: scores with their intervals (the draws of a bootstrap follow from a seed), corrected shares, transfer,
learning curves, odds ratios, exposure and cost. Counts of posts, authors and files in `tables/data.csv` and
`tables/files.csv` are copied from aggregates in `corpus/`: they can be checked against the corpus only."""

_CANT = """## What can't be remade from this

- Labels: predictions are the output of models on texts that are not here. Whoever has the texts can run the models
  again with `xlt`; hashes of models, data and settings stand in `about.json`, `corpus/*/run.json` and
  `studies/*/cells/*/cell.json`. On another kind of machine a few labels may come out otherwise.
- Speed: `bench.json` holds what was measured on one machine.
- Lists of errors with their texts."""

_MAY = """## Licences, consent and care

- {texts}
- Gold labels and predictions say what people are held to think of a political question. They are given here by hashed
  unit, under a key that stays with the authors; language, month, stratum and labels remain, and small cells of counts
  may still point at somebody who posts in a rare language. Look at `corpus/` with that in mind before you publish it;
  leave out what your ethics board, your consent forms or data protection law (in the EU, article 9 of the GDPR) don't
  allow.
- `corpus/draws.csv` repeats the conditions that texts were drawn by, as they were written: see that they name nobody.
- Coders are numbered, not named. Ask them whether their labels may be public.
- The code in `code/` is under the MIT licence (`code/LICENSE`). The licence of the data is yours to choose: write
  it here. Models that made the predictions have licences of their own (Llama's asks to be named)."""


def readme(folder: Path, about: dict[str, Any], with_texts: bool) -> str:
    """The README of a deposit whose other files are written."""
    parts = [_HOW.format(xlt=about["xlt"]), "## What is here"]
    parts += [_study(name, study, with_texts) for name, study in about["studies"].items()]
    if about["corpus"]:
        parts.append(_corpus(folder, about["corpus"]["runs"], about["run"]))
    if (folder / "bench.json").is_file():
        parts.append("`bench.json`: speed and prices as `xlt bench` gave them.")
    parts.append("`tasks/`: labels, prompt and codebook. `about.json`: hashes of the studies' data.")
    if with_texts:
        texts = "The texts of the studies' test rows are in `rows.csv`, because they were asked for: whoever passes "
        texts += "them on needs the right to, from the platform and from those who wrote them."
    else:
        texts = "No text, no author and no id of a post is here: platforms forbid passing them on with labels of "
        texts += "people's views. Get the texts from the authors or the platform, on its terms."
    listed = "\n".join(f"- `tables/{path.name}`" for path in sorted((folder / "tables").glob("*.csv")))
    return "\n\n".join([*parts, _CAN, _CANT, _MAY.format(texts=texts), "## Tables", listed]) + "\n"


def _study(name: str, study: dict[str, Any], with_texts: bool) -> str:
    return (
        f"`studies/{name}/`: the study as it was designed (`study.toml`); {study['test_rows']:,} test rows with "
        f"language, gold label, length in characters, script, and whether a training text is nearly the same"
        f"{', and text' if with_texts else ''} (`rows.csv`); for each of {study['cells']:,} cells the probabilities of "
        "every label in every row, with what made them (`cells/`); recipes; and in `packed.json` how many tokens all "
        "labelled texts are, and which rows a cell's training texts nearly repeat."
    )


def _corpus(folder: Path, runs: list[str], told: str | None) -> str:
    lines = [
        "`corpus/`: what the corpus holds, counted by language (`languages*.json`), and its files with their hashes."
    ]
    if (folder / "corpus" / "units.csv").is_file():
        lines.append(
            "`draws.csv` says what could be drawn for hand labels, `units.csv` what was, with stratum, inclusion "
            "probability, language and month, `codings.csv` each coder's label of it."
        )
    if runs:
        lines.append(
            f"Of each run (`corpus/RUN/`; the report tells of {told}): its record, counts of its labels by language "
            "and month (`labels-*.json`), what it says of hand-labelled units (`units.csv`), and the hand labels that "
            "correct its shares with the counts they correct (`sample-*`), or why there are none. `gold*.csv` are the "
            "hand labels beside what the runs say of the same texts."
        )
    return " ".join(lines)
