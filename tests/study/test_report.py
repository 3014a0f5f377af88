"""Reports: what stands in them, in every form, and what must not."""

from __future__ import annotations

import csv
import html.parser
import json
import re
from pathlib import Path

import pytest

from cli.conftest import Xlt, xlt  # noqa: F401
from filled import ANTI, NEUTRAL, PRO, UNRELATED, Post, fill
from study.test_grid import QUICK, ran, write_data
from xlt.study.evaluate import Table
from xlt.study.report.html import page
from xlt.study.report.latex import escaped, latex
from xlt.study.report.parts import Report, Section, Shown

SECRET = "a post that nobody may quote"
POSTS = [
    Post(
        f"{lang}{n}",
        f"{SECRET} {lang} {n}",
        (PRO, ANTI, NEUTRAL, UNRELATED)[n % 4],
        lang,
        author="somebody-secret",
        at=f"2024-0{1 + n % 3}-10",
    )
    for lang in ("en", "ar", "ko")
    for n in range(40)
]


class _Links(html.parser.HTMLParser):
    """Everything that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "path", "use", "rect", "line", "image", "link", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and value and not value.startswith(("#", "data:")):
                self.fetched.append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open and self.open.pop() != tag:
                pass


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a corpus and a small study, and its report; the heat map alone has all three forms."""
    from xlt.study import drawing
    from xlt.study.report.gather import Wanted, gather
    from xlt.study.report.write import write

    folder = tmp_path_factory.mktemp("report")
    corpus = fill(folder, POSTS)
    write_data(folder)
    named = QUICK.replace("train =", "name = 'A \"first\" / study'\ntrain =", 1)
    (folder / "study.toml").write_text(named, encoding="utf-8")
    ran(folder)
    report = gather(Wanted(corpus, studies=(folder / "study.toml",), workspace=folder))
    with pytest.MonkeyPatch.context() as patch:
        # PDF and PNG take most of the time.
        patch.setattr(drawing, "FORMATS", ("svg",))
        write(report, folder / "report")
    figures = {figure.name: figure for section in report.sections for figure in section.figures}
    assert {path.stem for path in (folder / "report" / "figures").iterdir()} == set(figures)
    figures["transfer-study-heat-map"].draw(folder / "report" / "figures" / "transfer-study-heat-map")
    return folder / "report"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_asks_nothing_of_a_network_and_is_whole(reported: Path) -> None:
    text = (reported / "index.html").read_text(encoding="utf-8")
    parser = _Links()
    parser.feed(text)
    assert parser.fetched == []
    assert not re.search(r"url\((?!#)", text)
    assert "<script" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for link in re.findall(r'href="#([^"]+)"', text):
        assert link in ids
    # Naive topic and stance by month and stance by language; the study's heat map, seen against unseen, learning curve,
    # differences, reliability, and risk and coverage.
    assert text.count("<svg") == 9
    for title in (
        "Data",
        "Models",
        "Shares corrected by hand labels",
        "Naive shares: what the classifier alone says",
        "Methods",
        "Transfer between languages: A &quot;first&quot; / study",
    ):
        assert f">{title}</h2>" in text


def test_no_post_and_no_author_is_in_it(reported: Path) -> None:
    for path in reported.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert b"somebody-secret" not in content, path


def test_tables_hold_the_counts(reported: Path) -> None:
    data = {row["language"]: row for row in rows_of(reported / "tables" / "data.csv")}
    assert (data["Korean"]["posts"], data["all"]["posts"], data["all"]["authors"]) == ("40", "120", "1")
    shares = {row["language"]: row for row in rows_of(reported / "tables" / "naive-by-language.csv")}
    assert float(shares["Arabic"]["topic: related"]) == pytest.approx(0.75)
    assert float(shares["all"]["stance: pro"]) == pytest.approx(1 / 3)
    assert "topic: unrelated" not in shares["all"]
    months = rows_of(reported / "tables" / "naive-by-language-and-month.csv")
    assert {row["month"] for row in months} == {"2024-01", "2024-02", "2024-03"}
    heat = rows_of(reported / "tables" / "transfer-study-heat-map.csv")
    assert {"ngrams en", "ngrams en +8 it"} <= {row["trained on"] for row in heat}


def test_a_figure_has_three_forms(reported: Path) -> None:
    begins = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}
    names = {path.stem for path in (reported / "figures").iterdir()}
    assert {"naive-stance-by-language", "transfer-study-seen", "transfer-study-curves-ngrams-en"} <= names
    forms = list((reported / "figures").glob("transfer-study-heat-map.*"))
    assert {path.suffix[1:] for path in forms} == set(begins)
    for path in forms:
        assert path.read_bytes().startswith(begins[path.suffix[1:]]), path


def test_what_made_it_is_kept(reported: Path) -> None:
    made = json.loads((reported / "report.json").read_text(encoding="utf-8"))
    assert made["studies"]['A "first" / study']["cells"]
    assert {"xlt", "python", "libraries", "files", "run"} <= set(made)


def test_texts_are_escaped_and_turn_their_own_way() -> None:
    table = Table(("a<b", "n"), [("مرحبا <i>", 1234), ("한국어 & \\", None)])
    text = page(Report("R & D", [Section("One", tables=[Shown("t", "T <1>", table)])]), {})
    assert "<i>" not in text
    assert '<td dir="auto">مرحبا &lt;i&gt;</td>' in text
    assert '<td class="n" dir="auto">1,234</td>' in text
    assert "<title>R &amp; D</title>" in text


def test_what_no_font_spells_is_said_below_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xlt.study import drawing
    from xlt.study.report.parts import Figure
    from xlt.study.report.write import write

    monkeypatch.setattr(drawing, "_fonts_for", lambda letters: ())

    def draw(output: Path) -> None:
        figure = drawing.pyplot().figure(figsize=(1, 1))
        figure.text(0, 0, "支持")
        drawing.save(figure, output, ["a", "支持"])

    section = Section("One", figures=[Figure("f", "F", "", draw)], classes=["a", "支持"])
    page_text = write(Report("R", [section]), tmp_path).read_text(encoding="utf-8")
    assert "In the PDF and PNG figures class 2 is 支持: no font" in page_text
    assert ">支持</text>" in page_text


def test_an_interval_is_printed_behind_its_value_and_the_csv_keeps_its_columns() -> None:
    from xlt.study.report.write import as_csv

    rows = [("a", 0.5, -0.41, 0.6, 3), ("b", 0.25, None, None, 2)]
    shown = Shown("t", "T", Table(("x", "share", "low", "high", "n"), rows), frozenset({"share", "low", "high"}))
    heads, cells, numeric = shown.printed()
    assert heads == ["x", "share % (95 % interval)", "n"]
    assert cells == [["a", "50.0 (−41.0 to 60.0)", "3"], ["b", "25.0", "2"]]
    assert numeric == [False, True, True]
    assert as_csv(shown).splitlines()[:2] == ["x,share,low,high,n", "a,0.5,-0.41,0.6,3"]
    assert r"a & 50.0 ($-$41.0 to 60.0) & 3 \\" in latex(shown)


def test_a_long_table_runs_over_pages_and_says_what_it_needs() -> None:
    shown = Shown("t", "Two\nlines", Table(("a", "p"), [("支持 < 1", 0.0001)] * 41))
    lines = latex(shown).splitlines()
    assert lines[:2] == [
        "% Two lines",
        "% Needs booktabs and longtable; XeLaTeX or LuaLaTeX and a font with these letters.",
    ]
    assert r"\endhead" in lines
    assert r"支持 \textless{} 1 & \textless{} .001 \\" in lines
    assert lines[-1] == r"\end{longtable}"


def test_latex_is_escaped() -> None:
    shown = Shown("t", "T", Table(("a_b", "share"), [("50 % & #1", 0.123456), ("x", None)]), frozenset({"share"}))
    assert latex(shown) == (
        "% T\n% Needs booktabs.\n"
        "\\begin{tabular}{lr}\n\\toprule\na b & share \\% \\\\\n\\midrule\n50 \\% \\& \\#1 & 12.3 \\\\\n"
        "x & -- \\\\\n\\bottomrule\n\\end{tabular}\n"
    )
    assert escaped("a\nb\\c{~}") == r"a b\textbackslash{}c\{\textasciitilde{}\}"


def test_the_command(xlt: Xlt, tmp_path: Path) -> None:  # noqa: F811
    nothing = xlt("report")
    assert (nothing.code, "nothing to report" in nothing.sentence) == (2, True)
    fill(tmp_path, POSTS[:8])
    done = xlt("report", "-o", "out", "--title", "Mine")
    assert done.code == 0, done.err
    assert Path(done.out.strip()).read_text(encoding="utf-8").count("Mine") == 2
    (tmp_path / "bench.json").write_text("{}", encoding="utf-8")
    wrong = xlt("report", "--bench", "bench.json")
    assert (wrong.code, "not what xlt bench" in wrong.sentence) == (1, True)


def test_languages_have_names_and_all_together_is_called_so() -> None:
    from xlt.study.report.scored import named

    table = Table(("lang", "class", "n"), [("en", "pro", 1), (None, "pro", 2), ("all but overlaps", "pro", 3)])
    found = named(table)
    assert found.columns == ("language", "class", "n")
    assert [row[0] for row in found.rows] == ["English", "all", "all but overlaps"]


def test_its_record_says_nothing_of_where_files_lie(reported: Path) -> None:
    made = json.loads((reported / "report.json").read_text(encoding="utf-8"))
    assert made["files"]
    assert '"/' not in json.dumps(made)


def test_paths_lose_their_folders() -> None:
    from xlt.study.report.parts import without_paths

    found = without_paths({"model": {"weights": "/home/somebody/m"}, "list": ["/a/b.csv", "a/b", 3]})
    assert found == {"model": {"weights": "m"}, "list": ["b.csv", "a/b", 3]}


def test_names_of_files_and_ids_are_plain(reported: Path) -> None:
    page_text = (reported / "index.html").read_text(encoding="utf-8")
    names = re.findall(r'\bid="([^"]*)"', page_text) + [path.stem for path in reported.glob("*/*")]
    assert names
    assert not [each for each in names if re.search(r"[\s\"'/]", each)]
    assert set(re.findall(r"url\(#([^)]*)\)", page_text)) <= set(names)
