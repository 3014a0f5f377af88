"""How a name that a user gives becomes a checked model. Never touches the network.

Order: a path; `<workspace>/models/NAME`; a built-in card or model; a hub id that is complete in the local cache.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from xlt.bundled import bundled
from xlt.cards import check
from xlt.cards.card import Card, Model
from xlt.cards.files import Format, ModelFiles
from xlt.cards.hashing import model_hash
from xlt.cards.hub import is_hub_id, snapshot
from xlt.cards.read import FILE, read_card
from xlt.errors import UsageError, XltError

Where = Literal["path", "workspace", "built in", "hub cache"]

TASK = "task.toml"
DEFAULT = "xlt-mini"
DEFAULT_NOTE = (
    f"No model was named, so the embedded {DEFAULT} is used: it is for trying xlt; for research name a tuned model "
    "with --model."
)
_REMEDY: dict[Where, str] = {
    "path": "copy or download it again",
    "workspace": "copy or download it again",
    "built in": "install xlt again",
    "hub cache": "run `xlt models pull {name}` again",
}


@dataclass(frozen=True)
class Place:
    """Where a name leads, before its files are checked."""

    path: Path
    where: Where
    card: Card | None = None

    def remedy(self, name: str) -> str:
        """What a user does when its files are not whole."""
        return _REMEDY[self.where].format(name=name)


def default_name(workspace: Path, backend: str) -> str:
    """The model used when none is named: the embedded one. Say `DEFAULT_NOTE` when it is used."""
    return DEFAULT


def find(name: str, *, backend: str, workspace: Path) -> Model:
    """The model of this name, its files checked to be whole and hashed.

    `backend` (`torch` or `mlx`) decides which of a card's hub repositories is meant. Raises UsageError for an
    unknown name, XltError when the model is not on this machine, not whole, or can't run on the backend.
    """
    place = locate(name, backend, workspace)
    files, card = _assemble(name, place, backend, workspace)
    if files.format == "mlx" and backend != "mlx":
        raise XltError(
            f"Model {name!r} is quantised for MLX and can't run on PyTorch; use --backend mlx, or name the "
            "unquantised model."
        )
    return Model(files, card, model_hash(files))


def locate(name: str, backend: str, workspace: Path) -> Place:
    """Where the name leads. Raises as `find` does."""
    if not name.strip():
        raise UsageError("The model's name is empty; `xlt models list` shows what there is.")
    path = Path(name).expanduser()
    spelt = _spelt_as_path(name)
    if path.exists() and (spelt or "/" in name or check.is_model(path) or path.suffix.lower() in check.WEIGHTS):
        if path.is_file() and not check.is_model(path):
            raise check.refuse_file(path)
        return _from_folder(name, path, "path", backend)
    if not spelt and "/" not in name:
        for folder, where in shelves(workspace):
            for found in (folder / name, folder / f"{name}.gguf"):
                if check.is_model(found):
                    return _from_folder(name, found, where, backend)
    elif (found := workspace / "models" / name).is_file() and check.is_model(found):
        return Place(found, "workspace")
    if spelt:
        raise UsageError(f"There is no model at {name}.")
    if is_hub_id(name):
        return _from_hub(name, _card_of_repo(name, workspace), [name], gated=_is_gated(name, workspace))
    raise _unknown(name, workspace)


def shelves(workspace: Path) -> list[tuple[Path, Where]]:
    """The folders whose entries are models, in the order in which they are looked through."""
    return [(workspace / "models", "workspace"), (bundled("models"), "built in")]


def refuse_built_in(name: str) -> None:
    """Raise UsageError for a name under which a new model would hide a built-in one, which it may rest on."""
    if bundled("models", name, FILE).is_file():
        raise UsageError(f"{name} is the name of a built-in model; choose another --name.")


def named_cards(workspace: Path) -> list[Card]:
    """The cards that can be read, of the workspace and built in; the workspace's come first."""
    cards = []
    for folder, _ in shelves(workspace):
        for path in sorted(folder.glob(f"[!.]*/{FILE}")):
            try:
                cards.append(read_card(path))
            except XltError:
                continue  # It is refused when it is named.
    return cards


def repos_of(card: Card, backend: str) -> list[str]:
    """The card's hub repositories that the backend can run, the preferred one first."""
    order = ["mlx", "torch"] if backend == "mlx" else ["torch"]
    return [card.hub[each] for each in order if each in card.hub]


def _spelt_as_path(name: str) -> bool:
    """Whether a name can only be meant as a path."""
    return name.startswith(("/", "./", "../", "~")) or "\\" in name or name.count("/") > 1 or name.endswith(".gguf")


def _from_folder(name: str, path: Path, where: Where, backend: str) -> Place:
    card = read_card(path / FILE) if (path / FILE).is_file() else None
    if card is not None and (path / TASK).is_file():
        # A task of the user's own lies beside the model that was tuned for it.
        card = replace(card, task=str(path / TASK))
    if path.is_file() or card is None or check.has_weights(path) or not card.hub:
        return Place(path, where, card)
    repos = repos_of(card, backend)
    if not repos:
        raise XltError(f"Model {name!r} has no repository for the backend {backend}; use --backend mlx.")
    return _from_hub(name, card, repos, gated=card.gated and repos[0] == card.hub.get("torch"))


def _from_hub(name: str, card: Card | None, repos: list[str], gated: bool) -> Place:
    """The first repository that is whole in the cache; else why not."""
    problem: XltError | None = None
    for repo in repos:
        folder = snapshot(repo)
        if folder is None:
            continue
        place = Place(folder, "hub cache", card)
        try:
            _check(name, place)
        except XltError as error:
            problem = problem or error
        else:
            return place
    raise problem or not_here(name, repos[0], gated)


def not_here(name: str, repo: str, gated: bool) -> XltError:
    """What to say of a hub model that was never downloaded."""
    licence = (
        f" after accepting its licence at https://huggingface.co/{repo} and logging in with `hf auth login`"
        if gated
        else ""
    )
    return XltError(f"Model {name!r} is not on this machine; fetch it with `xlt models pull {name}`{licence}.")


def _assemble(name: str, place: Place, backend: str, workspace: Path) -> tuple[ModelFiles, Card | None]:
    """Check the files that a place holds; an adapter is joined with its base."""
    if not check.is_adapter(place.path):
        form, weights = _check(name, place)
        return ModelFiles(name, form, weights), place.card
    config = check.check_adapter(place.path, name, place.remedy(name))
    base, form, weights = _base(name, place, config, backend, workspace)
    if form == "gguf":
        raise XltError(f"Adapter {name!r} can't be put on {base}, a GGUF file; use the base's Hugging Face folder.")
    return ModelFiles(name, form, weights, adapter=place.path), place.card


def _check(name: str, place: Place) -> tuple[Format, Path]:
    """Format and path of the weights of anything but an adapter; an adapter's own files are checked too."""
    path, remedy = place.path, place.remedy(name)
    if path.is_dir() and check.is_adapter(path):
        check.check_adapter(path, name, remedy)
        return "hf", path
    if path.is_dir() and not (path / "config.json").exists() and len(files := sorted(path.glob("*.gguf"))) == 1:
        path = files[0]
    if path.is_file():
        check.check_gguf(path, name, remedy)
        return "gguf", path
    return check.check_folder(path, name, remedy), path


def _base(
    name: str, place: Place, config: dict[str, object], backend: str, workspace: Path
) -> tuple[str, Format, Path]:
    """Name, format and path of an adapter's base: as its card, PEFT's or mlx-lm's entry calls it."""
    named = [place.card.base if place.card else None, config.get("base_model_name_or_path"), config.get("model")]
    bases = list(dict.fromkeys(base for base in named if isinstance(base, str) and base.strip()))
    # The exact repository may be missing while the backend's own conversion of it is there.
    bases += [card.name for base in bases if (card := _card_of_repo(base, workspace)) and card.name not in bases]
    if not bases:
        raise XltError(
            f'Adapter {name!r} does not name its base; write `base = "..."` into {place.path / FILE}, or '
            f"`base_model_name_or_path` into its {check.ADAPTER_CONFIG}."
        )
    problem: XltError | None = None
    for base in bases:
        try:
            beside = place.path / base
            found = Place(beside, "path") if check.is_model(beside) else locate(base, backend, workspace)
            if found.path.is_dir() and check.is_adapter(found.path):
                raise XltError(f"Adapter {name!r} sits on {base!r}, which is an adapter itself; merge that one first.")
            return (base, *_check(base, found))
        except XltError as error:
            problem = problem or error
    raise XltError(f"Adapter {name!r} needs its base model: {problem}")


def _card_of_repo(repo: str, workspace: Path) -> Card | None:
    return next((card for card in named_cards(workspace) if repo in card.hub.values()), None)


def _is_gated(repo: str, workspace: Path) -> bool:
    return any(card.gated and card.hub.get("torch") == repo for card in named_cards(workspace))


def _unknown(name: str, workspace: Path) -> UsageError:
    if check.is_unfinished(workspace / "models" / name):
        return UsageError(
            f"Model {name!r} is half trained: go on with the command that began it (in {workspace / 'models' / name}/"
            "training/config.json) and --resume."
        )
    names = known_names(workspace)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listed = ", ".join(names) or "none"
    return UsageError(
        f"There is no model {name!r}.{hint} Known are {listed}; a folder, a .gguf file or a hub id "
        "(organisation/model) will do too."
    )


def known_names(workspace: Path) -> list[str]:
    """The short names that `find` understands."""
    names: dict[str, None] = {}
    for folder, _ in shelves(workspace):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if check.is_model(path) and not path.name.startswith("."):
                names[path.stem if path.is_file() else path.name] = None
    return list(names)
