"""What both trainers do alike: which matrices get an update, whether an adapter fits, what to say when one does not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from xlt.backends.base import Loaded, Prompt
from xlt.backends.training import Adapter, Course, Lora
from xlt.errors import UsageError, XltError

_LAYER = re.compile(r"(?:^|\.)(\d+)\.")


def in_a_layer(path: str) -> bool:
    """Whether a module lies in one of the model's numbered layers."""
    return _LAYER.search(path) is not None


def chosen(linear: Sequence[str], lora: Lora, name: str) -> list[str]:
    """Those of the linear modules in the layers of model `name` that `lora` means, in their order.

    Raises UsageError for a target or a number of layers that the model does not have.
    """
    known = sorted({path.rpartition(".")[2] for path in linear})
    if not known:
        raise XltError(f"Model {name!r} has no linear layers that LoRA could be put on; choose another base.")
    unknown = [target for target in lora.targets if target not in known]
    if unknown:
        raise UsageError(f"Model {name!r} has no linear layers called {unknown[0]!r}; it has {', '.join(known)}.")
    count = 1 + max(map(_layer, linear))
    if lora.layers > count:
        raise UsageError(f"Model {name!r} has {count} layers, so LoRA can't be put on the last {lora.layers}.")
    first = count - lora.layers if lora.layers else 0
    wanted = lora.targets or known
    return [path for path in linear if _layer(path) >= first and path.rpartition(".")[2] in wanted]


def check_fit(adapter: Adapter, shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    """Raise XltError unless an adapter has updates of these shapes, (down, up) by path, and no others."""
    if adapter.keys() != shapes.keys():
        strange = min(adapter.keys() ^ shapes.keys())
        raise XltError(f"The adapter does not fit this model and recipe: {strange!r} is in one of them only.")
    for path, pair in adapter.items():
        for given, expected in zip((pair.down.shape, pair.up.shape), shapes[path], strict=True):
            if given != expected:
                raise XltError(
                    f"The adapter does not fit this model and recipe: {path!r} has the shape {given} and should have "
                    f"{expected}."
                )


def check_lengths(prompt: Prompt, suffixes: Sequence[Sequence[int]], loaded: Loaded) -> None:
    """Raise XltError for a prompt that is longer than the model was made for."""
    tokens = len(prompt.prefix) + max(map(len, suffixes))
    if tokens > loaded.max_tokens:
        raise XltError(f"A prompt of {tokens} tokens is longer than the {loaded.max_tokens} this model was made for.")


def too_large(course: Course) -> str:
    """What to say when the memory does not hold a pass."""
    now = course.pass_tokens
    also = "" if course.checkpointing else ", or --set checkpointing=true"
    return f"The memory does not hold a pass of {now} tokens: lower it with --set pass_tokens={max(1, now // 2)}{also}."


def _layer(path: str) -> int:
    found = _LAYER.search(path)
    assert found
    return int(found[1])
