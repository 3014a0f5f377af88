"""The models that `xlt models list` shows: built in, in the workspace, in the hub's cache, or not downloaded yet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xlt.cards import check
from xlt.cards.card import Card
from xlt.cards.hub import cached_repos, snapshot
from xlt.cards.read import FILE, read_card
from xlt.cards.registry import Where, named_cards, shelves
from xlt.errors import XltError


@dataclass(frozen=True)
class Entry:
    """One model."""

    name: str
    where: Literal["built in", "workspace", "hub cache", "not downloaded"]
    size: int
    """Bytes on disk; 0 when it is not there."""
    task: str | None = None
    languages: tuple[str, ...] = ()
    title: str = ""
    parameters: int = 0
    path: Path | None = None
    problem: str = ""
    """Why it can't be used, as one sentence; empty when nothing is known against it."""


def known(workspace: Path) -> list[Entry]:
    """Every model that has a name here. Looks at files, hashes nothing, asks no network."""
    entries: dict[str, Entry] = {}
    for folder, where in shelves(workspace):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = path.stem if path.is_file() else path.name
            # The workspace comes first, as in `find`.
            if check.is_model(path) and name not in entries and not name.startswith("."):
                entries[name] = _entry(name, path, where)
    repos = {repo for card in named_cards(workspace) for repo in card.hub.values()}
    for repo in cached_repos():
        cached = snapshot(repo)
        if repo not in repos and cached is not None and _writes_text(cached):
            entries[repo] = Entry(repo, "hub cache", _size(cached), path=cached, problem=_problem(repo, cached, None))
    return list(entries.values())


def _entry(name: str, path: Path, where: Where) -> Entry:
    place: Literal["built in", "workspace"] = "workspace" if where == "workspace" else "built in"
    if path.is_file():
        return Entry(name, place, _size(path), path=path, problem=_problem(name, path, None))
    try:
        card = read_card(path / FILE) if (path / FILE).is_file() else None
    except XltError as error:
        return Entry(name, place, _size(path), path=path, problem=str(error))
    if card is None or check.has_weights(path) or not card.hub:
        return _of_card(name, place, path, card, _size(path), _problem(name, path, card))
    folders = [folder for repo in card.hub.values() if (folder := snapshot(repo)) is not None]
    if not folders:
        return _of_card(name, "not downloaded", None, card, 0, "")
    problems = [_problem(name, folder, card) for folder in folders]
    # Usable if one of its repositories is whole.
    best = problems.index("") if "" in problems else 0
    return _of_card(name, "hub cache", folders[best], card, sum(map(_size, folders)), problems[best])


def _of_card(
    name: str,
    where: Literal["built in", "workspace", "hub cache", "not downloaded"],
    path: Path | None,
    card: Card | None,
    size: int,
    problem: str,
) -> Entry:
    if card is None:
        return Entry(name, where, size, path=path, problem=problem)
    return Entry(name, where, size, card.task, card.languages, card.title, card.parameters, path, problem)


def _problem(name: str, path: Path, card: Card | None) -> str:
    remedy = f"run `xlt models pull {name}` again" if "snapshots" in path.parts else "copy or download it again"
    try:
        if path.is_file():
            check.check_gguf(path, name, remedy)
        elif check.is_adapter(path):
            check.check_adapter(path, name, remedy)
        elif files := sorted(path.glob("*.gguf")):
            check.check_gguf(files[0], name, remedy)
        else:
            check.check_folder(path, name, remedy)
    except XltError as error:
        return str(error)
    return ""


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(each.stat().st_size for each in files if each.is_file())


def _writes_text(folder: Path) -> bool:
    """Whether a cached repository is a language model; the cache may hold others' speech and image models."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return any(str(each).endswith("ForCausalLM") for each in config.get("architectures") or [])
    except (OSError, ValueError, AttributeError, TypeError):
        return False
