"""Measures xlt-mini on real labelled tweets beside its baselines, and writes the cards.

    python scripts/xlt_mini/evaluate.py --test test.csv --train train.csv --local FOLDER [--write]

FOLDER holds the pair that `build_xlt_mini.py --also train.csv --out FOLDER` made. Without --write the tables are
only printed. The test split is read here and nowhere else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "src")]

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import torch  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

from xlt.cards.read import read_card, write_card  # noqa: E402
from xlt.tasks.load import load_task  # noqa: E402
from xlt.tasks.render import Renderer  # noqa: E402
from xlt.tasks.spec import Task  # noqa: E402
from xlt_mini import readme  # noqa: E402
from xlt_mini.card import BASE, TUNED, Measured  # noqa: E402
from xlt_mini.keywords import mentions_migration  # noqa: E402
from xlt_mini.measure import intervals, scores  # noqa: E402
from xlt_mini.rows import Row, own_rows, read_labelled  # noqa: E402
from xlt_mini.split import near_pairs, split  # noqa: E402
from xlt_mini.teacher import Ngrams  # noqa: E402

MODELS = ROOT / "models"
FEWEST = 50
"""Below this many tweets no interval is given: it would span most of the scale."""
ITERATIONS = 200

Ints = npt.NDArray[np.int64]


def label_probabilities(folder: Path, texts: Sequence[str], task: Task, batch: int = 64) -> npt.NDArray[np.float32]:
    """Label probabilities from the stock transformers class, fp32, one plain forward pass per text: (texts, labels)."""
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    renderer = Renderer(task, Tokenizer.from_file(str(folder / "tokenizer.json")), model.config.max_position_embeddings)
    suffixes = renderer.encode(texts).suffixes
    order = sorted(range(len(texts)), key=lambda i: len(suffixes[i]))
    out = np.zeros((len(texts), len(renderer.labels)), np.float32)
    for start in range(0, len(order), batch):
        at = order[start : start + batch]
        rows = [[*renderer.prefix, *suffixes[i]] for i in at]
        width = max(len(row) for row in rows)
        # Right-padded: what follows the last token can't reach it.
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        with torch.no_grad():
            logits = model(ids).logits[torch.arange(len(rows)), torch.tensor([len(row) - 1 for row in rows])]
        out[at] = logits[:, list(renderer.labels)].softmax(-1).numpy()
    return out


def measure(of: str, data: str, rows: Sequence[Row], guesses: Ints, task: Task) -> list[Measured]:
    """One system pooled, and language by language."""
    gold = np.array([row.label for row in rows])
    langs = np.array([row.lang for row in rows])
    found = []
    for lang in ["", *sorted(set(langs))]:
        at = np.flatnonzero(langs == lang) if lang else np.arange(len(rows))
        bounds = intervals(gold[at], guesses[at], task) if len(at) >= FEWEST else {}
        found.append(Measured(of, data, len(at), str(lang), scores(gold[at], guesses[at], task), bounds))
    return found


def guess_all(
    folder: Path, local: Path | None, train: Sequence[Row], test: Sequence[Row], task: Task
) -> dict[str, Ints]:
    """The labels that each system gives to the test rows; the shipped model is called ''."""
    texts = [row.text for row in test]
    neutral, unrelated = task.names.index("neutral"), task.names.index("unrelated")
    own = own_rows(split().train, task)
    found = {"": label_probabilities(folder, texts, task).argmax(-1)}
    if local:
        found["local build (own tweets and train.csv)"] = label_probabilities(local, texts, task).argmax(-1)
    found["always unrelated"] = np.full(len(texts), unrelated)
    found["keyword list"] = np.array([neutral if mentions_migration(text) else unrelated for text in texts])
    for name, rows in (
        ("n-grams, own tweets", own),
        ("n-grams, own tweets and train.csv", [*own, *train]),
        ("n-grams, train.csv", list(train)),
    ):
        if rows:
            found[name] = Ngrams(rows, iterations=ITERATIONS)(texts).argmax(-1)
    return found


def with_twin(test: Sequence[Row], learnt: Sequence[Row]) -> set[int]:
    """Positions of test rows that have a near-duplicate among the rows learnt from."""
    pairs = near_pairs([row.text for row in [*learnt, *test]])
    return {b - len(learnt) for a, b in pairs if a < len(learnt) <= b}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and with --write put the figures into both cards."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=Path, default=MODELS, help="folder with the shipped pair")
    parser.add_argument("--local", type=Path, help="folder with the pair of a local build")
    parser.add_argument("--train", type=Path, help="the labelled file that the local build learnt from too")
    parser.add_argument("--test", type=Path, required=True, help="the labelled file to measure on")
    parser.add_argument("--write", action="store_true", help="write card.toml and README.md")
    options = parser.parse_args(argv)
    torch.set_num_threads(2)
    task = load_task("immigration")
    sides = split()
    heldout, own = own_rows(sides.heldout, task), own_rows(sides.train, task)
    test = read_labelled(options.test, task)
    train = read_labelled(options.train, task) if options.train else []
    data = f"{options.test.parent.name}/{options.test.name}"
    guesses = guess_all(options.models / TUNED, options.local / TUNED if options.local else None, train, test, task)
    found = [row for of, guess in guesses.items() for row in measure(of, data, test, guess, task)]
    ours = label_probabilities(options.models / TUNED, [row.text for row in heldout], task).argmax(-1)
    held = measure("", "own held-out tweets", heldout, ours, task)
    grams = Ngrams(own, iterations=ITERATIONS)([row.text for row in heldout]).argmax(-1)
    held += measure("n-grams, own tweets", "own held-out tweets", heldout, grams, task)
    twins = with_twin(test, [*train, *own])
    apart = np.array([i for i in range(len(test)) if i not in twins])
    without = [
        measure(of, "", [test[i] for i in apart], guess[apart], task)[0] for of, guess in guesses.items() if twins
    ]
    card = read_card(options.models / TUNED / "card.toml")
    text = readme.tuned(card, own, found, held, without, task)
    print(text)
    if options.write:
        # Real tweets only: a figure on invented ones could be taken for how good the model is.
        entries = [entry for row in found if not row.of or not row.language for entry in row.entries()]
        write_card(options.models / TUNED / "card.toml", replace(card, scores=tuple(entries)))
        (options.models / TUNED / "README.md").write_text(text, encoding="utf-8")
        base = read_card(options.models / BASE / "card.toml")
        (options.models / BASE / "README.md").write_text(readme.base(base, own), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
