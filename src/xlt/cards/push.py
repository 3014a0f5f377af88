"""Sends an exported model to the Hugging Face hub: the other place, beside pull, that goes online."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from xlt.cards.hub import is_hub_id
from xlt.cards.pull import going_online, no_network
from xlt.errors import UsageError, XltError

README = "README.md"
# Never data, checkpoints, pickles or code.
SEND = (
    *("*.safetensors", "*.gguf", "*.json", "*.jinja", "*.toml", "*.md", "merges.txt"),
    *("LICENSE*", "USE_POLICY*", "SHA256SUMS"),
)
_KEPT_HERE = ("training",)


@dataclass(frozen=True)
class Sent:
    """One file that goes to the hub."""

    path: Path
    name: str
    """Its path in the repository."""
    size: int


def files_to_send(folder: Path) -> list[Sent]:
    """What of a folder goes to the hub, in order. Raises XltError for a folder that was not exported."""
    if not (folder / README).is_file():
        raise XltError(
            f"{folder} has no {README} and was not made for others; make a folder that is with xlt models export NAME "
            "--to release, and push that."
        )
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_dir() or inside.parts[0] in _KEPT_HERE or any(part.startswith(".") for part in inside.parts):
            continue
        if any(fnmatch(path.name, pattern) for pattern in SEND):
            found.append(Sent(path, inside.as_posix(), path.stat().st_size))
    if not any(each.name.endswith((".safetensors", ".gguf")) for each in found):
        raise XltError(f"{folder} holds no weights to push; export the model again.")
    return found


def push(files: list[Sent], repo: str, *, private: bool = False) -> str:
    """Make the repository if it is not there and send the files as one commit; returns the repository's address.

    The token is the hub library's own: HF_TOKEN or `hf auth login`. Raises UsageError for a name that is none,
    XltError without token, right or network.
    """
    check_repo(repo)
    with going_online():
        return _send(files, repo, private)


def check_repo(repo: str) -> None:
    """Raise UsageError for a name that can't be a repository's."""
    if not is_hub_id(repo):
        raise UsageError(f"{repo!r} can't be the name of a repository; it looks like organisation/model.")


def _send(files: list[Sent], repo: str, private: bool) -> str:
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    if not get_token():
        raise XltError("The hub takes nothing without a token; log in with `hf auth login`, or set HF_TOKEN.")
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT", "").rstrip("/") or None)
    try:
        made = api.create_repo(repo, private=private or None, exist_ok=True)
        operations = [CommitOperationAdd(each.name, str(each.path)) for each in files]
        api.create_commit(repo, operations, commit_message="Model exported by xlt")
        return str(made)
    except (HfHubHTTPError, OSError, RuntimeError, ValueError) as error:
        raise _refused(repo, error) from None
    except Exception as error:
        # The library's transport errors are of a package that it changes between versions.
        if any(kind.__name__ in ("TransportError", "HTTPError", "TimeoutException") for kind in type(error).__mro__):
            raise no_network(f"send {repo}") from None
        raise


def _refused(repo: str, error: Exception) -> XltError:
    """A sentence without the library's own words, which may quote what was sent."""
    from huggingface_hub.errors import HfHubHTTPError

    # A failed file comes as a RuntimeError around its cause.
    cause = error if isinstance(error, HfHubHTTPError) else error.__cause__
    if isinstance(cause, HfHubHTTPError):
        status = cause.response.status_code
        if status in (401, 403):
            return XltError(
                f"The hub does not let you write to {repo} (HTTP status {status}); log in with `hf auth login` and a "
                "token that may write there."
            )
        return XltError(f"The hub refused {repo} (HTTP status {status}); push again later.")
    if isinstance(error, OSError) and error.strerror:
        return XltError(f"{repo} can't be sent: {error.strerror.lower()}; push again.")
    return XltError(
        f"{repo} was not sent: the upload broke off, or the hub did not take the {README}'s header; push again."
    )
