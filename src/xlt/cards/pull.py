"""Fetches a model from the Hugging Face hub into its local cache; this and push are all that goes online."""

from __future__ import annotations

import importlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xlt.cards.card import Card, Model
from xlt.cards.hub import hub_cache, is_hub_id
from xlt.cards.registry import find, locate, named_cards, repos_of
from xlt.errors import UsageError, XltError

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all; from any thread, one at a time."""

# Weights as safetensors, configuration, tokenizer, licence: never a pickle or code. From the top folder only.
ALLOW = ["*.safetensors", "*.json", "merges.txt", "LICENSE*", "USE_POLICY*", "README.md"]
IGNORE = ["*/*"]
_HUB = "https://huggingface.co"


def pull(name: str, *, backend: str, workspace: Path, progress: Progress | None = None) -> Model:
    """Fetch a card's or a hub id's files and return the checked model; what is there already is not fetched again.

    Without `progress` the hub library shows its own bars on stderr. A gated model needs its licence accepted and a
    token (`hf auth login` or HF_TOKEN). Raises UsageError for a name that is no hub model; XltError in one sentence
    without network, licence, disk space, or when the repository has no safetensors.
    """
    repo = repo_of(name, backend, workspace)
    with going_online():
        _fetch(repo, progress)
    return find(name, backend=backend, workspace=workspace)


def repo_of(name: str, backend: str, workspace: Path) -> str:
    """The hub repository that a name means for a backend. Raises UsageError when it means none."""
    card = _card(name, workspace)
    if card is not None and (repos := repos_of(card, backend)):
        return repos[0]
    if card is None and is_hub_id(name):
        return name
    place = locate(name, backend, workspace)
    raise UsageError(f"Model {name!r} is no hub model: its files are in {place.path}.")


def _card(name: str, workspace: Path) -> Card | None:
    return next((card for card in named_cards(workspace) if card.name == name), None)


@contextmanager
def going_online() -> Iterator[None]:
    """Lift offline mode, which everything else runs under; telemetry stays off."""
    from huggingface_hub import constants

    wanted = {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    before = {key: os.environ.get(key) for key in wanted}
    offline, telemetry = constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY
    os.environ.update(wanted)
    # The library reads its environment once, when it is imported.
    constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY = False, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY = offline, telemetry
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _fetch(repo: str, progress: Progress | None) -> None:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    try:
        info = HfApi(endpoint=endpoint).model_info(repo, files_metadata=True, timeout=30)
        sizes = {each.rfilename: each.size or 0 for each in info.siblings or [] if _wanted(each.rfilename)}
        if not any(file.endswith(".safetensors") for file in sizes):
            raise XltError(
                f"The hub's {repo} holds no safetensors, and pickles are refused; choose another model or conversion."
            )
        total = sum(sizes.values())
        _check_space(repo, total)
        extra: dict[str, Any] = {} if progress is None else {"tqdm_class": _bar(progress, total)}
        snapshot_download(
            repo, cache_dir=hub_cache(), endpoint=endpoint, allow_patterns=ALLOW, ignore_patterns=IGNORE, **extra
        )
        if progress is not None:
            progress(total, total)  # What was there already was not counted.
    except HFValidationError:
        raise UsageError(f"{repo!r} can't be the name of a hub model; it looks like organisation/model.") from None
    except GatedRepoError:
        raise XltError(
            f"The hub gives {repo} only to those who accepted its licence: accept it at {_HUB}/{repo}, log in with "
            "`hf auth login`, and pull again."
        ) from None
    except RepositoryNotFoundError:
        raise XltError(
            f"The hub has no model {repo}, or it is private: check the name at {_HUB}/{repo}, and log in with "
            "`hf auth login` if it is yours."
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise XltError(f"The hub refused {repo} (HTTP status {status}); try again later.") from None
    except LocalEntryNotFoundError:
        raise no_network(f"fetch {repo}") from None
    except OSError as error:
        raise _from_system(repo, error) from None
    except Exception as error:
        # The library's transport errors are of a package that it changes between versions.
        if any(kind.__name__ in ("TransportError", "HTTPError", "TimeoutException") for kind in type(error).__mro__):
            raise no_network(f"fetch {repo}") from None
        raise


def _wanted(file: str) -> bool:
    from fnmatch import fnmatch

    return any(fnmatch(file, each) for each in ALLOW) and not any(fnmatch(file, each) for each in IGNORE)


def _check_space(repo: str, total: int) -> None:
    folder = hub_cache()
    while not folder.exists():
        folder = folder.parent
    # What an earlier pull left counts as free space.
    left = hub_cache() / f"models--{repo.replace('/', '--')}" / "blobs"
    there = sum(path.stat().st_size for path in left.glob("*")) if left.is_dir() else 0
    free = shutil.disk_usage(folder).free
    if total > free + there:
        raise XltError(
            f"{repo} takes {total / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free; free some space, or set "
            "HF_HOME to a folder on another disk."
        )


def no_network(what: str) -> XltError:
    """What to say when the hub does not answer. `what` is what was wanted: `fetch org/model`."""
    return XltError(
        f"The hub can't be reached to {what}; check the network or the proxy, and run the same command again (what "
        "was done is kept)."
    )


def _from_system(repo: str, error: OSError) -> XltError:
    if isinstance(error, ConnectionError | TimeoutError):
        return no_network(f"fetch {repo}")
    reason = (error.strerror or str(error).splitlines()[0] if str(error) else type(error).__name__).lower()
    return XltError(f"{repo} can't be kept in {hub_cache()}: {reason}; mend that and pull again.")


def _bar(progress: Progress, total: int) -> type[Any]:
    """A silent progress bar for the hub library that reports bytes to `progress`, never going back."""
    lock, reported = threading.Lock(), [0]
    tqdm: Any = importlib.import_module("tqdm.auto").tqdm

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            self.sink = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            super().__init__(*args, **{**kwargs, "file": self.sink, "disable": False})

        def update(self, n: float | None = 1) -> None:
            super().update(n)
            # One bar counts files; two count bytes, as received and as written.
            if self.unit == "B":
                with lock:
                    if (done := min(int(self.n), total)) > reported[0]:
                        reported[0] = done
                        progress(done, total)

        def close(self) -> None:
            super().close()
            if not self.sink.closed:
                self.sink.close()

    return Bar
