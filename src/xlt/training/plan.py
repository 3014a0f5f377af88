"""What a fine-tuning would do: counts, tokens, a marked prompt, steps, memory. Loads no weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from xlt import backends
from xlt.backends.base import Device, Precision
from xlt.backends.common import read_config
from xlt.cards.tokenizer import load_tokenizer
from xlt.errors import UsageError, XltError
from xlt.tasks.render import Renderer
from xlt.training.examples import Example
from xlt.training.job import Tuning
from xlt.training.memory import Memory, refuse_without_memory, training_memory


@dataclass(frozen=True)
class Plan:
    """What a fine-tuning would do."""

    tuning: Tuning
    tokens: dict[str, int]
    """Language → tokens of its texts to train on, each counted once; the shared prefix is not among them."""
    prefix_tokens: int
    cut: int
    """Texts that are longer than the task allows and lose their end."""
    prompt: str
    """A prompt as the model gets it, up to the answer."""
    answer: str
    """What stands after it and is all that is trained."""
    steps: int
    steps_per_epoch: int
    device: Device
    precision: Precision
    memory: Memory | None
    """None when it can't be told from the base's configuration."""
    warnings: tuple[str, ...]
    seconds_per_step: float | None = None
    """None before a step was timed."""

    @property
    def seconds(self) -> float | None:
        """How long all steps take."""
        return None if self.seconds_per_step is None else self.steps * self.seconds_per_step

    def timed(self, seconds_per_step: float) -> Plan:
        """The plan with the time that a step took."""
        return replace(self, seconds_per_step=seconds_per_step)


def make_plan(tuning: Tuning) -> Plan:
    """The plan of a fine-tuning. Raises XltError when the task does not fit the base or the memory does not hold it."""
    files, recipe, train = tuning.base.files, tuning.recipe, tuning.choice.train
    if files.format == "gguf":
        raise XltError(f"{files.name!r} is a GGUF file and can't be tuned; name its Hugging Face folder with --base.")
    if files.adapter is not None:
        raise XltError(f"{files.name!r} is an adapter itself; merge it first (xlt models merge), or tune its base.")
    longest = read_config(files.weights, files.name).get("max_position_embeddings")
    renderer = Renderer(tuning.task, load_tokenizer(files), longest if isinstance(longest, int) else None)
    rendered = renderer.encode([example.text for example in train])
    tokens: Counter[str] = Counter()
    for example, suffix in zip(train, rendered.suffixes, strict=True):
        tokens[example.lang] += len(suffix)
    shown = _typical(train, rendered.suffixes)
    ids, at = renderer.example(train[shown].text, train[shown].label)
    device = _device(tuning)
    precision = recipe.precision if recipe.precision != "auto" else device.precisions[0]
    memory = training_memory(files, recipe, precision, len(renderer.prefix), tokens.total() / len(train))
    tight = refuse_without_memory(files.name, memory, recipe, device.free, device.name) if memory else None
    per_epoch = recipe.steps_per_epoch(len(train))
    return Plan(
        tuning=tuning,
        tokens=dict(sorted(tokens.items())),
        prefix_tokens=len(renderer.prefix),
        cut=sum(rendered.cut),
        prompt=renderer.decode(ids[:at]),
        answer=renderer.decode(ids[at:]),
        steps=per_epoch * recipe.epochs,
        steps_per_epoch=per_epoch,
        device=device,
        precision=precision,
        memory=memory,
        warnings=(*tuning.choice.warnings, *([tight] if tight else [])),
    )


def _typical(examples: Sequence[Example], suffixes: Sequence[Sequence[int]]) -> int:
    """The position of the example of middle length."""
    order = sorted(range(len(examples)), key=lambda here: (len(suffixes[here]), examples[here].text))
    return order[len(order) // 2]


def _device(tuning: Tuning) -> Device:
    devices = backends.get(tuning.backend).availability().devices
    if tuning.device == "auto":
        return devices[0]
    wanted = {"cuda": "cuda:0"}.get(tuning.device, tuning.device)
    found = next((device for device in devices if device.name == wanted), None)
    if found is None:
        names = ", ".join(device.name for device in devices)
        raise UsageError(f"There is no device {tuning.device!r} for {tuning.backend}; there are auto, {names}.")
    return found
