"""Task files: the built-in ones are sound, bad ones are refused with line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from xlt.errors import UsageError, XltError
from xlt.tasks.load import builtin_names, load_task, parse_task

GOOD = """name = "weather"
version = "1"

[[labels]]
name = "wet"
answer = "1"

[[labels]]
name = "dry"
answer = "2"

[groups.sky]
wet = ["wet"]
dry = ["dry"]

[prompt]
template = "Weather? {text}\\nLabel:"

[codebook]
version = "1"
target = "the weather"
uncodable = "no weather"
"""


def test_a_users_own_task_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weather.toml"
    path.write_text(GOOD, encoding="utf-8")
    task = load_task(str(path))
    assert task.names == ("wet", "dry")
    assert task.labels[0].short == "wet"
    assert task.answer_begins == " "
    assert task.groups == {"sky": {"wet": ("wet",), "dry": ("dry",)}}
    assert task.codebook is not None
    assert task.codebook.target == "the weather"


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('name = "weather"', 'name = "Weather!"', 1, "small letters"),
        ('answer = "2"', 'answer = "1"', 10, "the same answer '1'"),
        ('name = "dry"', 'name = "wet"', 9, "two labels are called 'wet'"),
        ('answer = "1"', "answer = 1", 6, "'answer' of label 1 must be text"),
        ('answer = "1"', 'anwser = "1"', 6, "no key 'anwser'"),
        ('dry = ["dry"]', 'dry = ["rain"]', 14, "'rain', which is no label"),
        ('dry = ["dry"]', 'dry = ["wet"]', 14, "counts 'wet' twice"),
        ("{text}", "the text", 17, "{text} once, not 0"),
        ("{text}", "{text} {text}", 17, "{text} once, not 2"),
        ('version = "1"\n\n[[', "\n[[", 1, "lacks 'version'"),
        ('target = "the weather"', "", 19, "lacks 'target'"),
        ("[prompt]", "[promt]", 16, "no key 'promt'"),
        (
            "[codebook]",
            '[text]\ncoded = "all"\n\n[codebook]',
            20,
            "coded must be 'own', 'quoted', 'own and quoted', not 'all'",
        ),
    ],
)
def test_a_bad_file_is_refused_with_line_and_reason(old: str, new: str, line: int, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(XltError) as raised:
        parse_task(GOOD.replace(old, new, 1), "weather.toml")
    assert str(raised.value).startswith(f"weather.toml, line {line}: ")
    assert reason in str(raised.value)


def test_broken_toml_names_the_line() -> None:
    with pytest.raises(XltError, match=r"weather.toml is no valid TOML: .*line 2"):
        parse_task('name = "x"\nversion = = 1\n', "weather.toml")


def test_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="immigration, immigration-published, sentiment"):
        load_task("imigration")
    with pytest.raises(UsageError, match="no task file"):
        load_task("nowhere/own.toml")


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_tasks_have_a_whole_codebook(name: str) -> None:
    task = load_task(name)
    assert task.codebook is not None
    assert {example.label for example in task.codebook.examples} <= set(load_task("immigration").names + task.names)
    assert len({task.column(label) for label in task.names}) == len(task.names)
    assert all(len(task.column(label)) <= 32 for label in task.names)


def test_immigration_has_topic_and_stance() -> None:
    task = load_task("immigration")
    assert [label.answer for label in task.labels] == ["1", "2", "3", "4"]
    assert set(task.groups) == {"topic", "stance"}
    assert "unrelated" not in {label for members in task.groups["stance"].values() for label in members}
    assert {rule.about for rule in task.codebook.rules} >= {"news", "quotation", "irony", "mixed"}  # type: ignore[union-attr]


def test_the_published_prompt_is_verbatim(shared_data: Path) -> None:
    given = (shared_data / "immigration" / "published_prompt.txt").read_text(encoding="utf-8")
    assert load_task("immigration-published").template == given.replace("{tweet_text}", "{text}")


def test_the_hash_covers_what_decides_a_prediction_and_nothing_else() -> None:
    task = parse_task(GOOD)
    assert parse_task(GOOD.replace('target = "the weather"', 'target = "the sky"')).hash == task.hash
    assert parse_task(GOOD.replace("Weather?", "Weather!")).hash != task.hash
    assert parse_task(GOOD.replace('answer = "2"', 'answer = "3"')).hash != task.hash


@pytest.mark.parametrize(
    ("raw", "final"),
    [
        ("@Anna_B hi @x@mastodon.social", "@user hi @user"),
        ("mail a@b.org", "mail a@b.org"),
        ("see https://t.co/abc, www.x.org!", "see http http"),
        ("  cafe\u0301 ", "café"),
        ("broken \ud83d end", "broken \ufffd end"),
        ("@user @user", "@user @user"),
        ("\n\t ", ""),
    ],
)
def test_normalisation(raw: str, final: str) -> None:
    assert load_task("immigration").normalise(raw) == final


def test_published_task_leaves_the_text_alone_but_for_surrogates() -> None:
    normalise = load_task("immigration-published").normalise
    assert normalise(" @Anna https://t.co/x cafe\u0301 \udc00") == " @Anna https://t.co/x cafe\u0301 \ufffd"
