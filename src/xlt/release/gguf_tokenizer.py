"""A tokenizer as a GGUF file holds it: tokens, merges, kinds, and the name of the way in which texts are cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.cards.gguf import pre_of, read_tokenizer
from xlt.errors import XltError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
# Where tokenizers differ: apostrophes, runs of digits and blanks, line ends, composed letters, control tokens.
_PROBES = (
    "They'll say it's 1,234,567 people, won't they?\n\nRT @user: “no” … https://example.org/a?b=c  #tag\t😀👍🏽",
    "Ça ne m’étonne pas. ÇA! Straße, İstanbul, e\u0301, ö",
    "الجو جميل ١٢٣ आज बाज़ार में २०२४ 오늘은 日本語 ไทย",
    " leading, trailing \n \n",
    "x<|eot_id|>y",
)


def add_tokenizer(writer: Any, tokenizer: Tokenizer, config: dict[str, Any], name: str) -> None:
    """Put a byte-level BPE into a GGUFWriter, padded to the model's vocabulary.

    Raises XltError when the file could not hold it so that every reader cuts texts in the same way.
    """
    pre = pre_of(tokenizer)
    if pre is None:
        named = "Llama 3, Qwen 2 and 3, GPT-2 and SmolLM"
        raise no_gguf(name, f"its tokenizer cuts texts in a way without a name there ({named} have one)")
    spec = json.loads(tokenizer.to_str())
    added = {token["id"]: token for token in spec["added_tokens"]}
    by_id = {number: token for token, number in tokenizer.get_vocab(with_added_tokens=True).items()}
    size = int(config["vocab_size"])
    if by_id and max(by_id) >= size:
        raise XltError(
            f"Model {name!r} has {max(by_id) + 1} tokens and {size} embeddings, which do not match; copy it again."
        )
    tokens = [by_id.get(number, f"[PAD{number}]") for number in range(size)]
    kinds = [_kind(number, by_id, added) for number in range(size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in spec["model"]["merges"]])
    plain, full = (tokenizer.encode("a", add_special_tokens=added).ids for added in (False, True))
    if full != plain and full[1:] != plain:
        raise no_gguf(name, "its tokenizer puts more than one token around a text")
    writer.add_add_bos_token(full != plain)
    bos, eos = (full[0] if full != plain else config.get("bos_token_id")), config.get("eos_token_id")
    # Several ends of a text: the first is the tokenizer's own.
    eos = eos[0] if isinstance(eos, list) and eos else eos
    for number, add in ((bos, writer.add_bos_token_id), (eos, writer.add_eos_token_id)):
        if isinstance(number, int):
            add(number)


def _kind(number: int, by_id: dict[int, str], added: dict[int, Any]) -> int:
    if number not in by_id:
        return _UNUSED
    if number not in added:
        return _NORMAL
    return _CONTROL if added[number]["special"] else _USER_DEFINED


def check_tokenizer(path: Path, tokenizer: Tokenizer, name: str) -> None:
    """Raise XltError unless the tokenizer read back from a written file gives the same ids."""
    again = read_tokenizer(path)
    for text in _PROBES:
        if again.encode(text).ids != tokenizer.encode(text).ids:
            raise no_gguf(name, f"read back, its tokenizer gives other tokens for {text[:20]!r}")


def no_gguf(name: str, reason: str) -> XltError:
    """What to say of a model that can't be put into a GGUF file."""
    return XltError(
        f"Model {name!r} can't become a GGUF file: {reason}; quantise it with --to nf4 or --to mlx instead."
    )
