"""A stand-in for the hub on this machine: it answers the hub library's own requests, for downloads and uploads."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


@dataclass
class Hub:
    """What the stand-in serves, and what it was asked."""

    repos: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    status: int = 0
    """An HTTP status for every answer; 0 for real answers."""
    breaks: str = ""
    """A file whose transfer stops half-way."""
    stalls: str = ""
    """A file whose transfer stands still half-way until `goes_on`."""
    goes_on: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    sent: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Repository → path → content of what was uploaded."""
    created: list[dict[str, Any]] = field(default_factory=list)
    """What the uploader asked the repositories to be."""
    stored: dict[str, bytes] = field(default_factory=dict)
    """Large files by their SHA-256."""
    tokens: set[str] = field(default_factory=set)
    """Authorization headers that came with uploads."""
    url: str = ""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A running stand-in, and an environment that points to it and to an empty cache."""
    state = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", state.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("XLT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield state
    state.goes_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    """Answers a download (what a repository is, its files, one file) and an upload (make, ask how, send, commit)."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            hub.asked.append(f"POST {path}")
            hub.tokens.add(self.headers.get("Authorization", ""))
            if hub.status:
                return self.send(hub.status, b"", {})
            if self.headers.get("Authorization") != "Bearer hf_good":
                return self.send(403, b"", {"X-Error-Message": "Forbidden"})
            if path == "/api/repos/create":
                asked = json.loads(content)
                repo = f"{asked['organization']}/{asked['name']}"
                hub.created.append(asked)
                hub.sent.setdefault(repo, {})
                return self.tell({"url": f"{hub.url}/{repo}", "name": repo, "id": repo})
            if path == "/api/validate-yaml":
                return self.tell({"errors": [], "warnings": []})
            if "/preupload/" in path:
                files = json.loads(content)["files"]
                large = (".safetensors", ".gguf")
                modes = [
                    {
                        "path": each["path"],
                        "uploadMode": "lfs" if each["path"].endswith(large) else "regular",
                        "shouldIgnore": False,
                    }
                    for each in files
                ]
                return self.tell({"files": modes})
            if path.endswith("/info/lfs/objects/batch"):
                objects = json.loads(content)["objects"]
                todo = [{**each, "actions": {"upload": {"href": f"{hub.url}/lfs/{each['oid']}"}}} for each in objects]
                return self.tell({"transfer": "basic", "objects": todo})
            if "/commit/" in path:
                repo = "/".join(path.strip("/").split("/")[2:4])
                for line in map(json.loads, content.splitlines()):
                    value = line["value"]
                    if line["key"] == "file":
                        hub.sent[repo][value["path"]] = base64.b64decode(value["content"])
                    elif line["key"] == "lfsFile":
                        hub.sent[repo][value["path"]] = hub.stored[value["oid"]]
                return self.tell({"commitUrl": f"{hub.url}/{repo}/commit/{COMMIT}", "commitOid": COMMIT})
            return self.send(404, b"", {})

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            oid = self.path.rpartition("/")[2]
            if hub.breaks or hashlib.sha256(content).hexdigest() != oid:
                return self.send(400, b"", {})
            hub.stored[oid] = content
            return self.send(200, b"", {})

        def tell(self, answer: dict[str, Any]) -> None:
            self.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

        def answer(self, body: bool) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append(f"{self.command} {path}")
            if hub.status:
                return self.send(hub.status, b"", {})
            parts = path.strip("/").split("/")
            repo = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
            if repo not in hub.repos:
                return self.send(401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Not found"})
            files = sorted(each for each in hub.repos[repo].rglob("*") if each.is_file())
            listed = [(each.relative_to(hub.repos[repo]).as_posix(), each.stat().st_size) for each in files]
            if parts[0] == "api" and "tree" in parts:
                tree = [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in listed]
                return self.send(200, json.dumps(tree).encode(), {"Content-Type": "application/json"})
            if parts[0] == "api":
                siblings = [{"rfilename": name, "size": size} for name, size in listed]
                about = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": []}
                return self.send(200, json.dumps(about).encode(), {"Content-Type": "application/json"})
            if repo in hub.gated and self.headers.get("Authorization") != "Bearer hf_good":
                return self.send(401, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Gated"})
            content = hub.repos[repo].joinpath(*parts[4:]).read_bytes()
            headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
            return self.send(200, content, headers, body, parts[-1] == hub.breaks, parts[-1] == hub.stalls)

        def send(
            self,
            status: int,
            content: bytes,
            headers: dict[str, str],
            body: bool = True,
            cut: bool = False,
            stalls: bool = False,
        ) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if body and stalls:
                half = len(content) // 2
                self.wfile.write(content[:half])
                self.wfile.flush()
                hub.goes_on.wait(60)
                content = content[half:]
            if body:
                self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.close_connection = True

    return Handler
