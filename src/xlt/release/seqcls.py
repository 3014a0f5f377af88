"""A classifier folder for other programs: raw tweets in, labels out, with nothing of xlt.

The label rows of the output embedding become the head of a `…ForSequenceClassification`, and the prompt lies in the
tokenizer: transformers' `pipeline("text-classification")` takes it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xlt.bundled import bundled
from xlt.cards.rope import with_both_spellings
from xlt.cards.tensors import SHARD, Made, write_model_files
from xlt.cards.tokenizer import load_tokenizer
from xlt.corpus.coded import CodedColumns, read_coded
from xlt.disk import check_space, new_folder, write_json, write_text
from xlt.errors import XltError
from xlt.release.merge import copy_beside, merged_size, merged_tensors, tokenizer_settings
from xlt.release.prompted import check_prompted, prompted
from xlt.release.source import Source
from xlt.tasks.render import Renderer
from xlt.tasks.spec import Task
from xlt.training.material import SAMPLE

CLASSES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
"""`model_type` → what transformers calls its classes."""
_HEADS = ("lm_head.weight", "model.embed_tokens.weight")
_CHECKED = 300


def export_seqcls(source: Source, task: Task, out: Path, readme: str, shard: int = SHARD) -> None:
    """Write the folder `out`, whole or not at all. Raises XltError when model or task can't be put into that form."""
    name = source.name
    kind = CLASSES.get(source.config["model_type"])
    if kind is None:
        family = source.config["model_type"]
        raise XltError(f"Model {name!r} is a {family}, and xlt exports classifiers of {', '.join(CLASSES)} only.")
    check_space(out.parent, merged_size(source), f"The classifier of {name}")
    tokenizer = load_tokenizer(source.model.files)
    renderer = Renderer(task, tokenizer, source.config.get("max_position_embeddings"))
    made = prompted(tokenizer, renderer)
    rows = read_coded([bundled(*SAMPLE)], CodedColumns()).rows
    check_prompted(made, renderer, (row.text for row in rows[:: max(1, len(rows) // _CHECKED)]))
    with new_folder(out) as folder:
        write_model_files(folder, _tensors(source, renderer.labels), shard)
        write_json(folder / "config.json", _config(source, task, kind, _padding(source, renderer)))
        write_text(folder / "tokenizer.json", made.to_str(pretty=True))
        settings = tokenizer_settings(source.folder, name)
        settings |= {"split_special_tokens": True, "model_input_names": ["input_ids", "attention_mask"]}
        settings["pad_token"] = tokenizer.id_to_token(_padding(source, renderer))
        write_json(folder / "tokenizer_config.json", settings)
        copy_beside(source.folder, folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        write_text(folder / "README.md", readme)


def _tensors(source: Source, labels: Sequence[int]) -> dict[str, Made]:
    tensors = merged_tensors(source)
    head = next(name for name in _HEADS if name in tensors)
    rows = picked(tensors[head], labels)
    tensors.pop("lm_head.weight", None)
    return {**tensors, "score.weight": Made("BF16", rows.shape, lambda: iter([rows]))}


def picked(tensor: Made, rows: Sequence[int]) -> npt.NDArray[np.uint16]:
    """Some rows of a matrix in bfloat16 that is computed as it is written: (rows, columns), as bits."""
    width = tensor.shape[1] * 2
    found = np.zeros((len(rows), width), np.uint8)
    at = 0
    for part in tensor.parts():
        content = np.ascontiguousarray(part).reshape(-1).view(np.uint8)
        for place, row in enumerate(rows):
            first, last = max(row * width, at), min((row + 1) * width, at + len(content))
            if first < last:
                found[place, first - row * width : last - row * width] = content[first - at : last - at]
        at += len(content)
    return found.view("<u2")


def _padding(source: Source, renderer: Renderer) -> int:
    """A token to pad with that no prompt ends in: the classifier looks at the last token that is none."""
    (suffix,) = renderer.encode(["a"]).suffixes
    candidates = [source.config.get(key) for key in ("pad_token_id", "eos_token_id", "bos_token_id")]
    for each in candidates:
        for number in each if isinstance(each, list) else [each]:
            if isinstance(number, int) and number != suffix[-1] and 0 <= number < int(source.config["vocab_size"]):
                return number
    raise XltError(f"Model {source.name!r} has no token to pad texts with; write pad_token_id into its config.json.")


def _config(source: Source, task: Task, kind: str, padding: int) -> dict[str, Any]:
    return with_both_spellings(source.config) | {
        "architectures": [f"{kind}ForSequenceClassification"],
        "id2label": {str(number): name for number, name in enumerate(task.names)},
        "label2id": {name: number for number, name in enumerate(task.names)},
        "num_labels": len(task.names),
        "problem_type": "single_label_classification",
        "pad_token_id": padding,
        "tie_word_embeddings": False,
        "dtype": "bfloat16",
        "torch_dtype": "bfloat16",
    }
