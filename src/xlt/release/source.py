"""Finds the unquantised model that a name stands for: what is merged, quantised and exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xlt.backends.common import read_config, weight_files
from xlt.cards.card import Card, Model
from xlt.cards.files import ModelFiles
from xlt.cards.hashing import model_hash
from xlt.cards.registry import find
from xlt.errors import XltError
from xlt.tasks.load import load_task
from xlt.tasks.spec import Task


@dataclass(frozen=True)
class Source:
    """An unquantised Hugging Face folder, an adapter on it or not."""

    model: Model
    config: dict[str, Any]
    """The base's `config.json`."""

    @property
    def name(self) -> str:
        """The model's short name: what results are called after."""
        return self.card.name if self.card else Path(self.model.name).name.lower()

    @property
    def card(self) -> Card | None:
        """The model's own card."""
        return self.model.card

    @property
    def folder(self) -> Path:
        """Where the base's weights lie."""
        return self.model.files.weights

    @property
    def home(self) -> Path:
        """Where its card lies: the adapter's folder, or the weights'."""
        return self.model.files.adapter or self.folder

    def task(self, wanted: str | None) -> Task:
        """The task of that name or file; without one the model's own, or `immigration`. Raises UsageError, XltError."""
        return load_task(wanted or (self.card.task if self.card and self.card.task else "immigration"))

    @property
    def weights(self) -> list[Path]:
        """The base's safetensors files."""
        return weight_files(self.folder, self.model.name)

    def base_hash(self) -> str:
        """The hash of the base alone."""
        return model_hash(ModelFiles(self.model.name, "hf", self.folder))


def unquantised(name: str, workspace: Path) -> Source:
    """The model of this name in full precision. Raises UsageError for an unknown name, XltError for a quantised one."""
    try:
        model = find(name, backend="torch", workspace=workspace)
    except XltError as error:
        raise _in_mlx_only(name, workspace) or error from None
    if model.files.format == "gguf":
        raise XltError(
            f"Model {name!r} is a GGUF file, which is quantised already; name the model that it was made from."
        )
    config = read_config(model.files.weights, model.name)
    if isinstance(foreign := config.get("quantization_config"), dict):
        what = "its base is" if model.files.adapter else "it is"
        raise XltError(
            f"Model {name!r} can't be merged or quantised: {what} quantised already ({foreign.get('quant_method')}, in "
            f"{model.files.weights}); put the unquantised model in its place."
        )
    return Source(model, config)


def _in_mlx_only(name: str, workspace: Path) -> XltError | None:
    """What to say when the only weights here are MLX's quantised ones."""
    try:
        files = find(name, backend="mlx", workspace=workspace).files
    except XltError:
        return None
    if files.format != "mlx":
        return None
    what = "its base is here only" if files.adapter else "it is"
    return XltError(
        f"Model {name!r} can't be merged or quantised: {what} quantised for MLX already, in {files.weights}; fetch the "
        "unquantised one with `xlt models pull NAME --backend torch`, or name its folder."
    )
