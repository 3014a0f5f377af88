"""The codebook of a task as coders read it."""

from __future__ import annotations

from rich.text import Text

from xlt.tasks.spec import Task
from xlt.tui.reading import TextScreen
from xlt.tui.scheme import Scheme, ink
from xlt.tui.words import harmless

KEYS = "1234567890ABCDEFGHIJKLMNOPQRSTUV"
"""As many as a task can have labels."""


def label_keys(task: Task) -> dict[str, str]:
    """Key → label, in the order of the labels: their answers where these are digits, else 1, 2, 3 …"""
    answers = [label.answer for label in task.labels]
    own = all(len(answer) == 1 and answer in KEYS[:10] for answer in answers)
    return dict(zip(answers if own else KEYS, task.names, strict=False))


def label_mark(scheme: Scheme, label: str, dark: bool) -> Text:
    """A label's full name behind its pattern, which is in its colour."""
    found = scheme.of_label(label)
    return Text.assemble((found.shade, ink(found.colour, dark)) if found else " ", f" {label}")


def book_text(task: Task, scheme: Scheme, dark: bool) -> Text:
    """What the label is about, every label, the rules, examples."""
    text = Text()

    def part(title: str) -> None:
        text.append("\n\n" if text else "").append(title + "\n", "bold")

    part("Labels")
    for key, label in label_keys(task).items():
        known = next(each for each in task.labels if each.name == label)
        text.append(f"{key} ", "bold").append_text(label_mark(scheme, label, dark))
        text.append(f"  {known.description}\n" if known.description else "\n", "dim")
    text.right_crop(1)
    book = task.codebook
    if book is None:
        part("Codebook")
        text.append("The task has none. A [codebook] in its file would stand here.", "dim")
        return text
    part("What it is about")
    text.append(book.target)
    part("Not to be coded")
    text.append(book.uncodable)
    if book.rules:
        part("Rules")
        text.append("\n\n".join(f"{rule.about}: {rule.rule}" for rule in book.rules))
    if book.examples:
        part("Examples")
    for at, example in enumerate(book.examples):
        text.append("\n\n" if at else "").append_text(label_mark(scheme, example.label, dark))
        text.append(f"\n“{harmless(example.text)}”\n").append(example.why, "dim")
    text.append(f"\n\nversion {book.version}, {book.hash}", "dim")
    return text


def book_screen(task: Task, scheme: Scheme, dark: bool) -> TextScreen:
    """The codebook over a screen that has no room beside the text."""
    return TextScreen(f"Codebook: {task.title}", book_text(task, scheme, dark))
