"""What is read to learn from: files of every kind, the corpus's gold, the bundled sample; labels, languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from xlt.corpus.coded import CodedColumns
from xlt.errors import UsageError, XltError
from xlt.tasks.load import load_task
from xlt.training.choose import Wish, choose
from xlt.training.material import Material, Source, read_material

TASK = load_task("immigration")


def read(path: Path, content: str, **more: object) -> Material:
    path.write_text(content, encoding="utf-8")
    return read_material(Source((path,), **more), TASK)  # type: ignore[arg-type]


def test_labels_are_folded_and_it_is_said(tmp_path: Path) -> None:
    rows = ["Pro Immigration", "pro-immigration", "pro_immigration", "PRO", "1", "1.0", "anti", "Unrelated "]
    found = read(
        tmp_path / "a.csv", "text,label,lang\n" + "".join(f"text {n},{row},en\n" for n, row in enumerate(rows))
    )
    assert [each.label for each in found.examples] == ["pro-immigration"] * 6 + ["anti-immigration", "unrelated"]
    said = " ".join(found.notes)
    assert (
        "Read as pro-immigration: '1' (1), '1.0' (1), 'PRO' (1), 'Pro Immigration' (1), 'pro_immigration' (1)." in said
    )
    assert "Read as unrelated: 'Unrelated' (1)." in said


def test_unknown_labels_are_listed_with_counts(tmp_path: Path) -> None:
    content = "text,label,lang\na,pro,en\nb,unclear,en\nc,unclear,en\nd,spam,en\n"
    with pytest.raises(
        UsageError, match=r"'unclear' \(2\), 'spam' \(1\); it knows pro-immigration.*--skip-labels"
    ) as bad:
        read(tmp_path / "a.csv", content)
    assert "immigration" in str(bad.value)
    found = read(tmp_path / "a.csv", content, skip_labels=("Unclear", "spam"))
    assert len(found.examples) == 1
    assert [(each.reason, each.count) for each in found.left] == [("labels to be skipped", 3)]


def test_numbers_from_0_are_not_skipped_lightly(tmp_path: Path) -> None:
    # 1 and 2 are answers of the task, and mean something else in such a file.
    with pytest.raises(UsageError, match="numbers mean 1 pro-immigration, 2 anti-immigration") as bad:
        read(tmp_path / "a.csv", "text,label,lang\na,0,en\nb,1,en\nc,2,en\n")
    assert "--skip-labels" not in str(bad.value)


def test_rows_without_text_or_label_are_rejected_with_their_place(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "text,label,lang\n,pro,en\nhello,,en\n , ,en\nwell,anti,en\n")
    assert [(each.line, each.reason) for each in found.rejects] == [
        (1, "no text in this row"),
        (2, "no label in this row"),
        (3, "no text and no label in this row"),
    ]
    assert [(each.text, each.row, each.where) for each in found.examples] == [
        ("well", 4, f"{tmp_path / 'a.csv'}, row 4")
    ]


def test_languages_missing_whole_or_in_part(tmp_path: Path) -> None:
    english = "The government should let more people come and work here"
    with pytest.raises(UsageError, match=r"--lang-column.*--detect"):
        read(tmp_path / "a.csv", f"text,label\n{english},pro\n")
    found = read(tmp_path / "a.csv", f"text,label\n{english},pro\n12345,anti\n", detect=True)
    assert [each.lang for each in found.examples] == ["en"]
    assert [(each.reason, each.count) for each in found.left] == [("no language", 1)]
    partly = f"text,label,lang\n{english},pro,\nx,anti,in\ny,anti,pt-BR\n"
    assert [each.lang for each in read(tmp_path / "a.csv", partly).examples] == ["id", "pt"]
    assert [each.lang for each in read(tmp_path / "a.csv", partly, detect=True).examples] == ["en", "id", "pt"]


def test_columns_by_other_names_and_all_kinds_of_files(tmp_path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet as pq

    (tmp_path / "a.tsv").write_text("tweet\tklasse\tlanguage\tuser_id\tfam\nhello\tpro\ten\tu1\tf1\n", encoding="utf-8")
    columns = CodedColumns(label="klasse", group="fam")
    found = read_material(Source((tmp_path / "a.tsv",), columns=columns), TASK)
    assert (found.examples[0].author, found.examples[0].group, found.has_authors) == ("u1", "f1", True)
    (tmp_path / "b.jsonl").write_text('{"text": "hi", "label": 2, "lang": "de", "id": 7}\n', encoding="utf-8")
    table = pyarrow.csv.read_csv(tmp_path / "a.tsv", parse_options=pyarrow.csv.ParseOptions(delimiter="\t"))
    pq.write_table(table.rename_columns(["text", "label", "lang", "user", "g"]), tmp_path / "c.parquet")
    both = read_material(Source((tmp_path / "b.jsonl", tmp_path / "c.parquet")), TASK)
    assert [(each.text, each.label, each.id) for each in both.examples] == [
        ("hi", "anti-immigration", "7"),
        ("hello", "pro-immigration", "row 1"),
    ]
    with pytest.raises(UsageError, match=r"no column of labels.*--label-column"):
        read_material(Source((tmp_path / "a.tsv",)), TASK)
    with pytest.raises(UsageError, match="there is no such column"):
        read_material(Source((tmp_path / "a.tsv",), columns=CodedColumns(label="nope")), TASK)


def test_a_column_split_rules_what_may_be_learnt(tmp_path: Path) -> None:
    found = read(
        tmp_path / "a.csv", "text,label,lang,split\na,pro,en,train\nb,anti,en,val\nc,anti,en,TEST\nd,pro,en,fold3\n"
    )
    assert found.sides == ["train", "dev", "test", ""]


def test_texts_are_as_the_task_normalises_them(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", 'text,label,lang\n"  cafe\u0301  ",pro,en\n"   ",pro,en\n')
    assert [each.text for each in found.examples] == ["café"]
    assert len(found.rejects) == 1


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(XltError, match="no labelled text"):
        read(tmp_path / "a.csv", "text,label,lang\n,pro,en\n")


def test_the_sample_is_taken_where_nothing_else_is(tmp_path: Path) -> None:
    found = read_material(Source(workspace=tmp_path), TASK)
    assert "invented tweets" in found.notes[0]
    assert len(found.examples) == 892
    assert not found.rejects
    assert {each.lang for each in found.examples} >= {"en", "de", "ko"}
    assert any(each.group for each in found.examples)
    with pytest.raises(UsageError, match=r"nothing labelled for the task sentiment.*--data"):
        read_material(Source(workspace=tmp_path), load_task("sentiment"))


def test_a_model_learns_nothing_that_translates_what_is_held_out(tmp_path: Path) -> None:
    found = read_material(Source(workspace=tmp_path), TASK)
    choice = choose(found, Wish(every=True, dev_share=0.3), TASK.names)
    groups = [{each.group for each in part if each.group} for part in (choice.train, choice.dev)]
    assert groups[0]
    assert not groups[0] & groups[1]


def test_real_tweets(shared_data: Path) -> None:
    source = Source((shared_data / "immigration" / "train.csv",))
    found = read_material(source, TASK)
    assert len(found.examples) == 2625
    choice = choose(found, Wish(("en",), shots={"it": 20}), TASK.names)
    assert choice.seen == ("en", "it")
    assert len(choice.unseen) == 10
    with pytest.raises(UsageError, match="'0' "):
        read_material(Source((shared_data / "umsab" / "umsab.parquet",)), load_task("sentiment"))
    umsab = Source((shared_data / "umsab" / "umsab.parquet",), columns=CodedColumns(label="label_name"))
    sentiment = load_task("sentiment")
    three = choose(read_material(umsab, sentiment), Wish(("en",), balance="label"), sentiment.names)
    assert {each.label for each in three.train} == set(sentiment.names)
