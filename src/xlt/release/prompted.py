"""A tokenizer with a task's prompt inside: raw tweets in, the ids of whole prompts out.

The instruction's ids go into its template. What is encoded together with a tweet (the space before it, the line
behind it) and the task's normalisation go into its normaliser, because pieces encoded apart differ from the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from xlt.errors import XltError
from xlt.tasks.render import Renderer
from xlt.tasks.spec import Normalisation

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Python's classes of characters in the words of the tokenizers' regular expressions, whose own \w and \s differ.
_WORD = r"[\p{L}\p{N}_]"
_SPACE = r"[\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
_NO_SPACE = _SPACE.replace("[", "[^", 1)
_HANDLE = rf"(?<!{_WORD}|[.@/])@{_WORD}{{1,30}}(?:@{_WORD}(?:{_WORD}|[.-])*{_WORD})?"
_LINK = rf"(?<!{_WORD})(?i:https?://){_NO_SPACE}+|(?<!{_WORD})(?i:www)\.{_NO_SPACE}+"
_PROMPT, _CLOSING = "<|prompt|>", "<|closing|>"


def prompted(tokenizer: Tokenizer, renderer: Renderer) -> Tokenizer:
    """A copy of the tokenizer that gives the renderer's ids for raw tweets."""
    from tokenizers import Tokenizer as Made

    layout = renderer.layout
    spec = json.loads(tokenizer.to_str())
    own = [spec["normalizer"]] if spec["normalizer"] else []
    lead = [{"type": "Prepend", "prepend": layout.lead}] if layout.lead else []
    tail = [_replace(r"\z", layout.tail)] if layout.tail else []
    steps = [*_normalisers(renderer.task.normalise), *lead, *tail, *own]
    spec["normalizer"] = {"type": "Sequence", "normalizers": steps}
    by_id = {number: token for token, number in tokenizer.get_vocab(with_added_tokens=True).items()}
    parts = {_PROMPT: layout.prefix, _CLOSING: layout.closing}
    spec["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [_special(_PROMPT), {"Sequence": {"id": "A", "type_id": 0}}]
        + ([_special(_CLOSING)] if layout.closing else []),
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {
            name: {"id": name, "ids": list(ids), "tokens": [by_id[each] for each in ids]}
            for name, ids in parts.items()
            if ids
        },
    }
    # A token that is not special would be cut out of a tweet, and each of the pieces get a prompt of its own.
    for token in spec["added_tokens"]:
        token["special"] = True
    spec["truncation"] = spec["padding"] = None
    made = Made.from_str(json.dumps(spec))
    made.encode_special_tokens = True
    return made


def check_prompted(made: Tokenizer, renderer: Renderer, texts: Iterable[str]) -> None:
    """Raise XltError unless raw texts get the renderer's ids."""
    raw = [text for text in texts if renderer.task.normalise(text)]
    rendered = renderer.encode([renderer.task.normalise(text) for text in raw])
    for text, suffix, cut in zip(raw, rendered.suffixes, rendered.cut, strict=True):
        if not cut and _ids(made, text) != [*renderer.prefix, *suffix]:
            raise XltError(
                f"Task {renderer.task.name!r} can't be put into this model's tokenizer: a text that begins "
                f"{text[:30]!r} would get other tokens; classify with xlt instead."
            )


def _ids(tokenizer: Tokenizer, text: str) -> Sequence[int]:
    ids: list[int] = tokenizer.encode(text).ids
    return ids


def _normalisers(rules: Normalisation) -> list[dict[str, Any]]:
    """`Normalisation` as the tokenizer does it, in the same order."""
    steps: list[dict[str, Any]] = []
    if rules.unicode == "NFC":
        steps.append({"type": "NFC"})
    if rules.links is not None:
        steps.append(_replace(_LINK, rules.links))
    if rules.handles is not None:
        steps.append(_replace(_HANDLE, rules.handles))
    if rules.strip:
        steps.append(_replace(rf"\A{_SPACE}+|{_SPACE}+\z", ""))
    return steps


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def _special(name: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": name, "type_id": 0}}
