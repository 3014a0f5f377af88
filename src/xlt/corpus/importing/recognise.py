"""Tells what a JSON file is: whose layout it has, or that it holds an error in place of posts."""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

from xlt.corpus.documents import NoPosts
from xlt.corpus.importing.mapping import Mapping, builtin
from xlt.corpus.importing.paths import find
from xlt.corpus.unpack import open_bytes
from xlt.errors import XltError


def recognise(objects: list[dict[str, Any]]) -> Mapping | None:
    """The built-in mapping whose fields most of these objects have; None when none fits."""
    best, hits = None, 0
    for mapping in builtin():
        if mapping.kind != "json":
            continue
        count = sum(_fits(mapping, each) for each in objects)
        if count > hits:
            best, hits = mapping, count
    return best


def _fits(mapping: Mapping, document: dict[str, Any]) -> bool:
    return all(any(find(path, document) is not None for path in each) for each in mapping.recognise)


def error_of(mapping: Mapping, document: dict[str, Any]) -> str | None:
    """What an API says when it gives an error in place of posts."""
    for path in mapping.errors:
        found = find(path, document)
        if isinstance(found, str) and found.strip():
            return found.strip()
    return None


def first_sign(path: File) -> str:
    with open_bytes(path) as raw:
        return raw.read(4096).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")[:1]


def refuse_html(path: File) -> None:
    if first_sign(path) == "<":
        raise XltError(f"{path} holds a web page (HTML), not tweets; the download failed: fetch it again.")


def refuse_errors(path: File, first: list[dict[str, Any]]) -> None:
    """Raise XltError when the objects are an API's errors and nothing else."""
    for mapping in builtin():
        for each in first:
            said = error_of(mapping, each)
            if said and not any(key.casefold() in ("text", "id", "id_str", "full_text") for key in each):
                raise XltError(f"{path} holds an error of the API in place of tweets ({said!r}); fetch it again.")
    if first and all(set(each) <= {"meta", "cursor", "posts", "feed", "data", "includes", "errors"} for each in first):
        raise NoPosts(f"{path} holds pages of an API without any post.")
