"""Each platform's export layout, hand-made, becomes the rows that its posts are."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest

from xlt.corpus import gate
from xlt.corpus.importing.job import Import, Options, Report, run
from xlt.corpus.importing.mapping import builtin, load, names
from xlt.errors import XltError

EXPORTS = Path(__file__).parent / "exports"


def bring(folder: Path, *files: Path, **options: Any) -> tuple[list[Report], list[str]]:
    said: list[str] = []
    return run(Import(files, folder, folder / "corpus.duckdb", Options(**options)), said.append), said


def rows(folder: Path, columns: str = "id, text", order: str = "id") -> list[tuple[Any, ...]]:
    with gate.opened(folder / "corpus.duckdb") as con:
        return con.execute(f"SELECT {columns} FROM tweets ORDER BY {order}").fetchall()


EXPECTED: dict[str, tuple[str, list[tuple[str, str | None]]]] = {
    "x_v2_pages.jsonl": (
        "x-v2",
        [
            ("1653000000000000101", "New homes for the families who arrived & their neighbours @user"),
            ("1653000000000000102", "A long post about the harbour that is cut here by the platform, with its end"),
            ("1653000000000000103", "Look at this https://t.co/zz"),
            ("1653000000000000104", "@user yes"),
            ("1653000000000000105", "The beginning of a note, and all of its end"),
            ("1653000000000000106", "A line of the stream"),
        ],
    ),
    "x_v2_flat.jsonl": (
        "x-v2-flat",
        [("1653000000000000201", "cut here, in full"), ("1653000000000000202", "Plain and short")],
    ),
    "x_v1_archive.jsonl": (
        "x-v1",
        [
            ("1050000000000000001", "O texto inteiro <aqui> de @user"),
            ("1050000000000000002", "O texto inteiro <aqui> de @user"),
            ("1050000000000000003", "cut no more"),
        ],
    ),
    "tweets.js": ("x-own-archive", [("900000000000000001", "From my own archive @user")]),
    "geotweet.tsv": (
        "geotweet",
        [("1100000000000000001", "Sol en la plaza con @user"), ("1100000000000000002", '"Never" again')],
    ),
    "bluesky_search.json": (
        "bluesky",
        [
            ("at://did:plc:aaaa1/app.bsky.feed.post/3k1", "Guten Morgen @user. Schön hier"),
            ("at://did:plc:aaaa2/app.bsky.feed.post/3k2", "Antwort und Zitat"),
        ],
    ),
    "bluesky_posts.jsonl": (
        "bluesky-posts",
        [
            ("at://did:plc:aaaa1/app.bsky.feed.post/3k1", "Guten Morgen @user. Schön hier"),
            ("at://did:plc:aaaa2/app.bsky.feed.post/3k2", "Antwort und Zitat"),
        ],
    ),
    "bluesky_feed.json": (
        "bluesky-feed",
        [
            ("at://did:plc:aaaa1/app.bsky.feed.post/3k1", "Guten Morgen @user. Schön hier"),
            ("at://did:plc:aaaa2/app.bsky.feed.post/3k2#repost:did:plc:aaaa9", "Antwort und Zitat"),
        ],
    ),
    "bluesky_jetstream.jsonl": (
        "bluesky-jetstream",
        [("at://did:plc:aaaa5/app.bsky.feed.post/3kj", "Buongiorno dal flusso")],
    ),
    "mastodon_statuses.json": (
        "mastodon",
        [
            (
                f"https://social.example/users/user/statuses/{number}",
                "Dzień dobry & witajcie\nna #wybrzeże\n\n@user café 🙂 <3",
            )
            for number in (111, 112)
        ],
    ),
    "mastodon_outbox.json": (
        "mastodon-outbox",
        [("https://social.example/users/user/statuses/5", "cw\n\nZ archiwum")],
    ),
    "reddit_submissions.jsonl": (
        "reddit-submissions",
        [
            ("t3_abc1", "Who moved here this year?\n\nAsk u/user or u/user."),
            ("t3_abc2", "Who moved here this year?"),
        ],
    ),
    "reddit_comments.jsonl": ("reddit-comments", [("t1_c1", "A comment"), ("t1_c2", None)]),
    "reddit_listing.json": (
        "reddit-listing",
        [("t1_c1", "A comment"), ("t3_abc1", "Who moved here this year?\n\nAsk u/user or u/user.")],
    ),
    "telegram_result.json": (
        "telegram",
        [("1234567890/2", "Привіт, усім @user"), ("1234567890/3", "older export"), ("1234567890/4", None)],
    ),
    "telegram_account.json": (
        "telegram-account",
        [
            ("1234567890/2", "Привіт, усім @user"),
            ("1234567890/3", "older export"),
            ("1234567890/4", None),
            ("99/2", "Привіт, усім @user"),
        ],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_platforms_export_is_recognised_and_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    shutil.copy(EXPORTS / name, path)
    mapping, posts = EXPECTED[name]
    (report,), _ = bring(tmp_path, path)
    assert (report.error, report.mapping, report.added, report.rejected) == (None, mapping, len(posts), 0)
    assert rows(tmp_path) == posts
    (again,), _ = bring(tmp_path, path)
    assert (again.added, again.changed, again.unchanged) == (0, 0, len(posts))
    for cell in rows(tmp_path, "(tweets::VARCHAR)"):
        # Names that stand in the files must not reach the corpus.
        assert "placeholder" not in cell[0]


def test_every_layout_is_tried_here() -> None:
    assert {mapping for mapping, _ in EXPECTED.values()} | {"table", "x-v2"} == set(names())
    assert all(mapping.recognise for mapping in builtin() if mapping.name != "table")


def test_everything_that_a_v2_page_says_is_kept(tmp_path: Path) -> None:
    bring(tmp_path, EXPORTS / "x_v2_page.json")
    found = {
        row[0][-3:]: row[1:] for row in rows(tmp_path, "id, conversation, reply_to, retweet_of, quote_of, quoted_text")
    }
    assert found["104"] == ("1653000000000000101", "1653000000000000101", None, None, None)
    assert found["102"][2] == "1653000000000000001"
    assert found["103"][3:] == ("1653000000000000002", "What was quoted, by @user")
    places = rows(tmp_path, "country, place, place_source, latitude, longitude")
    assert places[:3] == [
        ("DE", "Hamburg, Germany", "place", None, None),
        (None, "Elsewhere", "profile", None, None),
        (None, None, "coordinates", 53.55, 9.99),
    ]
    assert rows(tmp_path, "lang_tag, likes, reposts, replies, quotes, url")[3] == (
        "id",
        5,
        2,
        1,
        0,
        "https://x.com/i/status/1653000000000000104",
    )
    authors = rows(tmp_path, "author")
    assert authors[1] == authors[3]
    assert len(set(authors)) == 4


def test_handles_are_kept_when_asked(tmp_path: Path) -> None:
    bring(tmp_path, EXPORTS / "x_v2_page.json", keep_handles=True)
    assert rows(tmp_path, "author, extra ->> 'handle', text")[0] == (
        "11",
        "placeholder_one",
        "New homes for the families who arrived & their neighbours @placeholder_one",
    )


def test_the_same_author_has_one_hash_in_every_layout_of_x(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,text,user_id\n5,hello,12\n")
    bring(tmp_path, EXPORTS / "x_v2_pages.jsonl", EXPORTS / "x_v2_flat.jsonl")
    bring(tmp_path, table, platform="x")
    hashes = rows(tmp_path, "DISTINCT author", "1")
    by_id = dict(rows(tmp_path, "id, author"))
    assert by_id["5"] == by_id["1653000000000000201"] == by_id["1653000000000000104"]
    assert ("12",) not in hashes


@pytest.mark.parametrize(
    ("name", "said"), [("x_v2_error.json", "Too Many Requests"), ("x_v1_error.json", "Rate limit")]
)
def test_an_error_page_in_place_of_tweets(tmp_path: Path, name: str, said: str) -> None:
    (report,), _ = bring(tmp_path, EXPORTS / name)
    assert f"holds an error of the API in place of tweets ('{said}" in str(report.error)


def test_an_error_page_among_pages_is_rejected_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"
    path.write_text((EXPORTS / "x_v2_pages.jsonl").read_text() + (EXPORTS / "x_v2_error.json").read_text())
    (report,), _ = bring(tmp_path, path)
    assert (report.added, report.rejected) == (6, 1)
    assert report.rejects_file is not None
    assert (
        '"line": 4, "reason": "an error of the API in place of posts: Too Many Requests"'
        in report.rejects_file.read_text()
    )


def test_a_users_own_mapping(tmp_path: Path) -> None:
    mapping = tmp_path / "forum.toml"
    mapping.write_text(
        'title = "A forum"\nplatform = "forum"\nrows = ["threads[]", "posts[]"]\n'
        '[columns]\nid = { template = "{^.no}-{no}" }\ntext = ["body.plain", "body.rich"]\nauthor = "by.name"\n'
        'created_at = "when"\n[extra]\nboard = "^.board"\n'
    )
    data = tmp_path / "forum.json"
    data.write_text(
        '{"threads": [{"no": 1, "board": "news", "posts": [{"no": 1, "body": {"rich": "hello"}, "when": 1700000000}, '
        '{"no": 2, "body": {"plain": "hi", "rich": "x"}, "by": {"name": "me"}}]}]}'
    )
    (report,), _ = bring(tmp_path, data, mapping=str(mapping))
    assert report.error is None
    assert rows(tmp_path, "id, platform, text, created_at::VARCHAR, extra::VARCHAR, author IS NULL") == [
        ("1-1", "forum", "hello", "2023-11-14 22:13:20", '{"board":"news"}', True),
        ("1-2", "forum", "hi", None, '{"board":"news"}', False),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[columns", "no valid TOML"),
        ('[columns]\nid = "id"', "must at least say where `text` is"),
        ('[columns]\ntext = "a..b"', r"can't be read at"),
        ('[columns]\ntext = "a[x]"', r"write \[\], \[0\] or \[field=value\]"),
        ('[columns]\ntext = "text"\nfoo = "x"', "no key 'foo'"),
        ('[columns]\ntext = "other:text"', "asks for a lookup that is not there"),
        ('text_form = "rtf"\n[columns]\ntext = "text"', "it can be plain, escaped, html"),
        ('[columns]\ntext = { template = "x" }', "holds no {path}"),
        ("[columns]\ntext = 5", "must be a path"),
    ],
)
def test_bad_mappings_are_refused_with_the_reason(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(content)
    with pytest.raises(XltError, match=message):
        load(str(path))


def test_packed_exports(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress((EXPORTS / "x_v2_pages.jsonl").read_bytes()))
    (report,), _ = bring(tmp_path, path)
    assert (report.mapping, report.added) == ("x-v2", 6)
