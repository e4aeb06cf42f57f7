"""A server of the tests' own that speaks the Hugging Face Hub's protocol: data sets, models, faults on demand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = 10_000
"""From so many bytes on a file is kept in large-file storage: its address redirects to another one."""


@dataclass
class Repository:
    """A data set or a model; `files` are those of its newest commit, `older` those of other revisions by name."""

    files: dict[str, bytes]
    kind: str = "dataset"
    older: dict[str, dict[str, bytes]] = field(default_factory=dict)
    token: str = ""
    gated: bool = False
    lost: set[str] = field(default_factory=set)

    def commit(self, revision: str = "main") -> str | None:
        if revision in ("main", commit_of(self.files)):
            return commit_of(self.files)
        for name, files in self.older.items():
            if revision in (name, commit_of(files)):
                return commit_of(files)
        return None

    def at(self, commit: str) -> dict[str, bytes]:
        return next(files for files in (self.files, *self.older.values()) if commit_of(files) == commit)


def commit_of(files: dict[str, bytes]) -> str:
    return sha1("".join(name + blob_of(content) for name, content in sorted(files.items())).encode()).hexdigest()


@cache
def blob_of(content: bytes) -> str:
    return sha256(content).hexdigest()


@dataclass
class Fault:
    """What goes wrong with the next `times` requests that match: a status, or the body is cut after `cut` bytes."""

    method: str
    path: str
    times: int = 1
    status: int = 0
    cut: int = -1


@dataclass
class Hub:
    """What the server knows and what it was asked; `leaks` are requests that sent credentials to another host."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    address: str = ""
    lock: Lock = field(default_factory=Lock)

    def fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def forget(self) -> None:
        """Mend all faults and empty the log; the data sets stay."""
        self.faults, self.requests, self.sent, self.leaks = [], [], {}, []

    def asked(self, word: str) -> list[tuple[str, str]]:
        """The requests whose path has this word in it."""
        return [(method, path) for method, path in self.requests if word in path]

    def sent_of(self, repository: str) -> int:
        """Bytes of content sent from the files of a repository."""
        return sum(count for path, count in self.sent.items() if path.startswith(f"{repository}/"))


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that listens on this machine only."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(body)

    def _answer(self, body: bytes = b"") -> None:
        address = urlsplit(self.path)
        path = unquote(address.path)
        with self.hub.lock:
            self.hub.requests.append((self.command, path))
        fault = self.hub.fault(self.command, path)
        if fault and fault.status:
            return self._send(fault.status, b"out of order")
        cut = fault.cut if fault else -1
        if match := re.fullmatch(r"/api/datasets/?", path):
            return self._list(parse_qs(address.query))
        if path.startswith("/cdn/") and self.headers.get("Authorization"):
            self.hub.leaks.append(path)
        if match := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(\w+)/(.+)", path):
            return self._content(match[1], match[3], self.hub.repositories[match[1]].at(match[2])[match[3]], cut, {})
        if match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file("dataset" if match[1] else "model", match[2], match[3], match[4], cut)
        what = r"(?:/(revision|tree|paths-info|refs|auth-check)(?:/([^/]+)/?(.*))?)?"
        if match := re.fullmatch(r"/api/(dataset|model)s/([^/]+/[^/]+)" + what, path):
            return self._api(match[1], match[2], match[3] or "revision", match[4] or "main", match[5] or "", body)
        return self._send(404, b"nothing here")

    def _list(self, query: dict[str, list[str]]) -> None:
        author, search = query.get("author", [""])[0], query.get("search", [""])[0]
        found = [
            {"id": name, "author": name.split("/")[0]}
            for name, repository in sorted(self.hub.repositories.items())
            if name.startswith(f"{author}/" if author else "") and search in name and not repository.token
        ]
        self._json(found)

    def _repository(self, kind: str, name: str) -> Repository | None:
        found = self.hub.repositories.get(name)
        repository = found if found and found.kind == kind else None
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if given == "wrong":
            self._send(401, b"", {"X-Error-Message": "Invalid credentials in Authorization header"})
            return None
        if repository is None or (repository.token and given != repository.token):
            # The Hub does not tell a missing repository from one that may not be seen.
            self._send(404 if given else 401, b"", {"X-Error-Code": "RepoNotFound"})
            return None
        return repository

    def _api(self, kind: str, name: str, what: str, revision: str, folder: str, body: bytes) -> None:
        if (repository := self._repository(kind, name)) is None:
            return
        if what == "auth-check":
            return self._send(403, b"", {"X-Error-Code": "GatedRepo"}) if repository.gated else self._json({})
        if what == "refs":
            names = ("main", *repository.older)
            branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": "0"} for name in names]
            return self._json({"branches": branches, "tags": [], "converts": []})
        if (commit := repository.commit(revision)) is None:
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        files = repository.at(commit)
        if what == "revision":
            siblings = [{"rfilename": path} for path in files]
            told = {"private": False, "tags": [], "gated": "manual" if repository.gated else False}
            return self._json({"id": name, "sha": commit, "siblings": siblings, **told})
        if what == "paths-info":
            asked = parse_qs(body.decode()).get("paths", []) or json.loads(body or b"{}").get("paths", [])
            return self._json(_entries(files, asked))
        recursive = "recursive=true" in self.path.lower()
        return self._tree(files, folder.rstrip("/"), recursive)

    def _tree(self, files: dict[str, bytes], folder: str, recursive: bool) -> None:
        inside = [path for path in files if not folder or path.startswith(f"{folder}/")]
        if folder and not inside:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        if recursive:
            return self._json(_entries(files, [*inside, *_folders(inside)]))
        depth = folder.count("/") + 1 if folder else 0
        return self._json(_entries(files, sorted({"/".join(path.split("/")[: depth + 1]) for path in inside})))

    def _file(self, kind: str, name: str, revision: str, path: str, cut: int) -> None:
        if (repository := self._repository(kind, name)) is None:
            return
        if repository.gated and path != "README.md":
            return self._send(403, b"", {"X-Error-Code": "GatedRepo"})
        if (commit := repository.commit(revision)) is None:
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if path not in repository.at(commit) or path in repository.lost:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        content = repository.at(commit)[path]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob_of(content)[:40]}"'}
        if len(content) < LARGE:
            return self._content(name, path, content, cut, headers)
        headers |= {
            "X-Linked-Size": str(len(content)),
            "X-Linked-ETag": f'"{blob_of(content)}"',
            # Another host by name, so that no credentials may follow.
            "Location": f"{self.hub.address.replace('127.0.0.1', 'localhost')}/cdn/{name}/{commit}/{path}",
        }
        return self._send(302, b"", headers)

    def _content(self, name: str, path: str, content: bytes, cut: int, headers: dict[str, str]) -> None:
        status, part = 200, content
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start, end = int(match[1]), int(match[2] or len(content) - 1)
            if start >= len(content):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            status, part = 206, content[start : end + 1]
            headers = {**headers, "Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(content)}"}
        self._send(status, part, {"Accept-Ranges": "bytes", **headers}, cut=cut, file=f"{name}/{path}")

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(
        self, status: int, content: bytes, headers: dict[str, str] | None = None, *, cut: int = -1, file: str = ""
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = content if cut < 0 else content[:cut]
        try:
            self.wfile.write(sent)
        except (BrokenPipeError, ConnectionResetError):  # the client has seen enough
            self.close_connection = True
        self.close_connection |= cut >= 0
        if file:
            with self.hub.lock:
                self.hub.sent[file] = self.hub.sent.get(file, 0) + len(sent)


def _folders(paths: list[str]) -> list[str]:
    return sorted({path[: place.start()] for path in paths for place in re.finditer("/", path)})


def _entries(files: dict[str, bytes], paths: list[str]) -> list[dict[str, object]]:
    return [_entry(path, files.get(path)) for path in paths if path in files or any(_inside(path, files))]


def _inside(folder: str, files: dict[str, bytes]) -> Iterator[str]:
    return (path for path in files if path.startswith(f"{folder}/"))


def _entry(path: str, content: bytes | None) -> dict[str, object]:
    if content is None:
        return {"type": "directory", "path": path, "oid": sha1(path.encode()).hexdigest(), "size": 0}
    entry: dict[str, object] = {"type": "file", "path": path, "oid": blob_of(content)[:40], "size": len(content)}
    if len(content) >= LARGE:
        entry["lfs"] = {"oid": blob_of(content), "size": len(content), "pointerSize": 130}
    return entry
