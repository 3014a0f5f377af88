"""Times LoRA steps of xlt and of plain Trainer + PEFT (+ bitsandbytes) on the same base and batches.

    PYTHONPATH=src python scripts/bench_train.py --shape 135m
    PYTHONPATH=src python scripts/bench_train.py --shape 3b --precision nf4 --ways xlt --batch 1 16 --steps 1

The base is a Llama of the given shape with random weights: speed does not depend on them. Both ways get the same
token ids (a shared prefix, then a tweet, then the answer), the recipe `paper`'s LoRA (rank 64, alpha 32, dropout 0.1,
all linear layers) and its rate. Trainer gets right-padded rows and labels for the answer alone. Each way runs in a
process of its own, in turn, so that its peak memory is its own; the first step warms up and is not counted. Tokens are
those of tweets and answers' places, the prefix not counted, for both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch

from bench_classify import LABELS, SHAPES, build, token_ids
from xlt.backends.base import Prompt
from xlt.backends.torch import TorchBackend, devices, load
from xlt.backends.training import Course, Lora, Sample
from xlt.cards.files import ModelFiles
from xlt.training.course import first_adapter

LORA = Lora(64, 32.0, 0.1, ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"))
RATE = 2e-4
WAYS = {"xlt": "xlt", "trainer": "Trainer + PEFT"}


def main() -> None:
    """Parse, measure, print."""
    options = parse()
    if options.way:
        print(json.dumps({"xlt": xlt_steps, "trainer": trainer_steps}[options.way](options)))
        return
    with tempfile.TemporaryDirectory(prefix="xlt-bench-") as made:
        folder = options.folder or Path(made) / "model"
        if not (folder / "config.json").is_file():
            load.quiet()
            build(options.shape, torch.device("cpu"), torch.bfloat16).save_pretrained(folder)
        device = devices.choose_device(options.device)
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{options.threads or 'all'} threads"
        print(f"shape {options.shape}, {options.precision}, {device} ({where}), torch {torch.__version__}, "
              f"checkpointing {'off' if options.no_checkpointing else 'on'}, loss over the {options.loss}")  # fmt: skip
        print(f"{'batch':>5} {'way':16} {'s/step, median (range)':>28} {'tokens/s':>9} {'peak GB':>8} {'xlt is':>8}")
        for size in options.batch:
            report(size, {way: measure(options, folder, way, size) for way in options.ways})


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data" / "immigration" / "test.csv")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="135m")
    parser.add_argument("--precision", choices=("fp32", "bf16", "nf4"), default="bf16")
    parser.add_argument("--ways", nargs="+", choices=sorted(WAYS), default=["xlt", "trainer"])
    parser.add_argument("--batch", nargs="+", type=int, default=[16])
    parser.add_argument("--steps", type=int, default=3, help="counted steps; one more warms up, if there are several")
    parser.add_argument("--prefix", type=int, default=120, help="tokens of the shared prefix")
    parser.add_argument("--loss", choices=("vocabulary", "labels"), default="vocabulary", help="of xlt")
    parser.add_argument("--pass-tokens", type=int, default=4096)
    parser.add_argument("--no-checkpointing", action="store_true", help="keep activations instead of recomputing them")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the base lies or is kept, to make it only once")
    parser.add_argument("--way", choices=sorted(WAYS), help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(options: argparse.Namespace, folder: Path, way: str, size: int) -> dict[str, Any]:
    """Run one way in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--folder", str(folder), "--batch", str(size)]
    for key in ("data", "shape", "precision", "steps", "prefix", "loss", "pass_tokens", "device", "threads"):
        command += [f"--{key.replace('_', '-')}", str(getattr(options, key))]
    if options.no_checkpointing:
        command.append("--no-checkpointing")
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        return {"failed": lines[-1]}
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def report(size: int, found: dict[str, dict[str, Any]]) -> None:
    """Print the lines of one batch size."""
    for way, each in found.items():
        if "failed" in each:
            print(f"{size:5} {WAYS[way]:16} {each['failed']}")
            continue
        times = each["seconds"]
        middle = statistics.median(times)
        spread = f"{middle:.2f} ({min(times):.2f} to {max(times):.2f})"
        ours = found.get("xlt", {}).get("seconds")
        factor = f"{middle / statistics.median(ours):.1f}x" if ours and way != "xlt" else ""
        figures = f"{each['tokens'] / middle:9.0f} {each['peak'] / 1e9:8.1f} {factor:>8}"
        print(f"{size:5} {WAYS[way]:16} {spread:>28} {figures}", flush=True)


def batches(options: argparse.Namespace) -> tuple[list[int], list[list[list[int]]]]:
    """The prefix, and the texts of every step. All steps have the same texts, so that their times can be compared."""
    size = options.batch[0]
    prefix, texts = token_ids(options.data, size, options.prefix)
    return prefix, [texts] * (options.steps + (options.steps > 1))


def xlt_steps(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of xlt's steps."""
    prefix, steps = batches(options)
    course = Course(
        LORA, options.precision, options.loss, 0, options.pass_tokens, not options.no_checkpointing, max_norm=1.0
    )
    trainer = TorchBackend().trainer(
        ModelFiles("bench", "hf", options.folder), course, device=options.device, threads=options.threads
    )
    trainer.prepare(Prompt(tuple(prefix), LABELS))
    trainer.set_adapter(first_adapter(trainer.adapter(), 0))
    seconds = []
    for texts in steps:
        batch = [Sample(tuple(text), at % len(LABELS)) for at, text in enumerate(texts)]
        started = time.perf_counter()
        trainer.step(batch, RATE)
        seconds.append(time.perf_counter() - started)
    return result(seconds, steps[0], trainer.peak_memory())


def trainer_steps(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of transformers' Trainer's steps, set up as QLoRA's scripts set it up."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

    load.quiet()
    device = devices.choose_device(options.device)
    devices.set_threads(device, options.threads)
    prefix, steps = batches(options)
    more = {"quantization_config": load.nf4_settings()} if options.precision == "nf4" else {}
    model = AutoModelForCausalLM.from_pretrained(
        options.folder, dtype=devices.DTYPES[options.precision], device_map={"": device}, **more
    )
    load.settle_nf4(model)
    recompute = not options.no_checkpointing
    if options.precision == "nf4":
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=recompute, gradient_checkpointing_kwargs={"use_reentrant": False}
        )
    model = get_peft_model(
        model,
        LoraConfig(
            r=LORA.rank, lora_alpha=LORA.alpha, lora_dropout=LORA.dropout, target_modules=list(LORA.targets),
            task_type="CAUSAL_LM",
        ),
    )  # fmt: skip
    rows = [[[*prefix, *text, LABELS[at % len(LABELS)]] for at, text in enumerate(texts)] for texts in steps]
    times = []

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            times.append(-time.perf_counter())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times[-1] += time.perf_counter()

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out, per_device_train_batch_size=options.batch[0], max_steps=len(steps), learning_rate=RATE,
            lr_scheduler_type="constant", bf16=options.precision != "fp32", gradient_checkpointing=recompute,
            gradient_checkpointing_kwargs={"use_reentrant": False}, save_strategy="no", report_to=[],
            logging_strategy="no", disable_tqdm=True, use_cpu=device.type == "cpu", remove_unused_columns=False,
        )  # fmt: skip
        data = [row for step in rows for row in step]
        Trainer(model=model, args=arguments, train_dataset=data, data_collator=collate, callbacks=[Watch()]).train()
    return result(times, steps[0], devices.peak_memory(device))


def collate(rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """Right-padded rows, and the answer as the only label."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    labels = torch.full_like(ids, -100)
    for at, row in enumerate(rows):
        labels[at, len(row) - 1] = row[-1]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def result(seconds: list[float], texts: Sequence[Sequence[int]], peak: int) -> dict[str, Any]:
    """What a way's process tells: the first step warmed up, if there were several."""
    return {"seconds": seconds[1:] or seconds, "tokens": sum(map(len, texts)), "peak": peak}


if __name__ == "__main__":
    main()
