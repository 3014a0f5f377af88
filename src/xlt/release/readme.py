"""The README.md of an exported model: what the hub reads in its header, and what a person must know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt.cards.card import Card, Score
from xlt.cards.read import HUB_ID
from xlt.languages import name as language_name
from xlt.release.compare import Compared
from xlt.tasks.spec import Task

# What the hub calls a licence; others are `other` with a name.
_LICENCES = {"mit": "mit", "apache-2.0": "apache-2.0", "llama 3.2 community license": "llama3.2"}
_HUB_METRICS = {"accuracy": "accuracy", "macro-F1": "f1", "topic macro-F1": "f1"}


@dataclass(frozen=True)
class Part:
    """Weights in one form within an exported folder."""

    path: str
    what: str
    size: int
    """Bytes."""
    compared: Compared | None = None
    """Against the merged weights, for quantised ones."""


def release_readme(card: Card, task: Task, base: str | None, parts: Sequence[Part]) -> str:
    """README.md of a release folder. `base` is what the base is called, a hub id where there is one."""
    usage = (
        "```console\n$ xlt classify tweets.csv -m ./THIS_FOLDER\n```\n\n"
        "The folder itself is a plain Hugging Face model in bfloat16, which transformers and mlx-lm load; asked "
        "through them, it needs the prompt below. Its answer is one token, and xlt reads the probabilities of the "
        "answers instead of generating one."
    )
    # Not text-classification: the hub would then show code that puts a head of random numbers on it.
    return _header(card, base, "text-generation") + "\n".join(
        [
            *_intro(card, task),
            "## Use",
            "",
            usage,
            "",
            *_prompt(task),
            *_body(card, base),
            *_parts(parts),
            *_end(card, task),
        ]
    )


def seqcls_readme(card: Card, task: Task, base: str | None) -> str:
    """README.md of a classifier folder."""
    usage = (
        "```python\nfrom transformers import pipeline\n\n"
        'classify = pipeline("text-classification", model="THIS_FOLDER")\n'
        'classify(["a tweet", "another one"])\n```\n\n'
        'The prompt lies inside the tokenizer: give it tweets as they are. In float32 (`dtype="float32"`) labels and '
        "probabilities are those of `xlt classify`; in bfloat16 they differ by rounding. A text longer than "
        f"{task.max_text_tokens} tokens is cut by xlt and is not cut here; an empty text is no tweet and gets a label "
        "all the same. The instruction is computed anew for every tweet, where xlt computes it once."
        + (" The temperature below is not in it." if "temperature" in card.made else "")
    )
    return _header(card, base, "text-classification") + "\n".join(
        [*_intro(card, task), "## Use", "", usage, "", *_body(card, base), *_end(card, task)]
    )


def _header(card: Card, base: str | None, pipeline: str) -> str:
    """The YAML that the hub reads."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=re.sub(r"[^a-z0-9]+", "-", score.data.lower()).strip("-"),
            dataset_name=score.data,
            metric_type=_HUB_METRICS.get(score.metric, score.metric),
            metric_name=f"{score.metric}, {_counted(score)}",
            metric_value=score.value,
        )
        for score in card.scores
        if not score.of and not score.language
    ]
    known = _LICENCES.get(card.licence.lower())
    other: dict[str, Any] = {"license_name": card.licence} if card.licence and not known else {}
    data = ModelCardData(
        language=list(card.languages) or None,
        license=known or ("other" if card.licence else None),
        **other,
        base_model=base if base and re.fullmatch(HUB_ID, base) else None,
        library_name="transformers",
        pipeline_tag=pipeline,
        tags=["xlt", "tweets", "stance", "multilingual", *([card.task] if card.task else [])],
        model_name=card.name,
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---\n\n"


def _counted(score: Score) -> str:
    interval = f", 95 % interval {score.low:.3f} to {score.high:.3f}" if score.low is not None and score.high else ""
    return f"n = {score.n:,}{interval}"


def _intro(card: Card, task: Task) -> list[str]:
    return [
        f"# {card.title}",
        "",
        card.description or task.description,
        "",
        f"Task: {task.title}. {task.description}",
        "",
        "| label | means |",
        "| --- | --- |",
        *(f"| {label.name} | {label.description} |" for label in task.labels),
        "",
    ]


def _prompt(task: Task) -> list[str]:
    return ["## Prompt", "", "```", task.template + task.answer_begins, "```", ""]


def _body(card: Card, base: str | None) -> list[str]:
    seen = ", ".join(f"{language_name(code)} ({code})" for code in card.languages)
    lines = [
        "## Languages",
        "",
        f"Tuned on labelled tweets in: {seen}." if seen else "Its card names no language that it was tuned on.",
        "In other languages it relies on what carries over from these and from its base; how well that works is known "
        "only where it was measured.",
        "",
        "## Training",
        "",
        f"Base model: {base or 'not named'}.",
        "",
    ]
    if card.made:
        lines += ["| | |", "| --- | --- |", *(f"| {key} | {_cell(value)} |" for key, value in card.made.items()), ""]
    if "temperature" in card.made:
        texts, value = card.made.get("temperature_texts"), card.made["temperature"]
        lines += [
            f"`xlt classify` divides the scores of the answers by {value} before the softmax, a temperature fitted on "
            f"{texts} held-out texts (before quantising, if it was). It makes confidence honest and changes no label.",
            "",
        ]
    return lines + _scores(card)


def _scores(card: Card) -> list[str]:
    if not card.scores:
        return ["## How good it is", "", "Nothing was measured yet (`xlt evaluate` does it).", ""]
    lines = [
        "## How good it is",
        "",
        "| on | language | score | value | 95 % interval | n |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for score in card.scores:
        interval = f"{score.low:.3f} to {score.high:.3f}" if score.low is not None and score.high is not None else ""
        unseen = bool(card.languages) and bool(score.language) and score.language not in card.languages
        where = (language_name(score.language) + (" (unseen)" if unseen else "")) if score.language else "all"
        metric = f"{score.of}: {score.metric}" if score.of else score.metric
        lines.append(f"| {score.data} | {where} | {metric} | {score.value:.3f} | {interval} | {score.n:,} |")
    few = (
        "A score without an interval rests on too few texts for one." if any(s.low is None for s in card.scores) else ""
    )
    return [*lines, "", *([few, ""] if few else [])]


def _parts(parts: Sequence[Part]) -> list[str]:
    lines = [
        "## Files",
        "",
        "| path | what | size | same labels as merged | macro-F1 lost |",
        "| --- | --- | --- | --- | --- |",
    ]
    notes = []
    for part in parts:
        same = lost = ""
        if part.compared:
            line = part.compared.all
            same, lost = f"{100 * line.agreement:.1f} %", f"{line.lost:.3f}"
            notes.append(f"Compared on {part.compared.data}, n = {line.n:,}.")
        lines.append(f"| {part.path} | {part.what} | {part.size / 1e6:,.1f} MB | {same} | {lost} |")
    return [*lines, "", *dict.fromkeys(notes), "", "`sha256sum -c SHA256SUMS` checks them.", ""]


def _end(card: Card, task: Task) -> list[str]:
    return [
        "## Intended use and limits",
        "",
        "Made for estimating what is said in large collections of posts: shares by language, place or month. A share "
        "of predicted labels carries the classifier's errors; check it against labels given by people before you "
        "publish it. It is not made for judging single persons or posts, and not for moderation.",
        *([f"\n{task.codebook.target}"] if task.codebook and task.codebook.target else []),
        "",
        "## Licence",
        "",
        f"{card.licence or 'Not named'}. The licence of the base model holds for what is made of it.",
        "",
    ]


def _cell(value: object) -> str:
    return str(value).replace("|", r"\|").replace("\n", " ")


def sums(folder: Path) -> str:
    """The lines of SHA256SUMS over every file in a folder."""
    import hashlib

    lines = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    return "".join(lines)
