"""`xlt tasks` and `xlt models`."""

from __future__ import annotations

import json

from cli.conftest import Xlt


def test_tasks_list_and_show(xlt: Xlt) -> None:
    assert "immigration-published" in xlt("tasks", "list").out
    shown = xlt("tasks", "show", "immigration").out
    assert "Target: The stance is towards migrants" in shown
    assert "- irony:" in shown
    prompt = xlt("tasks", "show", "immigration", "--prompt").out
    assert prompt.startswith("Which label fits the tweet best?")
    assert "{text}\nLabel: " in prompt
    wrong = xlt("tasks", "show", "nope")
    assert (wrong.code, "There is no task 'nope'" in wrong.sentence) == (2, True)


def test_models_list_and_show(xlt: Xlt, tiny: str) -> None:
    listed = xlt("models", "list")
    assert listed.code == 0
    assert "llama-3.2-3b" in listed.out
    entries = json.loads(xlt("models", "list", "--format", "json").out)
    assert {"name", "where", "languages"} <= set(entries[0])
    assert xlt("models", "list", "--format", "xml").code == 2
    shown = xlt("models", "show", tiny)
    assert shown.code == 0, shown.err
    assert "hash  " in shown.out
    scores = [
        line for line in xlt("models", "show", "xlt-mini").out.splitlines() if line.startswith("always unrelated:")
    ]
    assert len(scores) == 1, "what was measured on the same texts stands on one line"
    assert "accuracy" in scores[0]
    assert "macro-F1" in scores[0]
    missing = xlt("models", "show", "llama-3.2-3b")
    assert missing.code == 1
    assert "xlt models pull llama-3.2-3b" in missing.sentence


def test_pull_without_a_network_is_a_sentence(xlt: Xlt) -> None:
    assert xlt("models", "pull", "no-such-model").code == 2
