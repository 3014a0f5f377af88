"""The words of the two models' READMEs; the figures come from measurements."""

from __future__ import annotations

from collections.abc import Sequence

from xlt.cards.card import Card
from xlt.tasks.spec import Task
from xlt_mini.card import Measured, counts, table
from xlt_mini.rows import Row
from xlt_mini.tweets import LANGUAGES

_HEADER = ["accuracy", "4-class macro-F1", "topic macro-F1"]


def tuned(
    card: Card,
    own: Sequence[Row],
    found: Sequence[Measured],
    held: Sequence[Measured],
    apart: Sequence[Measured],
    task: Task,
) -> str:
    """README of the tuned model.

    `found` is measured on real tweets, `held` on our own held-out ones, `apart` on the real tweets without a
    near-duplicate among the training rows of the local build.
    """
    pooled = [row for row in found if not row.language]
    ours = next(row for row in pooled if not row.of)
    naive = next(row for row in pooled if row.of == "always unrelated")
    accuracy, floor = ours.scores["accuracy"], naive.scores["accuracy"]
    words = next(row for row in pooled if row.of == "keyword list")
    topic, keyword = ours.scores["topic_f1"], words.scores["topic_f1"]
    verdict = (
        f"Of {ours.n} real tweets it labels {accuracy:.1%} as people did; always saying `unrelated` would get "
        f"{floor:.1%}. Telling migration from other topics, it reaches a macro-F1 of {topic:.2f}, and a list of "
        f"migration words {keyword:.2f}. Over the four labels its macro-F1 is {ours.scores['macro_f1']:.2f}. So it is "
        + ("worse" if accuracy < floor else "better")
        + " than the laziest guess in accuracy, "
        + ("worse" if topic < keyword else "better")
        + " than a word list on the topic, and its stance is often wrong."
    )
    by_language = [[row.language, str(row.n), *row.cells()] for row in found if row.language and not row.of]
    local = [[row.language, str(row.n), *row.cells()] for row in found if row.language and row.of.startswith("local")]
    parts = [
        f"# xlt-mini\n\nA Llama of {card.parameters / 1e6:.1f} million parameters that labels tweets with xlt's task "
        "`immigration`: pro-immigration, anti-immigration, neutral, unrelated. It is there so that xlt can be tried "
        "offline, without a download. **It is not for research: tune a model of 3 billion parameters for that.**",
        f"## How good it is\n\n{verdict}\n\nMeasured on `{ours.data}`, tweets gathered by keyword in twelve of the "
        f"thirteen languages (Korean is not among them). It was not trained on them, and no setting was chosen by "
        "them. In brackets: 95 % intervals from 1,000 bootstrap draws of tweets.",
        _systems(pooled),
        "The local build is what `scripts/build_xlt_mini.py --also train.csv --out FOLDER` makes on your own machine "
        "from the paper's labelled tweets and ours; it does not ship, because those tweets are not ours to license. "
        "N-grams are TF-IDF of characters (2 to 5 in a word) with logistic regression. The keyword list calls every "
        "tweet with a migration word `neutral`; only its topic score means something.",
        *_apart(ours.n, apart),
        "By language, shipped model (no interval below 50 tweets: with 25, a figure says little):\n\n"
        + table(["language", "n", *_HEADER], by_language),
    ]
    if local:
        parts.append("By language, local build:\n\n" + table(["language", "n", *_HEADER], local))
    parts += [
        "On our own tweets that were held out of its training, families of translations and near-duplicates kept "
        "together:",
        _systems([row for row in held if not row.language]),
        "These look like what it learnt from, so the figures say what the method can do, not how it does on real "
        "tweets.",
        f"## What it was made from\n\n{len(own)} tweets that were written for this project, in {len(LANGUAGES)} "
        "languages, and nothing else: no other text, no other model's weights. A further "
        f"{held[0].n} were held out. Tweets by language and label:\n\n" + counts(own, task),
        "It was first trained to predict the next token (`xlt-mini-base`), then to answer xlt's stock prompt, from "
        "the labels and from the soft labels of character n-gram models trained on the same tweets. "
        "`scripts/build_xlt_mini.py` repeats all of it without a network; `card.toml` holds settings and versions.",
        "## Limits\n\nIt has read a few thousand tweets and starts from an average over their words: expect nothing of "
        "it where a sentence means something else than its words (irony, quotation, negation). Invented tweets are "
        "tidier than real ones, and those who wrote them decided what counts as which side. It was taught to expect "
        "half of the tweets to be unrelated, whatever the corpus. Don't report shares from it, and don't judge people "
        "by it.",
        "## Use elsewhere\n\nAn ordinary Hugging Face folder (`LlamaForCausalLM`, bf16) that stock transformers and "
        "mlx-lm load. Licence: MIT.",
    ]
    return "\n\n".join(parts) + "\n"


def _apart(count: int, apart: Sequence[Measured]) -> list[str]:
    if not apart:
        return []
    return [
        f"{count - apart[0].n} of the {count} tweets have a near-duplicate among what the local build learns "
        "from (`train.csv` and our tweets), which flatters whatever learnt from them. Without those:",
        _systems(apart),
    ]


def _systems(rows: Sequence[Measured]) -> str:
    lines = [[row.of or "**xlt-mini (shipped)**", str(row.n), *row.cells()] for row in rows]
    return table(["system", "n", *_HEADER], lines)


def base(card: Card, own: Sequence[Row]) -> str:
    """README of the base model."""
    return (
        f"# xlt-mini-base\n\nxlt-mini before it learnt its task: a Llama of {card.parameters / 1e6:.1f} million "
        f"parameters that was trained to predict the next token of {len(own)} tweets written for this project, in "
        f"{len(LANGUAGES)} languages, and of nothing else. It has seen no label.\n\nIt is there so that fine-tuning "
        "can be tried offline: the commands, files and cards are those of a large model. It writes no "
        "sensible text, and its labels mean nothing before it is tuned; how good a tuned one gets stands in the card "
        "of `xlt-mini`.\n\n`scripts/build_xlt_mini.py` makes it without a network; `card.toml` holds settings and "
        "versions. An ordinary Hugging Face folder (`LlamaForCausalLM`, bf16). Licence: MIT.\n"
    )
