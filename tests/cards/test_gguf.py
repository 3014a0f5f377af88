"""A tokenizer read from a GGUF file gives the ids of the model's own tokenizer."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from gguf_files import write_gguf, write_tokenizer_gguf
from models import BOS, EOT, SENTENCES, train_tokenizer, write_model
from xlt.cards.files import ModelFiles
from xlt.cards.gguf import read_tokenizer
from xlt.cards.gguf_header import read_header
from xlt.cards.tokenizer import load_tokenizer
from xlt.errors import XltError

TEXTS = [
    *SENTENCES,
    "",
    " ",
    "   three  spaces\t\ttabs\n\n\r\nlines   ",
    "It's 12345 o'clock, WE'LL see, they'RE 'tis don't",
    "1234567890 12.5% ٣٤٥ १२३",
    "@user #hashtag https://t.co/abc 👩‍👩‍👧‍👦🇩🇪❤️",
    "Cafe\u0301 café ﬁne Å \u212b",
    f"{BOS}not a control{EOT} token <tool> here",
    "a\x00b\u200b\u200f‮",
    "naïve…—“quotes” ¿qué?",
]
# As the models' own tokenizer files cut a text, written out apart from the code under test.
OWN_PATTERNS = {
    "llama-bpe": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
}


def own_tokenizer(pre: str) -> Tokenizer:
    """The tokenizer of a model of this kind, made as its `tokenizer.json` makes it."""
    # With numbers in plenty, so that how digits are grouped shows.
    numbers = tuple(f"{n} {n}" for n in range(0, 100_000, 37))
    trained = json.loads(train_tokenizer(700, SENTENCES + numbers).to_str())
    merges = [tuple(merge) for merge in trained["model"]["merges"]]
    tokenizer = Tokenizer(BPE(trained["model"]["vocab"], merges, ignore_merges=pre == "llama-bpe"))
    if pre == "gpt-2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(OWN_PATTERNS[pre]), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    tokenizer.decoder = decoders.ByteLevel()
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens([AddedToken(BOS, special=True), AddedToken(EOT, special=True)])
    tokenizer.add_tokens([AddedToken("<tool>", special=False, normalized=False)])
    if pre == "llama-bpe":
        bos = tokenizer.token_to_id(BOS)
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bos)])
    return tokenizer


def assert_same(ours: Tokenizer, theirs: Tokenizer, texts: list[str]) -> None:
    for plain in (False, True):
        ours.encode_special_tokens = theirs.encode_special_tokens = plain
        for text in texts:
            for special in (False, True):
                expected = theirs.encode(text, add_special_tokens=special).ids
                assert ours.encode(text, add_special_tokens=special).ids == expected, text
                assert ours.decode(expected) == theirs.decode(expected)
    assert ours.get_added_tokens_decoder().keys() == theirs.get_added_tokens_decoder().keys()


@pytest.mark.parametrize("pre", ["llama-bpe", "qwen2", "gpt-2"])
def test_same_ids_as_the_models_own_tokenizer(pre: str, tmp_path: Path) -> None:
    own = own_tokenizer(pre)
    read = read_tokenizer(write_tokenizer_gguf(tmp_path / "t.gguf", own, pre=pre, bos=own.token_to_id(BOS), unused=5))
    assert_same(read, own, TEXTS)


@pytest.mark.parametrize("pre", ["llama-bpe", "qwen2", "gpt-2"])
def test_same_ids_on_real_tweets(pre: str, shared_data: Path, tmp_path: Path) -> None:
    with (shared_data / "immigration" / "test.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    own = own_tokenizer(pre)
    read = read_tokenizer(write_tokenizer_gguf(tmp_path / "t.gguf", own, pre=pre, bos=own.token_to_id(BOS)))
    assert len(texts) == 875
    assert_same(read, own, texts)


def test_same_ids_on_any_text(tmp_path: Path) -> None:
    own = own_tokenizer("llama-bpe")
    read = read_tokenizer(write_tokenizer_gguf(tmp_path / "t.gguf", own, bos=own.token_to_id(BOS)))

    @settings(max_examples=300, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
    def same(text: str) -> None:
        assert read.encode(text).ids == own.encode(text).ids

    same()


def test_a_whole_word_that_is_a_token_is_taken_without_merges(tmp_path: Path) -> None:
    # Llama 3 does this, GPT-2 does not: the vocabulary holds "abc", the merges never reach it.
    vocabulary = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocabulary |= {"ab": 256, "abc": 257}
    own = Tokenizer(BPE(vocabulary, [("a", "b")]))
    ids = {}
    for pre in ("llama-bpe", "gpt-2"):
        read = read_tokenizer(write_tokenizer_gguf(tmp_path / f"{pre}.gguf", own, pre=pre, add_bos=False))
        ids[pre] = read.encode("abc").ids
    assert ids == {"llama-bpe": [257], "gpt-2": [256, vocabulary["c"]]}


@pytest.mark.parametrize(
    ("pre", "says", "has"), [("llama-bpe", None, True), ("llama-bpe", False, False), ("qwen2", None, False)]
)
def test_bos_goes_by_what_the_file_says(pre: str, says: bool | None, has: bool, tmp_path: Path) -> None:
    own = train_tokenizer()
    bos = own.token_to_id(BOS)
    read = read_tokenizer(write_tokenizer_gguf(tmp_path / "t.gguf", own, pre=pre, add_bos=says, bos=bos))
    assert (read.encode("hello").ids[0] == bos) is has
    assert read.encode("hello", add_special_tokens=False).ids == own.encode("hello", add_special_tokens=False).ids


def test_a_whole_model_is_read_through_load_tokenizer(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    path = write_gguf(tmp_path / "model.gguf", folder)
    ours = load_tokenizer(ModelFiles("m", "gguf", path))
    assert_same(ours, Tokenizer.from_file(str(folder / "tokenizer.json")), [t for t in TEXTS if "'" not in t])


def test_the_header_agrees_with_the_gguf_package(tmp_path: Path) -> None:
    from gguf import GGUFReader

    path = write_gguf(tmp_path / "model.gguf", write_model(tmp_path / "model"), stored="Q8_0")
    ours, theirs = read_header(path), GGUFReader(path)
    for key, field in theirs.fields.items():
        if not key.startswith("GGUF."):
            assert ours.metadata[key] == pytest.approx(field.contents()) or ours.metadata[key] == field.contents()
    assert len(ours.metadata) == len(theirs.fields) - 3
    found = {(t.name, tuple(t.shape.tolist()), int(t.tensor_type), t.data_offset) for t in theirs.tensors}
    assert found == {(name, t.shape, t.type, ours.data + t.offset) for name, t in ours.tensors.items()}
    last = max(theirs.tensors, key=lambda tensor: tensor.data_offset)
    assert ours.end() == last.data_offset + last.n_bytes <= path.stat().st_size


@pytest.mark.parametrize(
    ("settings_", "reason"),
    [
        ({"model": "llama"}, "kind 'llama'"),
        ({"pre": "tekken"}, "'tekken'"),
        ({"pre": None}, "'default'"),
        ({"add_bos": True}, "bos_token_id"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(settings_: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = write_tokenizer_gguf(tmp_path / "t.gguf", train_tokenizer(), **settings_)
    with pytest.raises(XltError, match=reason) as caught:
        read_tokenizer(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_a_damaged_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    own = train_tokenizer(300)
    whole = write_tokenizer_gguf(tmp_path / "t.gguf", own, bos=own.token_to_id(BOS)).read_bytes()
    path = tmp_path / "cut.gguf"
    for length in [0, 2, 4, 7, 12, 30, *range(40, len(whole) - 32, 199)]:
        path.write_bytes(whole[:length])
        with pytest.raises(XltError):
            read_tokenizer(path)
    path.write_bytes(b"PK" + whole)
    with pytest.raises(XltError, match="no GGUF file"):
        read_tokenizer(path)
    path.write_bytes(whole[:4] + (1).to_bytes(4, "little") + whole[8:])
    with pytest.raises(XltError, match="version 1"):
        read_tokenizer(path)
