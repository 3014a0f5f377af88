"""Time and peak memory of what a release takes: merge, quantise to MLX, GGUF and NF4, load again, classify.

    PYTHONPATH=src python scripts/bench_release.py [--shape 3b] [--folder FOLDER] [--steps merge,mlx,gguf] [--tweets 16]

The base is a Llama of the given shape with random weights in bfloat16 and a byte-level BPE of Llama 3's kind, trained
on the bundled sample; the adapter has rank 64 on every linear layer. Each step runs in a process of its own, whose
seconds (imports included) and highest resident memory are printed. Memory of a GPU is not in it. `3b` needs 32 GB on
disk. The folder is kept when it is named, and what lies there already is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from xlt.backends.base import BackendName
from xlt.backends.common import peak_resident
from xlt.bundled import bundled
from xlt.cards.adapter import Pair, write_adapter
from xlt.cards.files import ModelFiles
from xlt.cards.gguf import _LLAMA3
from xlt.cards.tensors import Made, to_bf16, write_model_files
from xlt.disk import write_json
from xlt.release.compare import labels_of
from xlt.release.merge import merge
from xlt.release.quantise import Kind, files_of, write_quantised
from xlt.tasks.load import load_task

SHAPES: dict[str, dict[str, int]] = {
    "100m": {"hidden": 768, "inner": 2048, "layers": 8, "heads": 12, "key_heads": 4, "head": 64, "vocabulary": 65536},
    "1b": {"hidden": 2048, "inner": 8192, "layers": 16, "heads": 32, "key_heads": 8, "head": 64, "vocabulary": 128256},
    "3b": {"hidden": 3072, "inner": 8192, "layers": 28, "heads": 24, "key_heads": 8, "head": 128, "vocabulary": 128256},
}
STEPS = ("merge", "mlx", "gguf", "nf4", "classify-merged", "classify-mlx", "classify-gguf", "classify-nf4")
_ROWS = 4096


def main() -> None:
    """Parse, make the base, run every step."""
    options = parse()
    if options.step:
        run_step(options)
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="xlt-release-"))
    base = folder / "models" / "base"
    if not (base / "config.json").is_file():
        print(f"Making a base of the shape {options.shape} in {base} …", file=sys.stderr, flush=True)
        make_base(base, SHAPES[options.shape])
        make_adapter(folder / "models" / "tuned", base, SHAPES[options.shape])
    print(f"shape {options.shape}, {size(base):,} bytes in bfloat16\n")
    print("| step | seconds | peak memory, MB | made, MB |\n| --- | --: | --: | --: |", flush=True)
    try:
        for step in options.steps.split(","):
            command = [
                sys.executable,
                __file__,
                "--step",
                step,
                "--folder",
                str(folder),
                "--tweets",
                str(options.tweets),
            ]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if ended.returncode:
                print(f"| {step} | failed |  |  |", flush=True)
                continue
            found = json.loads(ended.stdout.splitlines()[-1])
            made = f"{found['made'] / 1e6:,.0f}" if found["made"] else ""
            print(f"| {step} | {found['seconds']:.1f} | {found['peak'] / 1e6:,.0f} | {made} |", flush=True)
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="100m")
    parser.add_argument("--folder", type=Path, help="default: a temporary one")
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--tweets", type=int, default=16)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    return parser.parse_args()


def run_step(options: argparse.Namespace) -> None:
    """Do one step and print what it took."""
    begun = time.perf_counter()
    made = step(options.step, options.folder, options.tweets)
    print(json.dumps({"seconds": time.perf_counter() - begun, "peak": peak_resident(), "made": made}))


def step(name: str, folder: Path, tweets: int) -> int:
    """Do one step; returns the bytes that it made."""
    merged = folder / "models" / "tuned-merged"
    if name == "merge":
        shutil.rmtree(merged, ignore_errors=True)
        return size(merge("tuned", None, folder))
    verb, _, form = name.rpartition("-")
    out = folder / form
    if not verb:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        kind: Kind = "mlx" if form == "mlx" else "gguf" if form == "gguf" else "nf4"
        write_quantised(kind, merged, out, "tuned", 4, "tuned-q4_0")
        return size(out)
    if form == "merged":
        files = ModelFiles("merged", "hf", merged)
    else:
        files = files_of("mlx" if form == "mlx" else "gguf" if form == "gguf" else "nf4", out)
    backend: BackendName = "mlx" if form == "mlx" else "torch"
    texts = sample_texts()[:tweets]
    if len(labels_of(files, backend, load_task("immigration"), texts)) != len(texts):
        raise AssertionError("labels are missing")
    return 0


def make_base(folder: Path, shape: dict[str, int]) -> None:
    """Write a random base, a few rows at a time."""
    folder.mkdir(parents=True)
    write_tokenizer(folder)
    rope = {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    tensors = {"model.embed_tokens.weight": random_matrix(shape["vocabulary"], shape["hidden"])}
    for layer in range(shape["layers"]):
        for name, (rows, columns) in matrices(shape).items():
            tensors[f"model.layers.{layer}.{name}.weight"] = random_matrix(rows, columns)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{norm}.weight"] = ones(shape["hidden"])
    tensors["model.norm.weight"] = ones(shape["hidden"])
    write_model_files(folder, tensors)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["inner"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["key_heads"],
        "head_dim": shape["head"],
        "vocab_size": shape["vocabulary"],
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "rope_theta": 500000.0,
        "rope_scaling": rope,
        "rope_parameters": {"rope_theta": 500000.0, **rope},
        "bos_token_id": 0,
        "eos_token_id": 1,
        "torch_dtype": "bfloat16",
    }
    write_json(folder / "config.json", config)


def matrices(shape: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Name → (outputs, inputs) of a layer's matrices."""
    hidden, inner = shape["hidden"], shape["inner"]
    queries, keys = shape["heads"] * shape["head"], shape["key_heads"] * shape["head"]
    return {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }


def random_matrix(rows: int, columns: int) -> Made:
    """A normal matrix in bfloat16 that is drawn as it is written."""

    def parts() -> Iterator[npt.NDArray[Any]]:
        rng = np.random.default_rng(rows * 31 + columns)
        for first in range(0, rows, _ROWS):
            drawn = rng.standard_normal((min(_ROWS, rows - first), columns), np.float32)
            yield to_bf16(drawn * np.float32(columns**-0.5))

    return Made("BF16", (rows, columns), parts)


def ones(count: int) -> Made:
    """A norm's vector."""
    values = to_bf16(np.ones(count, np.float32))
    job: Callable[[], Iterator[npt.NDArray[Any]]] = lambda: iter([values])  # noqa: E731
    return Made("BF16", (count,), job)


def make_adapter(folder: Path, base: Path, shape: dict[str, int]) -> None:
    """Rank 64 on every linear layer."""
    rng = np.random.default_rng(1)
    adapter = {}
    for layer in range(shape["layers"]):
        for name, (rows, columns) in matrices(shape).items():
            down = rng.standard_normal((64, columns), np.float32) * np.float32(columns**-0.5)
            adapter[f"model.layers.{layer}.{name}"] = Pair(down, rng.standard_normal((rows, 64), np.float32) * 0.01)
    write_adapter(folder, adapter, alpha=32, dropout=0.1, base=str(base.resolve()))


def write_tokenizer(folder: Path) -> None:
    """A byte-level BPE that cuts texts as Llama 3's does."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers, processors, trainers
    from tokenizers.models import BPE

    tokenizer = Tokenizer(BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(_LLAMA3), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken("<|begin_of_text|>", special=True), AddedToken("<|eot_id|>", special=True)]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=16384, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(sample_texts(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def sample_texts() -> list[str]:
    """The bundled sample's tweets."""
    import pyarrow.parquet as pq

    found: list[str] = pq.read_table(bundled("models", "sample", "sample.parquet"))["text"].to_pylist()
    return found


def size(folder: Path) -> int:
    """Bytes of the weights in a folder."""
    return sum(path.stat().st_size for each in ("*.safetensors", "*.gguf") for path in folder.glob(each))


if __name__ == "__main__":
    main()
