"""Quantises a model folder to bitsandbytes' NF4, saved as transformers saves it."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

from xlt.backends.common import go_offline
from xlt.cards.files import ModelFiles
from xlt.cards.rope import with_both_spellings
from xlt.disk import write_json
from xlt.errors import XltError


def quantise(folder: Path, out: Path, name: str) -> None:
    """Write weights and `config.json` of an unquantised Hugging Face folder into `out`.

    The linear layers become NF4 with bfloat16 products; embedding, head and norms stay in bfloat16.
    """
    go_offline()
    for library in ("torch", "transformers", "bitsandbytes"):
        if importlib.util.find_spec(library) is None:
            raise XltError(f"NF4 needs {library}: pip install 'xlt[torch]' bitsandbytes.")
    import torch

    from xlt.backends.torch.devices import choose_device
    from xlt.backends.torch.load import load_folder, quiet

    quiet()
    files = ModelFiles(name, "hf", folder)
    with torch.inference_mode():
        model = load_folder(files, choose_device("auto"), torch.bfloat16, quantised=True)
        try:
            model.save_pretrained(str(out), safe_serialization=True)
        except Exception as error:
            # safetensors has an error of its own for what the disk refuses.
            if type(error).__name__ == "SafetensorError":
                raise OSError(0, str(error).splitlines()[0]) from None
            raise
    path = out / "config.json"
    # transformers writes one spelling of the rope.
    write_json(path, with_both_spellings(json.loads(path.read_text(encoding="utf-8"))))
    # transformers lets nobody else read its files.
    for weights in out.glob("*.safetensors"):
        shutil.copymode(path, weights)
