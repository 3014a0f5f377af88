"""What `xlt doctor` finds out, on this machine as it is and with a library taken away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from models import write_model
from xlt.cards.card import Card, Scalar
from xlt.cards.read import write_card
from xlt.doctor import TOKENS, examine
from xlt.errors import UsageError

HUGE: dict[str, Scalar] = {
    "model_type": "llama",
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_hidden_layers": 1260,
    "num_attention_heads": 128,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}


def xlt(*args: str, cwd: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """`xlt ARGS` in a process of its own, after the statements in `before`."""
    code = f"import sys\n{before}\nfrom xlt.cli import main\nsys.argv = ['xlt', *{list(args)!r}]\nmain()"
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a tiny model, and a card of one that no machine here could hold."""
    folder = tmp_path_factory.mktemp("workspace")
    write_model(folder / "models" / "tiny")
    (folder / "models" / "huge").mkdir()
    card = Card("huge", "Huge", "Too big.", hub={"torch": "org/huge", "mlx": "org/huge-4bit"}, shape=HUGE)
    write_card(folder / "models" / "huge" / "card.toml", card)
    return folder


def test_machine_and_models(workspace: Path) -> None:
    report = examine(workspace)
    assert [state.chosen for state in report.backends].count(True) == 1
    assert report.backend is not None
    assert report.backend.availability.usable
    assert 0 < report.free <= report.memory
    models = {model.name: model for model in report.models}
    weights = load_file(workspace / "models" / "tiny" / "model.safetensors")
    tiny, huge = models["tiny"], models["huge"]
    assert tiny.where == "workspace"
    assert tiny.parameters == sum(array.size for array in weights.values())
    assert tiny.fits[0].weights == 2 * tiny.parameters
    # Three layers, keys and values, two heads of 16 numbers, two bytes each.
    assert tiny.fits[0].cache == 3 * 2 * 2 * 16 * 2 * TOKENS
    assert [fit.fits for fit in tiny.fits] == [True, True]
    assert [fit.fits for fit in huge.fits] == [False, False]
    assert huge.fits[0].weights > 3 * huge.fits[1].weights
    assert "llama-3.2-3b" in models, "built-in cards are listed too"


def test_one_model(workspace: Path) -> None:
    assert [model.name for model in examine(workspace, "tiny").models] == ["tiny"]
    by_path = examine(workspace, str(workspace / "models" / "tiny")).models[0]
    assert by_path.fits[0].weights == examine(workspace, "tiny").models[0].fits[0].weights
    assert examine(workspace, "huge").advice[-1] == "Fetch it with: xlt models pull huge"
    with pytest.raises(UsageError, match=r"no model 'tinny'.*Did you mean 'tiny'"):
        examine(workspace, "tinny")


def test_a_folder_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XLT_CACHE", str(tmp_path / "file" / "below"))
    assert any(str(tmp_path / "file" / "below") in each for each in examine(tmp_path).advice)


def test_command_prints_a_table_and_json(workspace: Path) -> None:
    table = xlt("doctor", cwd=workspace)
    assert table.returncode == 0, table.stderr
    huge = next(line for line in table.stdout.splitlines() if line.startswith("huge"))
    assert huge.count("too big") == 2
    tiny = next(line for line in table.stdout.splitlines() if line.startswith("tiny"))
    assert tiny.count("fits") == 2
    assert str(workspace) in table.stdout
    printed = xlt("doctor", "huge", "--format", "json", cwd=workspace)
    found = json.loads(printed.stdout)
    assert printed.stderr == ""
    assert [model["name"] for model in found["models"]] == ["huge"]
    fit = found["models"][0]["fits"][0]
    assert fit["fits"] is False
    assert fit["total"] > fit["weights"] + fit["cache"]
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_command_refuses_an_unknown_model_in_one_sentence(workspace: Path) -> None:
    done = xlt("doctor", "tinny", cwd=workspace)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("xlt: There is no model 'tinny'.")
    assert done.stderr.count("\n") == 1


def test_what_is_missing_is_named(workspace: Path) -> None:
    no_mlx = "sys.modules.update(mlx=None, mlx_lm=None)"
    no_torch = "sys.modules.update(torch=None)"
    if not any(state.name == "mlx" and state.availability.usable for state in examine(workspace).backends):
        pytest.skip("MLX is not installed here")
    one = xlt("doctor", cwd=workspace, before=no_mlx)
    assert one.returncode == 0, one.stderr
    assert "xlt[mlx]" in one.stdout
    none = xlt("doctor", cwd=workspace, before=f"{no_mlx}; {no_torch}")
    assert none.returncode == 1
    assert "No backend works here" in none.stdout
    assert "Traceback" not in none.stderr
    assert next(line for line in none.stdout.splitlines() if line.startswith("tiny")).count("?") == 2


def test_the_command_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = ("torch", "mlx", "transformers", "duckdb", "psutil", "xlt.doctor")
    code = f"import sys, xlt.cli.doctor; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
