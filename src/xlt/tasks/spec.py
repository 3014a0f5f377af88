"""What a task is: labels, the classes they fall into, a prompt, and a codebook for people."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Literal, get_args

_HANDLE = re.compile(r"(?<![\w.@/])@\w{1,30}(?:@\w[\w.-]*\w)?")
_LINK = re.compile(r"\bhttps?://\S+|\bwww\.\S+", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


Words = Literal["own", "quoted", "own and quoted"]
"""Which words of a post are coded: its author's, those of the post that it quotes, or both."""
WORDS: tuple[Words, ...] = get_args(Words)


@dataclass(frozen=True)
class Label:
    """One answer that a text can get."""

    name: str
    short: str
    """A name that fits a narrow column."""
    answer: str
    """What the model says for it; one token in context, usually a digit."""
    colour: str
    """`#rrggbb`, used in tables and plots and nowhere else."""
    description: str


@dataclass(frozen=True)
class Normalisation:
    """What happens to a text before it is encoded; texts that become equal are scored once."""

    unicode: Literal["NFC", "none"] = "NFC"
    handles: str | None = None
    """What stands in for a handle such as @name; None leaves handles alone."""
    links: str | None = None
    strip: bool = True

    def __call__(self, text: str) -> str:
        """The text as the model will see it. Lone surrogates, which no tokenizer accepts, become U+FFFD."""
        text = _SURROGATE.sub("\ufffd", text)
        if self.unicode == "NFC":
            text = unicodedata.normalize("NFC", text)
        if self.links is not None:
            text = _LINK.sub(self.links, text)
        if self.handles is not None:
            text = _HANDLE.sub(self.handles, text)
        return text.strip() if self.strip else text


@dataclass(frozen=True)
class Rule:
    """How coders decide one kind of case."""

    about: str
    rule: str


@dataclass(frozen=True)
class Example:
    """A text, its label, and why."""

    label: str
    text: str
    why: str


@dataclass(frozen=True)
class Codebook:
    """What people who label by hand go by. `hash` goes into every gold row that they make."""

    version: str
    target: str
    """What the label is about, such as whose stance towards whom."""
    uncodable: str
    """When not to give a label at all."""
    rules: tuple[Rule, ...]
    examples: tuple[Example, ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over everything in the codebook, 16 hexadecimal digits."""
        return _digest(asdict(self))


@dataclass(frozen=True)
class Task:
    """A label scheme with its prompt. The order of `labels` is the order of every probability column."""

    name: str
    version: str
    title: str
    description: str
    labels: tuple[Label, ...]
    groups: dict[str, dict[str, tuple[str, ...]]]
    """Group → class → label names. Labels that a group leaves out are not in its denominator."""
    template: str
    """The prompt with `{text}` once."""
    answer_begins: str
    """What every answer begins with; part of the prompt."""
    max_text_tokens: int
    normalise: Normalisation
    codebook: Codebook | None = None
    coded: Words = "own"
    source: str = field(default="", repr=False, compare=False)
    """The text of a user's own file, which a model tuned for the task keeps; empty for a built-in one."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 over what decides a prediction (not the codebook, colours or titles), 16 hexadecimal digits."""
        coded = {} if self.coded == "own" else {"coded": self.coded}
        return _digest(
            {
                **coded,
                "labels": [(label.name, label.answer) for label in self.labels],
                "template": self.template,
                "answer_begins": self.answer_begins,
                "max_text_tokens": self.max_text_tokens,
                "normalise": asdict(self.normalise),
            }
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The labels' names, in order."""
        return tuple(label.name for label in self.labels)

    def column(self, label: str) -> str:
        """The name of a label's probability column, such as `p_pro_immigration`; at most 32 characters."""
        return column(label)


def column(label: str) -> str:
    """The name of a label's probability column."""
    return f"p_{re.sub(r'[^0-9A-Za-z_]+', '_', label).strip('_').lower()}"[:32]


def _digest(content: object) -> str:
    packed = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(packed.encode()).hexdigest()[:16]
