"""How a tweet becomes token ids: one function for training, evaluation and classification.

Layout: `prefix | lead + tweet + tail | answer`. The prefix (the instruction, BOS included) is encoded once. What
follows is encoded as one piece together with the spaces in front of the tweet, because pieces encoded apart differ
from the whole. An answer's leading tokens belong to the prompt; answers differ in their one last token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xlt.errors import XltError
from xlt.tasks.spec import Task

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

# Ends of tweets after which a tokenizer might glue the tail differently.
_PROBES = ("a", "1", "word.", "😀", "日本", "x http", "#tag", "\n-", "é", "…")
# No token of a real vocabulary spans more characters than this on average; the rest can't be needed.
_CHARS_PER_TOKEN = 64


@dataclass(frozen=True)
class Rendered:
    """Token ids of some texts: what follows the prefix, up to the token that answers."""

    suffixes: list[list[int]]
    cut: list[bool]
    """Whether a text was too long and lost its end."""


@dataclass(frozen=True)
class Layout:
    """What stands around a tweet: enough to write the same prompt elsewhere, such as inside a tokenizer."""

    prefix: tuple[int, ...]
    """Ids of the instruction, BOS included."""
    lead: str
    """Characters in front of the tweet that are encoded with it."""
    tail: str
    """Characters behind it that are encoded with it."""
    closing: tuple[int, ...]
    """Ids after that, up to the token that answers."""


class Renderer:
    """A task's prompt in one tokenizer's ids.

    prefix: ids of the instruction, BOS once if the tokenizer uses one.
    labels: one id per label, all different.
    """

    def __init__(self, task: Task, tokenizer: Tokenizer, max_tokens: int | None = None) -> None:
        """`max_tokens` is what the model was made for. Raises XltError when the task does not fit the tokenizer."""
        # A copy, because the flags below are the tokenizer's own state.
        self._tokenizer: Tokenizer = type(tokenizer).from_str(tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.task = task
        before, after = task.template.split("{text}")
        instruction = before.rstrip(" ")
        self._lead = before[len(instruction) :]
        self._tail, self._closing = self._split_at_special(after + task.answer_begins)
        self.prefix = self._with_bos(self._tokenizer.encode(instruction, add_special_tokens=False).ids)
        closings = [
            self._tokenizer.encode(self._closing + label.answer, add_special_tokens=False).ids for label in task.labels
        ]
        # From here on special tokens are plain text: a tweet may spell `<|eot_id|>`, it may not end the prompt.
        self._tokenizer.encode_special_tokens = True
        self._answer_glued = "" if self._closing else task.labels[0].answer
        self.labels = self._label_ids(closings)
        self._closing_ids = closings[0][:-1] if self._closing else []
        self.max_text_tokens = self._room(max_tokens)

    @property
    def layout(self) -> Layout:
        """What stands around a tweet."""
        return Layout(self.prefix, self._lead, self._tail, tuple(self._closing_ids))

    def encode(self, texts: Sequence[str]) -> Rendered:
        """Suffixes of normalised texts. A text that is too long is cut first, then encoded with its tail."""
        suffixes: list[list[int]] = []
        cut: list[bool] = []
        clipped = [text[: self.max_text_tokens * _CHARS_PER_TOKEN] for text in texts]
        encodings = self._tokenizer.encode_batch([self._piece(text) for text in clipped], add_special_tokens=False)
        for text, clip, encoding in zip(texts, clipped, encodings, strict=True):
            shortened, final = self._shorten(clip, encoding)
            suffixes.append(self._finish(final))
            cut.append(len(shortened) < len(text))
        return Rendered(suffixes, cut)

    def example(self, text: str, label: str) -> tuple[list[int], int]:
        """All ids of a training example, answer last, and the position of the answer in them."""
        answer = self.labels[self.task.names.index(label)]
        ids = [*self.prefix, *self.encode([text]).suffixes[0], answer]
        return ids, len(ids) - 1

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens spelt out: what `--plan` shows."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def _piece(self, text: str) -> str:
        return self._lead + text + self._tail + self._answer_glued

    def _finish(self, encoding: Encoding) -> list[int]:
        ids: list[int] = encoding.ids
        # The answer is encoded along, so that the tokens before it are those of a full example; then it goes.
        return ids + self._closing_ids if self._closing else ids[:-1]

    def _shorten(self, text: str, encoding: Encoding) -> tuple[str, Encoding]:
        """Drop the end of the text until its piece fits; the lead and the tail stay whole."""
        room = self.max_text_tokens + self._overhead
        while len(encoding.ids) > room and text:
            excess = len(encoding.ids) - room
            end = len(self._lead) + len(text)
            inside = [start for start, _ in encoding.offsets if start < end]
            kept = inside[max(0, len(inside) - excess)] - len(self._lead) if inside else 0
            # Cutting may split a merge and leave as many tokens as before, so give way by one character at least.
            text = text[: max(0, min(kept, len(text) - 1))]
            encoding = self._tokenizer.encode(self._piece(text), add_special_tokens=False)
        return text, encoding

    def _room(self, max_tokens: int | None) -> int:
        self._overhead = len(self._tokenizer.encode(self._piece(""), add_special_tokens=False).ids)
        room = self.task.max_text_tokens
        if max_tokens is not None:
            room = min(room, max_tokens - len(self.prefix) - self._overhead - len(self._closing_ids) - 1)
        if room < 8:
            raise XltError(
                f"The prompt of task {self.task.name!r} takes {len(self.prefix) + self._overhead} tokens and leaves no "
                f"room for a tweet in this model's {max_tokens}; shorten the prompt."
            )
        return room

    def _with_bos(self, ids: list[int]) -> tuple[int, ...]:
        """Put in front what the tokenizer itself puts in front of a text, unless the template spells it."""
        plain = self._tokenizer.encode("a", add_special_tokens=False).ids
        full = self._tokenizer.encode("a", add_special_tokens=True).ids
        start = next((i for i in range(len(full)) if full[i : i + len(plain)] == plain), 0)
        bos = full[:start]
        return tuple(ids if ids[: len(bos)] == bos else [*bos, *ids])

    def _split_at_special(self, text: str) -> tuple[str, str]:
        """Split before the first special token that the template spells; such a token is a boundary anyway."""
        spelt = [
            text.find(token.content)
            for token in self._tokenizer.get_added_tokens_decoder().values()
            if token.special and token.content in text
        ]
        at = min(spelt, default=len(text))
        return text[:at], text[at:]

    def _label_ids(self, closings: list[list[int]]) -> tuple[int, ...]:
        """The id in which each label's answer differs, the same after every probe."""
        found: tuple[int, ...] | None = None
        for probe in _PROBES:
            if self._closing:
                encoded = closings
            else:
                start = self._lead + probe + self._tail
                pieces = [start + label.answer for label in self.task.labels]
                encoded = [e.ids for e in self._tokenizer.encode_batch(pieces, add_special_tokens=False)]
            ids = self._distinct_last(encoded)
            if found is not None and ids != found:
                raise self._unfit(f"the tokens of its answers change with the text before them ({probe!r})")
            found = ids
        assert found is not None
        return found

    def _distinct_last(self, encoded: list[list[int]]) -> tuple[int, ...]:
        labels = self.task.labels
        first = encoded[0]
        seen: dict[tuple[int, ...], str] = {}
        for label, ids in zip(labels, encoded, strict=True):
            twin = seen.setdefault(tuple(ids), label.name)
            if twin != label.name:
                raise self._unfit(f"it encodes the answers of {twin!r} and {label.name!r} to the same tokens")
        for label, ids in zip(labels[1:], encoded[1:], strict=True):
            if len(ids) != len(first) or ids[:-1] != first[:-1]:
                raise self._unfit(
                    f"the answers {labels[0].answer!r} ({labels[0].name}) and {label.answer!r} ({label.name}) "
                    "don't share all tokens but the last"
                )
        return tuple(ids[-1] for ids in encoded)

    def _unfit(self, reason: str) -> XltError:
        return XltError(
            f"Task {self.task.name!r} does not fit this model's tokenizer: {reason}; "
            f"use the digits 1 to {min(9, len(self.task.labels))} as answers."
        )
