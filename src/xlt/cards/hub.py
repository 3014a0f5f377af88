"""The local Hugging Face cache: looked at by its documented layout, without importing the hub's library or asking it.

`models--ORG--NAME/refs/main` holds a commit, `snapshots/COMMIT/` the files (links into `blobs/`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from xlt.cards.read import HUB_ID


def is_hub_id(name: str) -> bool:
    """Whether a name can be a hub repository: `organisation/model`."""
    return bool(re.fullmatch(HUB_ID, name)) and ".." not in name and "--" not in name


def hub_cache() -> Path:
    """The cache folder that the hub's own library uses, by the same environment variables."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if given := os.environ.get(variable):
            return _expanded(given)
    home = os.environ.get("HF_HOME")
    if home:
        return _expanded(home) / "hub"
    return _expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface" / "hub"


def snapshot(repo: str) -> Path | None:
    """The folder of a repository's files as last downloaded, complete or not; None when nothing is there."""
    folder = hub_cache() / f"models--{repo.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    found = folder / "snapshots" / commit
    return found if commit and found.is_dir() else None


def cached_repos() -> Iterator[str]:
    """Every model repository with a snapshot in the cache."""
    cache = hub_cache()
    for folder in sorted(cache.glob("models--*--*")) if cache.is_dir() else ():
        repo = folder.name.removeprefix("models--").replace("--", "/", 1)
        if is_hub_id(repo) and snapshot(repo) is not None:
            yield repo


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(path)).expanduser()
