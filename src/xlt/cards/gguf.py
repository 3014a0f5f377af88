"""Builds a tokenizer from a GGUF file's metadata, the same as the model's own `tokenizer.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.cards.gguf_header import read_header
from xlt.errors import XltError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONTROL, _USER_DEFINED = 3, 4
_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
# How a text is cut before merging: the patterns of the models' own tokenizer files.
_LLAMA3 = rf"{_WORDS}|\p{{N}}{{1,3}}|{_TAIL}"
_QWEN2 = rf"{_WORDS}|\p{{N}}|{_TAIL}"
_PRE = {
    "llama-bpe": "llama3",
    "llama3": "llama3",
    "llama-v3": "llama3",
    "qwen2": "qwen2",
    "deepseek-r1-qwen": "qwen2",
    "gpt-2": "gpt2",
    "smollm": "smollm",
}


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a GGUF file (byte-level BPE). Raises XltError for other kinds and for damaged files.

    Control tokens become special tokens; BOS is put in front of a text where the file says so.
    """
    metadata = read_header(path).metadata
    model = metadata.get("tokenizer.ggml.model")
    if model != "gpt2":
        raise XltError(
            f"The tokenizer in {path} is of kind {model!r}, and only byte-level BPE ('gpt2') can be read from a GGUF "
            "file; use the model's Hugging Face folder."
        )
    pre = metadata.get("tokenizer.ggml.pre", "default")
    if pre not in _PRE:
        raise XltError(
            f"The tokenizer in {path} cuts texts in the way {pre!r}, and xlt knows {', '.join(sorted(_PRE))}; use the "
            "model's Hugging Face folder."
        )
    try:
        return _build(metadata, _PRE[pre])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise XltError(f"The tokenizer in {path} is damaged ({error}); copy or download the file again.") from None


def pre_of(tokenizer: Tokenizer) -> str | None:
    """The name in a GGUF file for how a byte-level BPE cuts texts; None when there is none that we know."""
    spec = json.loads(tokenizer.to_str())
    model = spec["model"]
    if model.get("type") != "BPE" or model.get("byte_fallback") or model.get("unk_token"):
        return None
    normalizer = (spec["normalizer"] or {}).get("type")
    # The first name of each kind is the one that others know too.
    for kind, pre in {kind: pre for pre, kind in reversed(_PRE.items())}.items():
        alike = _cuts(json.loads(_pre_tokenizer(kind).__getstate__())) == _cuts(spec["pre_tokenizer"])
        if alike and normalizer == ("NFC" if kind == "qwen2" else None) and kind in _kinds_that_merge_so(model):
            return pre
    return None


def _kinds_that_merge_so(model: dict[str, Any]) -> tuple[str, ...]:
    return ("llama3",) if model.get("ignore_merges") else ("qwen2", "gpt2", "smollm")


def _cuts(pre_tokenizer: dict[str, Any] | None) -> Any:
    """A pre-tokenizer's settings, without those that move no border between tokens."""
    if pre_tokenizer is None:
        return None
    made = {key: value for key, value in pre_tokenizer.items() if key not in ("trim_offsets", "pretokenizers")}
    return made, [_cuts(each) for each in pre_tokenizer.get("pretokenizers", [])]


def _build(metadata: dict[str, Any], kind: str) -> Tokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers
    from tokenizers.models import BPE

    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    kinds: list[int] = metadata["tokenizer.ggml.token_type"]
    merges = [_pair(merge) for merge in metadata["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens) or len(kinds) != len(tokens):
        raise ValueError("its lists do not match")
    for left, right in merges:
        if not {left, right, left + right} <= vocabulary.keys():
            raise ValueError(f"the merge of {left!r} and {right!r} has no token")
    # Llama 3 takes a whole word that is a token as it is, whatever the merges say.
    tokenizer = Tokenizer(BPE(vocabulary, merges, ignore_merges=kind == "llama3"))
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _pre_tokenizer(kind)
    tokenizer.decoder = decoders.ByteLevel()
    added = [
        AddedToken(token, special=kinds[number] == _CONTROL, normalized=False)
        for number, token in enumerate(tokens)
        if kinds[number] in (_CONTROL, _USER_DEFINED)
    ]
    tokenizer.add_tokens(added)
    _add_bos(tokenizer, metadata, tokens, kind)
    return tokenizer


def _pair(merge: str) -> tuple[str, str]:
    left, space, right = merge.partition(" ")
    if not (left and space and right):
        raise ValueError(f"{merge!r} is no merge")
    return left, right


def _pre_tokenizer(kind: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    if kind in ("llama3", "qwen2"):
        cut = pre_tokenizers.Split(Regex(_LLAMA3 if kind == "llama3" else _QWEN2), behavior="isolated")
        return pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if kind == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), plain])
    return plain


def _add_bos(tokenizer: Tokenizer, metadata: dict[str, Any], tokens: list[str], kind: str) -> None:
    """Put BOS before every text if the file says so; where it says nothing, Llama 3's do and others do not."""
    from tokenizers import processors

    if not metadata.get("tokenizer.ggml.add_bos_token", kind == "llama3"):
        return
    bos = metadata["tokenizer.ggml.bos_token_id"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[tokens[bos], "$A"], special_tokens=[(tokens[bos], bos)]
    )
