"""Which examples are chosen: no leak, nested, stratified, the same whatever the order of rows."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.made import LABELS, example, material, spread, text
from xlt.corpus.coded import Side
from xlt.errors import UsageError, XltError
from xlt.training.choose import Wish, choose
from xlt.training.examples import Choice, Example, counts
from xlt.training.near import AGREE, signatures, stripped

EVERY = Wish(every=True, dev_share=0.2)


def keys(examples: tuple[Example, ...]) -> set[str]:
    return {each.text for each in examples}


def make(wish: Wish, examples: list[Example], sides: list[Side] | None = None) -> Choice:
    return choose(material(examples, sides or []), wish, LABELS)


@st.composite
def heaps(draw: st.DrawFn) -> list[Example]:
    """Rows with repeats, near-repeats, reposts, groups and authors, and enough of each label to learn from."""
    rows = spread({lang: {"pro": 4, "anti": 4, "none": 4} for lang in ("en", "de")})
    for number in range(draw(st.integers(0, 40))):
        base = text(draw(st.integers(0, 15)))
        form = draw(st.sampled_from(["{}", "RT @a: {}", "{} https://t.co/x", "{}!", "{}"])).format(base)
        rows.append(
            Example(
                form.upper() if draw(st.booleans()) else form,
                draw(st.sampled_from(LABELS)),
                draw(st.sampled_from(["en", "de", "it"])),
                f"more{number}",
                "made.csv",
                100 + number,
                group=draw(st.sampled_from(["", "", "g1", "g2"])),
                author=draw(st.sampled_from(["", "a1", "a2", "a3"])),
                original=draw(st.sampled_from(["", "", "id1", "id2"])),
            )
        )
    return rows


@settings(max_examples=60, deadline=None)
@given(heaps(), st.integers(0, 5), st.booleans())
def test_no_cluster_is_on_two_sides(rows: list[Example], seed: int, by_author: bool) -> None:
    choice = make(replace(EVERY, seed=seed, by_author=by_author, dev_share=0.3), rows)
    train, dev = list(choice.train), list(choice.dev)
    signed = signatures([stripped(each.text) for each in train + dev])
    for here, held in enumerate(dev):
        for there, learnt in enumerate(train):
            assert stripped(held.text) != stripped(learnt.text)
            assert (signed[len(train) + here] == signed[there]).sum() < AGREE
            assert not held.group or held.group != learnt.group
            assert not held.original or held.original not in (learnt.original, learnt.id)
            assert learnt.original != held.id
            assert not by_author or not held.author or held.author != learnt.author


@settings(max_examples=30, deadline=None)
@given(heaps(), st.randoms(use_true_random=False))
def test_the_order_of_rows_decides_nothing(rows: list[Example], rng: random.Random) -> None:
    first = make(EVERY, rows)
    shuffled = rows.copy()
    rng.shuffle(shuffled)
    again = make(EVERY, shuffled)
    assert (again.hash, again.train, again.dev) == (first.hash, first.train, first.dev)
    assert {each.reason: each.count for each in again.left} == {each.reason: each.count for each in first.left}


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(0, 30),
    st.integers(0, 3),
    st.sampled_from(["none", "label"]),
    st.lists(st.sampled_from(["de", "it"]), unique=True),
)
def test_fewer_shots_are_part_of_more_and_dev_stays(
    few: int, more: int, seed: int, balance: str, langs: list[str]
) -> None:
    rows = spread({"en": {"pro": 60, "anti": 25, "none": 5}, "de": {"pro": 9, "anti": 9}, "it": {"pro": 9, "none": 9}})
    wish = Wish(tuple(langs), shots={"en": few}, seed=seed, balance=balance)  # type: ignore[arg-type]
    try:
        small = make(wish, rows)
    except XltError:  # one label alone
        assert not langs
        return
    large = make(replace(wish, shots={"en": few + more}), rows)
    assert len([each for each in small.train if each.lang == "en"]) == few
    assert keys(small.train) <= keys(large.train)
    assert small.dev == large.dev == make(replace(EVERY, seed=seed, dev_share=wish.dev_share), rows).dev


@pytest.mark.parametrize("shots", [1, 5, 10, 37, 80])
def test_every_beginning_is_stratified(shots: int) -> None:
    rows = spread({"en": {"pro": 60, "anti": 30, "none": 10}, "de": {"pro": 10, "anti": 10}})
    choice = make(Wish(("de",), shots={"en": shots}, dev_share=0.1), rows)
    found = Counter(each.label for each in choice.train if each.lang == "en")
    for label, share in (("pro", 0.6), ("anti", 0.3), ("none", 0.1)):
        assert abs(found[label] - shots * share) <= 0.5 + 1.5 * share


def test_dev_has_its_share_of_each_language_and_label() -> None:
    rows = spread({"en": {"pro": 60, "anti": 30, "none": 10}, "de": {"pro": 7, "anti": 2, "none": 1}})
    choice = make(EVERY, rows)
    assert counts(choice.dev) == {"de": {"anti": 1, "pro": 1}, "en": {"anti": 6, "none": 2, "pro": 12}}
    assert not keys(choice.dev) & keys(choice.train)
    assert len(choice.dev) + len(choice.train) == len(rows)
    assert not make(replace(EVERY, dev_share=0), rows).dev


def test_another_seed_draws_others() -> None:
    rows = spread({"en": {"pro": 50, "anti": 50}})
    assert make(EVERY, rows).hash != make(replace(EVERY, seed=1), rows).hash


def test_unseen_languages_have_dev_and_no_training() -> None:
    rows = spread({"en": {"pro": 20, "anti": 20}, "it": {"pro": 20, "none": 20}})
    choice = make(Wish(("en",), dev_share=0.2), rows)
    assert (choice.seen, choice.unseen) == (("en",), ("it",))
    assert {each.lang for each in choice.train} == {each.lang for each in choice.dev_seen} == {"en"}
    assert counts(choice.dev)["it"] == {"none": 4, "pro": 4}
    assert ("languages that are not chosen", 32) in [(each.reason, each.count) for each in choice.left]


def test_balance_and_per_lang() -> None:
    rows = spread({"en": {"pro": 50, "anti": 20, "none": 10}, "de": {"pro": 10, "anti": 10, "none": 10}})
    wish = Wish(every=True, dev_share=0)
    assert counts(make(replace(wish, balance="label"), rows).train) == {
        lang: dict.fromkeys(sorted(LABELS), 10) for lang in ("de", "en")
    }
    by_lang = counts(make(replace(wish, balance="lang"), rows).train)
    assert [sum(labels.values()) for labels in by_lang.values()] == [30, 30]
    assert by_lang["en"]["pro"] > by_lang["en"]["anti"] > by_lang["en"]["none"]
    both = make(replace(wish, balance="label", per_lang=15), rows)
    assert counts(both.train)["en"] == dict.fromkeys(sorted(LABELS), 5)
    few = make(replace(wish, per_lang=40), rows)
    assert [len([each for each in few.train if each.lang == lang]) for lang in ("en", "de")] == [40, 30]
    assert any("--per-lang 40" in each and "de (30)" in each for each in few.warnings)


def test_what_the_data_means_for_dev_and_test_is_kept_so_with_its_kin() -> None:
    rows = spread({"en": {"pro": 20, "anti": 20}, "de": {"pro": 10, "anti": 10}})
    sides: list[Side] = [""] * len(rows)
    sides[0], sides[20], sides[1] = "dev", "dev", "test"
    kin = replace(rows[1], text=f"RT @x: {rows[1].text}", id="kin", row=90)
    choice = make(EVERY, [*rows, kin], [*sides, ""])
    # English has dev rows of its own, so no others are drawn; German has none.
    assert counts(choice.dev) == {"de": {"anti": 2, "pro": 2}, "en": {"anti": 1, "pro": 1}}
    assert not {rows[0].text, rows[1].text, kin.text} & keys(choice.train)
    assert ("meant for testing, or nearly the same as such a text", 2) in [(e.reason, e.count) for e in choice.left]


def test_repeats_count_once_and_disputed_labels_are_settled() -> None:
    rows = spread({"en": {"pro": 20, "anti": 20}})
    again = [replace(rows[0], row=91), replace(rows[1], row=92, label="anti"), replace(rows[2], row=93, label="anti")]
    choice = make(replace(EVERY, dev_share=0), [*rows, *again, replace(rows[2], row=94, label="anti")])
    labels = {each.text: each.label for each in choice.train}
    assert labels[rows[0].text] == "pro"
    assert rows[1].text not in labels
    assert labels[rows[2].text] == "anti"
    left = {each.reason: each.count for each in choice.left}
    assert left == {"repeats of a text": 3, "as many rows for one label as for another": 2}
    assert any("Texts with more than one label: 2" in each for each in choice.warnings)


def test_warnings_and_refusals_name_what_is_thin() -> None:
    rows = spread({"en": {"pro": 30, "anti": 30, "none": 2}, "de": {"pro": 3, "anti": 1}})
    said = " ".join(make(EVERY, rows).warnings)
    assert "Few examples to train on: none (2)" in said
    assert "No example to train on in de: none" in said
    with pytest.raises(UsageError, match=r"no labelled text in ko, xx; it has de \(4\), en \(62\)"):
        make(Wish(("en", "ko", "xx")), rows)
    with pytest.raises(UsageError, match="--shots de=30"):
        make(Wish(("en",), shots={"de": 30}), rows)
    with pytest.raises(UsageError, match="not in both"):
        make(Wish(("en",), shots={"en": 3}), rows)
    with pytest.raises(XltError, match=r"have the label pro; .*: give examples of anti, none too"):
        make(EVERY, [each for each in rows if each.label == "pro"])
    with pytest.raises(UsageError, match="--author-column"):
        choose(replace(material(rows), has_authors=False), replace(EVERY, by_author=True), LABELS)


def test_short_texts_without_words_are_no_kin() -> None:
    odd = [replace(example(n), text=each) for n, each in enumerate(["🎉", "🎊", "@a", "@b", "https://t.co/x"])]
    rows = spread({"en": {"pro": 20, "anti": 20}})
    choice = make(replace(EVERY, dev_share=0.5), [*rows, *odd])
    assert len(choice.train) + len(choice.dev) == len(rows) + len(odd)
    assert 20 <= len(choice.dev) <= 24


def test_the_record_holds_counts_and_no_text() -> None:
    choice = make(EVERY, spread({"en": {"pro": 20, "anti": 20}}))
    record = choice.record()
    assert record["train"] == {"en": {"anti": 16, "pro": 16}}
    assert record["languages"] == ["en"]
    assert text(3) not in str(record)
