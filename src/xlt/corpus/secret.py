"""The key with which authors become hashes. It lives in the workspace, never in the corpus or an export."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from xlt.disk import refused
from xlt.errors import XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BYTES = 32
HASH_DIGITS = 24


def key_path(workspace: Path) -> Path:
    """Where a workspace keeps its key."""
    return workspace / ".xlt" / "key"


def ensure_key(workspace: Path) -> bytes:
    """The workspace's key, made at the first call: readable for its owner only. Raises XltError."""
    path = key_path(workspace)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ignore = path.parent / ".gitignore"
        if not ignore.exists():
            # What lies here must not get into anybody's repository.
            ignore.write_text("*\n", encoding="utf-8")
        _make(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise refused(path, error) from None
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise XltError(f"{path} is no key of xlt (64 hexadecimal digits); put the right file back.")
    return key


def _make(path: Path) -> None:
    if path.exists():
        return
    # Linked into place: of two processes that make a key at once, both go on with the same one.
    aside = path.with_name(f".key.{os.getpid()}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    except OSError:
        # A drive that knows no hard links.
        aside.replace(path)
    aside.unlink(missing_ok=True)


def hashed(key: bytes, value: str) -> str:
    """What `importing.masks.keyed` makes of a text: HMAC-SHA-256 under the key, cut to HASH_DIGITS."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:HASH_DIGITS]


def check_key(con: DuckDBPyConnection, key: bytes, workspace: Path) -> None:
    """Raise XltError when the corpus was filled under another key: one author would get two hashes.

    Call inside a transaction that writes: the first import notes the key's own hash, which does not reveal the key.
    """
    mark = hashlib.sha256(b"xlt author key\0" + key).hexdigest()[:16]
    row = con.execute("SELECT value FROM meta WHERE key = 'author_key'").fetchone()
    if row is None:
        con.execute("INSERT INTO meta VALUES ('author_key', ?)", [mark])
    elif row[0] != mark:
        raise XltError(
            f"The authors in this corpus were hashed with another key than {key_path(workspace)}: put the old file "
            "back, or import into a new corpus."
        )
