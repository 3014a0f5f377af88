"""Times three ways to label the same tweets with the same weights, and says how near xlt comes to the hardware.

    PYTHONPATH=src python scripts/bench_classify.py [--data ../shared/data/immigration/test.csv] [--shape 135m]

(a) `generate` three tokens, one tweet at a time; (b) the same in left-padded batches of 32; (c) xlt's scorer with the
token budget that it measures. The weights are random: speed does not depend on them. All three see the same token
ids: a fixed prefix, then the tweet in a byte-level BPE trained on the given tweets. The repeats are interleaved and
medians are printed. The matrix rate is that of the bare products of xlt's linear layers, the same shapes in the same
order through `torch.nn.functional.linear`, timed in the same run; xlt's share is their time over xlt's. With
`--shape 3b` a Llama-3.2-3B shape runs (c) only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

# A budget measured in an earlier run, on a machine that was busy then, must not decide this one.
os.environ["XLT_CACHE"] = tempfile.mkdtemp(prefix="xlt-bench-")
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from torch.nn import functional

from xlt.backends.base import Loaded, Prompt
from xlt.backends.torch import devices, load
from xlt.backends.torch.backend import versions
from xlt.backends.torch.llama import LlamaForward
from xlt.backends.torch.scorer import TorchScorer
from xlt.engine.batches import batches
from xlt.engine.budget import token_budget

Ids = list[int]
LABELS = (11, 12, 13, 14)
SHAPES: dict[str, dict[str, int]] = {
    "135m": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
    },
    "3b": {
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
}
SCALING = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def main() -> None:
    """Parse, measure, print."""
    options = parse()
    device = devices.choose_device(options.device)
    threads = devices.set_threads(device, options.threads)
    precision = devices.choose_precision("auto", device)
    load.quiet()
    prefix, texts = token_ids(options.data, options.tweets, options.prefix)
    tokens = sum(map(len, texts))
    print(f"{len(texts)} tweets, {tokens / len(texts):.1f} tokens each, prefix of {len(prefix)} tokens")
    print(f"shape {options.shape}, {precision}, {device}, {threads} threads, torch {torch.__version__}", flush=True)

    model = build(options.shape, device, devices.DTYPES[precision])
    loaded = Loaded(
        "torch", str(device), precision, threads, load.weight_bytes(model), load.parameters(model), 131072, versions()
    )
    scorer = TorchScorer(LlamaForward(model), loaded)
    del model
    devices.keep_freed_memory()
    prompt = Prompt(tuple(prefix), LABELS)
    scorer.prepare(prompt)
    budget = options.batch_tokens or token_budget(scorer, prompt, texts)
    cut = [[texts[index] for index in batch] for batch in batches([len(text) for text in texts], budget)]
    score(scorer, cut)
    peak = scorer.peak_memory()  # before the other ways take theirs
    products = BareProducts(options.shape, device, devices.DTYPES[precision])
    ways: dict[str, Callable[[], None]] = {"matrix products alone": lambda: products.run(cut)}
    if options.shape == "135m":
        stock = build(options.shape, device, devices.DTYPES[precision])
        ways["(a) generate, one by one"] = lambda: generate(stock, prefix, texts, 1)
        ways["(b) generate, batches of 32"] = lambda: generate(stock, prefix, texts, 32)
    ours = f"(c) xlt, {budget} tokens a batch"
    ways[ours] = lambda: score(scorer, cut)

    seconds = measure(ways, options.repeats)
    report(seconds, ours, len(texts), products.operations(cut), peak)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data" / "immigration" / "test.csv")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="135m")
    parser.add_argument("--tweets", type=int, default=256)
    parser.add_argument("--prefix", type=int, default=120, help="tokens of the shared prefix")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, default=0, help="0: measured")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args()


def token_ids(data: Path, count: int, prefix: int) -> tuple[Ids, list[Ids]]:
    """The prefix's ids and those of `count` tweets of a CSV or Parquet file with a column `text`."""
    import duckdb
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if not data.is_file():
        sys.exit(f"There is no file {data}; name a CSV or Parquet file with a column text by --data.")
    reader = "read_parquet" if data.suffix == ".parquet" else "read_csv"
    query = f"SELECT text FROM {reader}(?) WHERE text IS NOT NULL ORDER BY hash(text), text"
    texts = [row[0] for row in duckdb.execute(query, [str(data)]).fetchall()]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=24000, initial_alphabet=alphabet, show_progress=False)
    )
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    chosen, rest = ids[:count], [token for text in reversed(ids) for token in text]
    return rest[:prefix], chosen


def build(shape: str, device: torch.device, dtype: torch.dtype) -> Any:
    """A Llama of this shape, made in `dtype` on the device; the same random weights each time."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        **SHAPES[shape], tie_word_embeddings=True, max_position_embeddings=131072, rope_parameters=SCALING
    )
    with device:
        model = LlamaForCausalLM._from_config(config, dtype=dtype)
    return model.requires_grad_(False).eval()


def generate(model: Any, prefix: Ids, texts: Sequence[Ids], size: int) -> None:
    """Three new tokens for each tweet, in left-padded batches, as scripts around `generate` do it."""
    for start in range(0, len(texts), size):
        rows = [[*prefix, *text] for text in texts[start : start + size]]
        longest = max(map(len, rows))
        ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=model.device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
        with torch.inference_mode():
            out = model.generate(
                ids, attention_mask=mask, max_new_tokens=3, min_new_tokens=3, do_sample=False, pad_token_id=0
            )
        out.cpu()


def score(scorer: TorchScorer, cut: Sequence[Sequence[Ids]]) -> None:
    """One pass of xlt over all batches."""
    for batch in cut:
        scorer.score(batch)


class BareProducts:
    """The matrix products of xlt's linear layers and nothing else, through `torch.nn.functional.linear`."""

    def __init__(self, shape: str, device: torch.device, dtype: torch.dtype) -> None:
        s = SHAPES[shape]
        head = s["hidden_size"] // s["num_attention_heads"]
        qkv = (s["num_attention_heads"] + 2 * s["num_key_value_heads"]) * head
        hidden, inner = s["hidden_size"], s["intermediate_size"]
        sizes = ((qkv, hidden), (hidden, hidden), (2 * inner, hidden), (hidden, inner))
        self.layers = s["num_hidden_layers"]
        self.dtype, self.device = dtype, device
        # Enough layers that none is still in a cache when its turn comes again, without a second model of 3 B.
        distinct = min(self.layers, max(2, 300_000_000 // (2 * sum(a * b for a, b in sizes))))
        self.weights = [
            [torch.randn(size, dtype=dtype, device=device) * 0.02 for size in sizes] for _ in range(distinct)
        ]

    def shapes(self, cut: Sequence[Sequence[Ids]]) -> Iterator[tuple[int, torch.Tensor]]:
        """(rows, matrix) of each product; in the last layer only each text's last token goes past the keys."""
        for batch in cut:
            tokens = sum(map(len, batch))
            for layer in range(self.layers):
                for number, weight in enumerate(self.weights[layer % len(self.weights)]):
                    yield (len(batch) if number > 0 and layer == self.layers - 1 else tokens), weight

    def operations(self, cut: Sequence[Sequence[Ids]]) -> int:
        """Additions and multiplications of all products."""
        return sum(2 * rows * weight.numel() for rows, weight in self.shapes(cut))

    def run(self, cut: Sequence[Sequence[Ids]]) -> None:
        """Do them all once."""
        most = max(sum(map(len, batch)) for batch in cut)
        inputs = {
            width: torch.randn(most, width, dtype=self.dtype, device=self.device)
            for width in {weight.shape[1] for weight in self.weights[0]}
        }
        with torch.inference_mode():
            for rows, weight in self.shapes(cut):
                functional.linear(inputs[weight.shape[1]][:rows], weight)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def measure(ways: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each way in each repeat, in turn, so that whatever slows the machine slows all."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    ways["matrix products alone"]()
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def report(seconds: dict[str, list[float]], ours: str, tweets: int, operations: int, peak: int) -> None:
    """Print the table."""
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"\n{'':32} {'seconds, median (range)':>28} {'tweets/s':>10} {'xlt is':>10}")
    for name, value in middle.items():
        spread = f"{value:.2f} ({min(seconds[name]):.2f} to {max(seconds[name]):.2f})"
        print(f"{name:32} {spread:>28} {tweets / value:10.1f} {value / middle[ours]:9.1f}x")
    bare = middle["matrix products alone"]
    rate = f"{operations / bare / 1e9:.0f} GFLOP/s at these shapes"
    print(f"\nmatrix rate {rate}; xlt reaches {bare / middle[ours]:.0%} of it")
    print(f"peak memory of xlt {peak / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
