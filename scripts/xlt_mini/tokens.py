"""xlt-mini's tokenizer, a byte-level BPE of Llama 3's kind, and the noise that training adds to token ids."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers, processors, trainers
from tokenizers.models import BPE

BOS, EOT = "<|begin_of_text|>", "<|eot_id|>"
# Llama 3's, but with single digits: the labels are digits, and figures say little here.
_SPLIT = r"[^\r\n\p{L}\p{M}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """256 bytes, merges learnt from the texts, then BOS and EOT; BOS is put in front of every text."""
    tokenizer = Tokenizer(BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(BOS, special=True), AddedToken(EOT, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, max_positions: int) -> None:
    """Write `tokenizer.json` (compact) and `tokenizer_config.json`."""
    packed = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(packed, encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOT,
        "pad_token": EOT,
        "model_max_length": max_positions,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def spellings(tokenizer: Tokenizer) -> list[str]:
    """The text of every token; parts of a character show as their bytes' stand-ins."""
    found = []
    for number in range(tokenizer.get_vocab_size()):
        text = tokenizer.decode([number], skip_special_tokens=False)
        found.append(tokenizer.id_to_token(number) or "" if "\ufffd" in text else text)
    return found


def control_ids(tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids of BOS and EOT."""
    bos, eot = tokenizer.token_to_id(BOS), tokenizer.token_to_id(EOT)
    assert bos is not None
    assert eot is not None
    return bos, eot


class Unmerge:
    """Splits tokens at random into the two parts that they were merged from: BPE dropout that can be seeded."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        model = json.loads(tokenizer.to_str())["model"]
        vocab: dict[str, int] = model["vocab"]
        self._parts = {vocab[left + right]: (vocab[left], vocab[right]) for left, right in model["merges"]}

    def __call__(self, ids: Sequence[int], rate: float, rng: random.Random) -> list[int]:
        """The ids, each merged token split with probability `rate`, its parts likewise."""
        out: list[int] = []
        stack = list(reversed(ids))
        while stack:
            token = stack.pop()
            parts = self._parts.get(token)
            if parts is not None and rng.random() < rate:
                stack += (parts[1], parts[0])
            else:
                out.append(token)
        return out
