"""What stands on the coder's screen, as text."""

from __future__ import annotations

from rich.text import Text

from xlt.corpus.coding import Item
from xlt.corpus.labelled import Run
from xlt.languages import name
from xlt.tui.classify.progress import gauge
from xlt.tui.label.session import Session
from xlt.tui.posts.detail import MOST
from xlt.tui.posts.pages import label_text, percent
from xlt.tui.scheme import Scheme
from xlt.tui.words import harmless, one_line

_GAUGE = 12


def where(session: Session) -> Text:
    """Who does what."""
    does = "settles" if session.role == "adjudicator" else "codes"
    text = Text(f"{one_line(session.coder)} {does} ").append(session.draw.id, "bold")
    return text.append(f"   {one_line(session.task.title)}", "dim")


def count(session: Session, waiting: int) -> Text:
    """How far it is."""
    total, left = session.total.total(), session.left.total()
    text = Text(f"{waiting:,} not written yet   " if waiting else "", "dim")
    return text.append(f"{total - left:,} of {total:,}")


def about(session: Session, item: Item, coded_from: str, competence: str | None, narrow: bool) -> Text:
    """Language, date, how often it was posted, and how the coder reads it; on a narrow screen how far that is."""
    text = Text().append(name(item.lang), "bold")
    if narrow:
        total = session.total[item.lang]
        text.append(f" {total - session.left[item.lang]:,} of {total:,}", "dim")
    parts = [f"{item.created_at:%Y-%m-%d}" if item.created_at else "no date"]
    parts += [f"posted {item.posts:,} times"] if item.posts > 1 else []
    text.append(f"   {'   '.join(parts)}", "dim")
    if coded_from == "translation":
        text.append("   from a translation")
    elif competence is not None:
        text.append(f"   you: {competence}", "dim")
    return text


def body(item: Item) -> Text:
    """The author's words, and apart from them what they quote."""
    own = harmless(item.text)
    text = Text(own[:MOST])
    if len(own) > MOST:
        text.append(f"\n… {len(own) - MOST:,} more characters; y copies the whole text.", "dim")
    if item.quoted_text:
        quoted = harmless(item.quoted_text)[:MOST].replace("\n", "\n│ ")
        text.append(f"\n\nquotes\n│ {quoted}", "dim")
    return text


def said(session: Session, item: Item, model: tuple[Run, str, float] | None, scheme: Scheme, dark: bool) -> Text:
    """What coders and model say of a text, as far as it is to be seen, and the note."""
    text = Text()
    if session.role == "adjudicator":
        for voice in (each for each in item.voices if each.role == "coder"):
            given = label_text(scheme, voice.label, dark) if voice.label else Text("  can't be coded")
            text.append(f"\n{one_line(voice.coder):<12}", "dim").append_text(given)
            text.append(f"   “{one_line(voice.note)}”" if voice.note else "", "dim")
    if (before := session.before()) is not None:
        given = label_text(scheme, before.label, dark) if before.label else Text("  can't be coded")
        text.append("\nso far      ", "dim").append_text(given)
        text.append(f"   {before.coded_at:%Y-%m-%d}; a new label replaces it, s leaves it", "dim")
    if model is not None:
        run, label, confidence = model
        text.append("\nthe model   ", "dim").append_text(label_text(scheme, label, dark))
        text.append(f"  {percent(confidence)}   {run.model}; your label is kept as not blind", "dim")
    if session.sheet.note:
        text.append("\nnote        ", "dim").append(one_line(session.sheet.note))
    return text


def end(session: Session) -> Text:
    """Nothing is left."""
    total = session.total.total()
    done = "settled" if session.role == "adjudicator" else "coded"
    text = Text(f"Done: {total:,} {'text' if total == 1 else 'texts'} {done}.", "bold")
    return text.append("\n\nu goes back to the last one, q to the draws.", "dim not bold")


def last(session: Session, scheme: Scheme, dark: bool) -> Text:
    """What was done a moment ago."""
    step = session.last
    if step is None or (step.given is None and not step.skipped):
        return Text("")
    if step.given is None:
        return Text("before: skipped; it comes back at the end", "dim")
    label = step.given[0].label
    text = Text("before: ", "dim")
    text.append_text(label_text(scheme, label, dark) if label else Text("can't be coded"))
    return text.append("   u takes it back", "dim")


def languages(session: Session) -> Text:
    """How far each language is; the one at hand stands out."""
    text = Text()
    left = session.left
    here = session.item.lang if session.item else None
    for lang, total in sorted(session.total.items(), key=lambda each: (-each[1], each[0])):
        done = total - left[lang]
        text.append("\n" if text else "").append(f"{name(lang)[:14]:<15}", "bold" if lang == here else "")
        text.append(gauge(done / total, _GAUGE), "" if lang == here else "dim").append(
            f" {done:>4,} of {total:,}", "dim"
        )
    return text
