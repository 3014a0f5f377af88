"""Who wrote and who is named: keyed hashes for authors, `@user` for handles; and text freed from HTML."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from xlt.corpus.duck import text
from xlt.corpus.secret import HASH_DIGITS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Handles are ASCII on every platform. \B: not inside a word, so that e-mail addresses stay. No groups to refer back to:
# with them RE2 takes ten times as long.
_PATTERNS = {
    "word": r"\B@\w+(?:@[\w.-]*\w)?",
    "dotted": r"\B@\w(?:[\w.-]*\w)?(?:@[\w.-]*\w)?",
}
_REDDIT = (r"(^|[^\p{L}\p{N}_/.])/?u(?:ser)?/[A-Za-z0-9_-]{2,24}", r"\1u/user")
_STATUS = (r"(?i)\b(twitter|x)\.com/[A-Za-z0-9_]{1,20}/status", r"\1.com/i/status")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&apos;", "'"), ("&nbsp;", "\u00a0"))
_TAGS = (
    (r"(?i)<br\s*/?>", "\n"),
    (r"(?i)</p>\s*<p[^>]*>", "\n\n"),
    (r"(?i)</(li|blockquote|div|h[1-6]|ul|ol)>", "\n"),
    (r"(?s)<!--.*?-->", ""),
    (r"<[^<>]*>", ""),
)
_BLOCK = 64


def plain(value: str, form: str) -> str:
    """SQL of a text without the markup of its platform. `form` is plain, escaped (`&amp;`) or html."""
    if form == "plain":
        return value
    result = value
    if form == "html":
        for pattern, replacement in _TAGS:
            result = f"regexp_replace({result}, {text(pattern)}, {text(replacement)}, 'g')"
        result = f"xlt_unescape({result})"
        return f"(CASE WHEN {value} SIMILAR TO '(?s).*[<&].*' THEN {result} ELSE {value} END)"
    for entity, sign in _ENTITIES:
        result = f"replace({result}, {text(entity)}, {text(sign)})"
    return f"(CASE WHEN contains({value}, '&') THEN replace({result}, '&amp;', '&') ELSE {value} END)"


def masked(value: str, handles: str) -> str:
    """SQL of a text with `@user` in place of handles."""
    pattern = _PATTERNS.get(handles, _PATTERNS["word"])
    result = f"regexp_replace({value}, {text(pattern)}, '@user', 'g')"
    wide = f"regexp_replace(replace({value}, '＠', '@'), {text(pattern)}, '@user', 'g')"
    result = (
        f"(CASE WHEN contains({value}, '＠') THEN {wide} WHEN contains({value}, '@') THEN {result} ELSE {value} END)"
    )
    if handles == "reddit":
        result = f"regexp_replace({result}, {text(_REDDIT[0])}, {text(_REDDIT[1])}, 'g')"
    return result


def unlinked(value: str) -> str:
    """SQL of a text without the names in links to posts."""
    linked = f"regexp_replace({value}, {text(_STATUS[0])}, {text(_STATUS[1])}, 'g')"
    return f"(CASE WHEN contains({value}, '/status') THEN {linked} ELSE {value} END)"


def solid(value: str) -> str:
    """SQL of a text, or null where it holds nothing but blanks."""
    return f"(CASE WHEN regexp_matches({value}, '\\S') THEN {value} END)"


def masked_url(value: str) -> str:
    """SQL of a post's address without its author's name."""
    result = f"regexp_replace({value}, {text(_STATUS[0])}, {text(_STATUS[1])})"
    result = f"regexp_replace({result}, '/@[^/?#]+', '/@user')"
    result = f"regexp_replace({result}, '/(u|user|profile)/[^/?#]+', '/\\1/user')"
    return f"regexp_replace({result}, 't\\.me/[^/?#]+', 't.me/user')"


_OWNER = r"/(users/|@)[^/]+/"


def masked_id(value: str) -> str:
    """SQL of an id that is an address, without its author's name."""
    return f"regexp_replace({value}, {text(_OWNER)}, '/users/user/')"


def masked_id_of(given: str) -> str:
    """What `masked_id` makes of an id."""
    return re.sub(_OWNER, "/users/user/", given, count=1)


def keyed(value: str) -> str:
    """SQL of HMAC-SHA-256 of a text under the key given to `set_key`, cut to HASH_DIGITS hexadecimal digits."""
    inner = f"sha256(getvariable('xlt_inner')::BLOB || encode({value}))"
    return f"left(sha256(getvariable('xlt_outer')::BLOB || unhex({inner})), {HASH_DIGITS})"


def set_key(con: DuckDBPyConnection, key: bytes) -> None:
    """Give the connection what `keyed` needs. It is forgotten with the connection, and never in the file."""
    padded = key.ljust(_BLOCK, b"\0")
    con.execute("SET VARIABLE xlt_inner = ?::BLOB", [bytes(byte ^ 0x36 for byte in padded)])
    con.execute("SET VARIABLE xlt_outer = ?::BLOB", [bytes(byte ^ 0x5C for byte in padded)])


def register(con: DuckDBPyConnection) -> None:
    """Make `xlt_unescape` known: HTML's entities are too many for SQL. Works on Arrow batches."""
    import pyarrow as pa
    from duckdb.func import PythonUDFType
    from duckdb.sqltypes import VARCHAR

    entity = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|\w+);")

    def unescape(batch: Any) -> Any:
        values = batch.to_pylist()
        return pa.array([html.unescape(each) if each and entity.search(each) else each for each in values], pa.string())

    con.create_function("xlt_unescape", unescape, [VARCHAR], VARCHAR, type=PythonUDFType.ARROW)
