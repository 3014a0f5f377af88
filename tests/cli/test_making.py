"""`xlt quantise` and `xlt models merge|export|push|remove`, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Xlt
from models import SENTENCES, write_adapter, write_model
from release.conftest import SIZES
from xlt.cards.card import Card
from xlt.cards.read import FILE, write_card

LABELS = ("pro-immigration", "anti-immigration", "neutral", "unrelated")


@pytest.fixture
def tuned(tmp_path: Path) -> str:
    """A tuned model in the workspace that `xlt` runs in, and labelled texts."""
    base = write_model(tmp_path / "models" / "my-base", **SIZES)
    adapter = write_adapter(tmp_path / "models" / "tuned", base)
    write_card(adapter / FILE, Card("tuned", "Tuned", "", "immigration", ("en",), base="my-base"))
    rows = [
        f'{{"text": "{text[:30]}", "label": "{LABELS[at % 4]}", "lang": "en"}}' for at, text in enumerate(SENTENCES)
    ]
    (tmp_path / "dev.jsonl").write_text("\n".join(rows))
    return "tuned"


def test_merge_quantise_classify_export_push_remove(xlt: Xlt, tuned: str, tmp_path: Path) -> None:
    assert xlt("models", "merge", tuned).out == "models/tuned-merged\n"
    made = xlt("quantize", tuned, "--to", "gguf", "--data", "dev.jsonl", "--name", "small")
    assert made.code == 0, made.err
    heads, *lines = (line.rstrip() for line in made.out.splitlines())
    assert [line.split()[0] for line in (heads, *lines)] == ["language", "English", "all"]
    assert {len(line) for line in lines} == {len(heads)}, "figures stand to the right"
    assert "n = 14:" in made.err
    assert "%|" not in made.err, "a library drew a bar of its own"
    assert "xlt classify FILE -m small" in made.err
    labelled = xlt("classify", "dev.jsonl", "-m", "small", "-o", "out.csv", "--quiet")
    assert labelled.code == 0, labelled.err
    asked = ("quantise", "tuned-merged", "--to", "gguf", "--bits", "8", "--data", "dev.jsonl", "--format", "json")
    assert json.loads(xlt(*asked).out)[-1].keys() == {
        *("language", "n", "same_labels", "macro_f1_before", "macro_f1_after", "lost")
    }
    out = xlt("models", "export", tuned, "--to", "release", "--with", "none")
    assert (out.code, out.out) == (0, "tuned-release\n"), out.err
    listed = xlt("models", "push", "tuned-release", "my/repo", "--dry-run")
    assert "adapter/adapter_model.safetensors\t" in listed.out
    assert "nothing was sent" in listed.err
    gone = xlt("models", "remove", "small", "--yes")
    assert gone.code == 0
    assert not (tmp_path / "models" / "small").exists()
    assert (tmp_path / "models" / "tuned").exists()


def test_a_model_that_lost_too_much_fails(xlt: Xlt, tuned: str, tmp_path: Path) -> None:
    ran = xlt("quantise", tuned, "--to", "gguf", "--data", "dev.jsonl", "--max-loss", "-1")
    assert (ran.code, "is not kept" in ran.sentence) == (1, True)
    assert ran.out == ""
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"my-base", "tuned"}


def test_removal_asks_and_takes_only_what_is_the_workspaces(xlt: Xlt, tuned: str, tmp_path: Path) -> None:
    asked = xlt("models", "remove", tuned)
    assert (asked.code, "add --yes to remove it" in asked.sentence) == (2, True)
    for name in ("xlt-mini", "nothing", "..", "../dev.jsonl", ".", "", str(tmp_path / "models" / tuned)):
        ran = xlt("models", "remove", name, "--yes")
        assert (ran.code, "only models in models can be removed" in ran.sentence) == (2, True), name
    assert "is no model of the workspace but built in" in xlt("models", "remove", "xlt-mini", "--yes").sentence
    outside = write_model(tmp_path / "elsewhere")
    (tmp_path / "models" / "linked").symlink_to(outside)
    assert xlt("models", "remove", "linked", "--yes").code == 2
    assert (outside / "config.json").is_file()
    assert (tmp_path / "models" / tuned).is_dir()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("quantise", "none"), "There is no model 'none'"),
        (("quantise", "tuned", "--to", "awq"), "There is no format 'awq'"),
        (("quantise", "tuned", "--bits", "3"), "mlx and gguf come in 4 and 8 bits"),
        (("quantise", "tuned", "--data", "none.csv", "--to", "gguf"), "There is no file none.csv"),
        (("quantise", "tuned", "--format", "xml"), "--format xml"),
        (("models", "merge", "my-base"), "has no adapter"),
        (("models", "merge", "tuned", "--name", "xlt-mini"), "xlt-mini is the name of a built-in model"),
        (("models", "export", "tuned", "--to", "release", "-o", "models"), "is there already"),
        (("models", "export", "tuned", "--to", "release", "--with", "awq"), "There is no format 'awq'"),
        (("models", "push", "tuned", "my/repo"), "was not made for others"),
        (("models", "push", "tuned", "repo"), "can't be the name of a repository"),
    ],
)
def test_mistakes_are_sentences(arguments: tuple[str, ...], says: str, xlt: Xlt, tuned: str) -> None:
    ran = xlt(*arguments)
    assert ran.code in (1, 2)
    assert says in ran.sentence
    assert ran.sentence.startswith("xlt: ")
