"""Draws of texts to code, and the labels that people give them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from filled import ANTI, NEUTRAL, PRO, Post, fill, key_of
from xlt.corpus import gate
from xlt.corpus.coded import read_gold
from xlt.corpus.coding import Change, Coding, change, code, coders, items, queue, ratings, split
from xlt.corpus.drawing import Ask, make_draw
from xlt.corpus.draws import draws, find_draw, remove_draw
from xlt.corpus.filters import Filter
from xlt.corpus.gold import gold_of
from xlt.corpus.labelled import find_runs
from xlt.errors import UsageError, XltError
from xlt.science import sampling

POSTS = [
    Post(str(n), f"text {n % 60}", PRO if n % 3 else ANTI, lang="en" if n % 60 < 40 else "de", confidence=(n % 60) / 60)
    for n in range(90)
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return fill(tmp_path, POSTS)


def ask(n: int, **more: object) -> Ask:
    return Ask("immigration", "estimate", n, **more)  # type: ignore[arg-type]


def test_a_draw_is_that_of_the_pure_rule(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        made = make_draw(con, ask(20, seed=7))
        assert made.frame_size == 60
        assert {part.name: (part.size, part.drawn) for part in made.parts} == {"de": (20, 10), "en": (40, 10)}
        found = items(con, made)
        probabilities = dict(con.execute("SELECT text_key::VARCHAR, probability FROM drawn").fetchall())
    units = {str(key_of(f"text {n}")): "en" if n < 40 else "de" for n in range(60)}
    expected = sampling.draw(units, {"en": 10, "de": 10}, seed=7)
    assert [(each.text_key, each.stratum, each.position) for each in found] == [
        (unit.key, unit.stratum, unit.position) for unit in expected
    ]
    assert probabilities == {unit.key: unit.probability for unit in expected}
    assert Counter(each.posts for each in found) == Counter(
        2 if int(each.text.split()[1]) < 30 else 1 for each in found
    )


def test_the_quick_way_takes_what_the_slow_way_takes(tmp_path: Path) -> None:
    # Of so large a stratum only the beginning of the order is looked at.
    path = fill(tmp_path, [Post("x", "seed text")], run=None)
    with gate.opened(path, write=True) as con:
        con.execute(
            "INSERT INTO tweets (id, platform, text, text_key, lang, source) SELECT i::VARCHAR, 'x', 't' || i, "
            "left(sha256('t' || i), 32)::UUID, 'en', 1 FROM range(20000) r(i)"
        )
        made = make_draw(con, ask(30, seed=1, filter=Filter(langs=("en",), where="id <> 'x'")))
        keys = [
            row[0] for row in con.execute("SELECT DISTINCT text_key::VARCHAR FROM tweets WHERE id <> 'x'").fetchall()
        ]
        found = [each.text_key for each in items(con, made)]
    assert found == [unit.key for unit in sampling.draw(dict.fromkeys(keys, "en"), {"en": 30}, seed=1)]


def test_nothing_is_drawn_twice(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        first = make_draw(con, ask(40))
        second = make_draw(con, ask(40))
        assert (first.drawn, second.drawn, second.frame_size) == (40, 20, 20)
        assert not {each.text_key for each in items(con, first)} & {each.text_key for each in items(con, second)}
        with pytest.raises(XltError, match="nothing left to draw"):
            make_draw(con, ask(1))
        assert [each.id for each in draws(con)] == [first.id, second.id]
        assert find_draw(con, None).id == second.id
        # What can't be drawn leaves no trace.
        assert con.execute("SELECT count(*) FROM drawn").fetchall() == [(60,)]


def test_bands_of_confidence_keep_their_probabilities(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        run = find_runs(con)[0]
        made = make_draw(con, ask(12, by=("confidence",), run=run))
        rows = con.execute("SELECT DISTINCT stratum, probability FROM drawn ORDER BY 1").fetchall()
    # Confidence n / 60: 30 texts below .5, 12 up to .7, 12 up to .9, 6 above.
    assert rows == [(".00-.50", 3 / 30), (".50-.70", 3 / 12), (".70-.90", 3 / 12), (".90-1", 3 / 6)]
    assert made.run == run.id


def test_coders_get_their_texts_and_an_overlap(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        made = make_draw(con, ask(20, coders=("ada", "ben"), overlap=0.5))
        found = items(con, made)
    assert sum(len(each.coders) == 2 for each in found) == 10
    assert len(queue(found, "ada")) == len(queue(found, "ben")) == 15


def test_labels_are_added_never_changed(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        made = make_draw(con, ask(3))
        one, two, _ = items(con, made)

        def say(item_key: str, label: str | None, coder: str, **more: str) -> Coding:
            return Coding(item_key, "immigration", label, coder, made.id, **more)  # type: ignore[arg-type]

        code(con, [say(one.text_key, PRO, "ada"), say(one.text_key, ANTI, "ben"), say(two.text_key, None, "ada")])
        assert [each.text_key for each in split(items(con, made))] == [one.text_key]
        assert len(queue(items(con, made), "ada")) == 1
        # Ada changes her mind: her newest word counts, the old one stays.
        again = say(one.text_key, NEUTRAL, "ada")
        at = code(con, [again])[0]
        assert items(con, made)[0].by("ada").label == NEUTRAL  # type: ignore[union-attr]
        assert con.execute("SELECT count(*) FROM gold").fetchall() == [(4,)]
        for _ in range(2):
            change(con, [Change(again, at, taken_back=True)])
            assert con.execute("SELECT count(*) FROM gold").fetchall() == [(3,)]
        assert items(con, made)[0].by("ada").label == PRO  # type: ignore[union-attr]
        # An adjudicator settles it, beside the others.
        code(con, [say(one.text_key, ANTI, "carla", role="adjudicator")])
        assert not split(items(con, made))
        settled = gold_of(con, "immigration", ("estimate",)).rows
        assert [(row.label, row.probability) for row in settled] == [(ANTI, made_probability(con, one.text_key))]
        assert ratings(con, "immigration", made.id) == [
            (one.text_key, "ada", PRO, one.lang),
            (one.text_key, "ben", ANTI, one.lang),
        ]
        assert (draws(con)[0].coded, draws(con)[0].drawn) == (2, 3)
        with pytest.raises(UsageError, match="are coded"):
            remove_draw(con, find_draw(con, None))


def test_changes_made_twice_are_made_once(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        made = make_draw(con, ask(3, coders=("ada", "cy")))
        one, two, _ = items(con, made)
        at = datetime(2026, 3, 1)
        given = [
            Change(Coding(one.text_key, "immigration", PRO, "ben", made.id), at),
            Change(Coding(two.text_key, "immigration", None, "ben", made.id, note="no sentence"), at),
        ]
        for _ in range(2):
            # As when a process was killed between its commit and its taking note of it.
            change(con, given)
            assert len(con.execute("SELECT * FROM gold").fetchall()) == 2
        assert items(con, made)[0].by("ben").coded_at == at  # type: ignore[union-attr]
        change(con, [*given, Change(given[0].coding, at, taken_back=True)])
        assert [each.by("ben") is None for each in items(con, made)] == [True, False, True]
        assert coders(con, "immigration") == ["ada", "ben", "cy"]
        assert coders(con, "sentiment") == []


def test_who_is_drawn_for_twice_is_no_overlap(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con, pytest.raises(UsageError, match="ada is named twice"):
        make_draw(con, ask(10, coders=("ada", "ada"), overlap=0.5))


def test_a_text_held_uncodable_in_the_end_counts_nowhere(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        made = make_draw(con, ask(4))
        keys = [each.text_key for each in items(con, made)]

        def say(at: int, label: str | None, coder: str, role: str = "coder") -> None:
            code(con, [Coding(keys[at], "immigration", label, coder, made.id, role=role)])  # type: ignore[arg-type]

        say(0, PRO, "ada")
        say(0, None, "ada")  # she thinks again
        say(1, PRO, "ada")
        say(1, ANTI, "ben")
        say(1, None, "carla", "adjudicator")
        say(2, PRO, "ada")
        say(2, PRO, "ben")
        say(2, None, "carla", "adjudicator")
        say(3, PRO, "ada")
        say(3, None, "ben")
        found = gold_of(con, "immigration", ("estimate",))
        assert ([(row.key, row.label) for row in found.rows], found.split) == ([(keys[3], PRO)], 0)
    rows = read_gold(corpus, ("immigration",))
    assert ([row.label for row in rows.rows], dict(rows.left)) == ([PRO], {"held uncodable": 3})


def made_probability(con: object, key: str) -> float:
    row = con.execute("SELECT probability FROM drawn WHERE text_key = ?::UUID", [key]).fetchone()  # type: ignore[attr-defined]
    return float(row[0])


def test_a_draw_that_nobody_coded_can_be_taken_back(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        remove_draw(con, make_draw(con, ask(5)))
        assert draws(con) == []
        with pytest.raises(UsageError, match="Nothing was drawn"):
            find_draw(con, None)


def test_wishes_that_cannot_be(corpus: Path) -> None:
    with gate.opened(corpus, write=True) as con:
        for wish, said in (
            (ask(0), "one or more"),
            (ask(5, by=("confidence",)), "needs a run"),
            (ask(5, overlap=0.5, coders=("ada",)), "two --coders"),
            (ask(5, filter=Filter(where="nonsense +")), "no condition"),
        ):
            with pytest.raises(UsageError, match=said):
                make_draw(con, wish)
        make_draw(con, ask(5))
        with pytest.raises(UsageError, match="no such draw"):
            find_draw(con, "2020")
