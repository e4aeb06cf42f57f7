"""An S3 server that drops the bytes, so that benchmarks measure clients: `python -m tests.benchmarks.sink`.

It prints its port. It believes what clients say of their bytes: the ETag of a part is the MD5 that was sent with it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socketserver
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

PIECE_BYTES = 2**20
XML = '<?xml version="1.0" encoding="UTF-8"?>'


@dataclass
class Stored:
    size: int
    etag: str
    parts: dict[int, Stored] = field(default_factory=dict)

    def etag_from(self, first: int) -> str:
        """The ETag of the part that begins at this byte."""
        begin = 0
        for part in self.parts.values():
            if begin == first:
                return part.etag
            begin += part.size
        return self.etag if first == 0 else ""


@dataclass
class Kept:
    """What the server remembers: sizes and ETags."""

    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, dict[int, Stored]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    size: int


Answer = tuple[int, dict[str, str], str]


class Handler(socketserver.StreamRequestHandler):
    kept = Kept()
    wbufsize = 0

    def setup(self) -> None:
        super().setup()
        self.room = memoryview(bytearray(PIECE_BYTES))

    def handle(self) -> None:
        while request := self._read():
            with self.kept.lock:
                answer = answered(request, self.kept)
            self._write(request, *answer)

    def _read(self) -> Request | None:
        line = self.rfile.readline().split()
        if len(line) < 2:
            return None
        headers = dict(self._headers())
        if "100-continue" in headers.get("expect", ""):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = int(headers.get("content-length", 0))
        left = size
        while left:
            left -= self.rfile.readinto1(self.room[: min(left, PIECE_BYTES)])  # type: ignore[attr-defined]
        url = urlsplit(line[1].decode())
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        return Request(line[0].decode(), url.path, query, headers, size)

    def _headers(self) -> list[tuple[str, str]]:
        found = []
        while (line := self.rfile.readline().rstrip(b"\r\n")) != b"":
            name, _, value = line.decode().partition(":")
            found.append((name.lower(), value.strip()))
        return found

    def _write(self, request: Request, status: int, headers: dict[str, str], body: str) -> None:
        # The answer to HEAD names the size of a body that does not come.
        length = {} if request.method == "HEAD" else {"Content-Length": str(len(body.encode()))}
        lines = [f"HTTP/1.1 {status} Answer", *(f"{name}: {value}" for name, value in {**length, **headers}.items())]
        self.wfile.write("\r\n".join([*lines, "", body]).encode())


def answered(request: Request, kept: Kept) -> Answer:
    ways = {"POST": _posted, "PUT": _put, "HEAD": _head, "GET": _listed, "DELETE": _deleted}
    if request.query.get("uploadId") not in {None, *kept.uploads}:
        return 404, {}, f"{XML}<Error><Code>NoSuchUpload</Code><Message>no such upload</Message></Error>"
    return ways[request.method](request, kept)


def _posted(request: Request, kept: Kept) -> Answer:
    if "uploads" in request.query:
        identity = secrets.token_hex(8)
        kept.uploads[identity] = {}
        kind = "InitiateMultipartUploadResult"
        return 200, {}, f"{XML}<{kind}><UploadId>{identity}</UploadId></{kind}>"
    parts = dict(sorted(kept.uploads.pop(request.query["uploadId"]).items()))
    digests = b"".join(bytes.fromhex(part.etag) for part in parts.values())
    etag = f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"
    kept.objects[request.path] = Stored(sum(part.size for part in parts.values()), etag, parts)
    return 200, {}, f'{XML}<CompleteMultipartUploadResult><ETag>"{etag}"</ETag></CompleteMultipartUploadResult>'


def _put(request: Request, kept: Kept) -> Answer:
    if "x-amz-copy-source" in request.headers:
        return _copied(request, kept)
    etag = base64.b64decode(request.headers.get("content-md5", "")).hex()
    if "uploadId" in request.query:
        kept.uploads[request.query["uploadId"]][int(request.query["partNumber"])] = Stored(request.size, etag)
    else:
        kept.objects[request.path] = Stored(request.size, etag)
    return 200, {"ETag": f'"{etag}"'}, ""


def _copied(request: Request, kept: Kept) -> Answer:
    first, last = (int(place) for place in request.headers["x-amz-copy-source-range"].removeprefix("bytes=").split("-"))
    source = unquote(request.headers["x-amz-copy-source"])
    etag = kept.objects[f"/{source.removeprefix('/')}"].etag_from(first)
    part = Stored(last - first + 1, etag)
    kept.uploads[request.query["uploadId"]][int(request.query["partNumber"])] = part
    return 200, {}, f'{XML}<CopyPartResult><ETag>"{etag}"</ETag></CopyPartResult>'


def _head(request: Request, kept: Kept) -> Answer:
    found = kept.objects.get(request.path)
    if found is None:
        return (200, {}, "") if request.path.count("/") == 1 else (404, {}, "")
    return 200, {"Content-Length": str(found.size), "ETag": f'"{found.etag}"'}, ""


def _listed(request: Request, kept: Kept) -> Answer:
    kind = "ListMultipartUploadsResult" if "uploads" in request.query else "ListBucketResult"
    return 200, {}, f"{XML}<{kind}><IsTruncated>false</IsTruncated></{kind}>"


def _deleted(request: Request, kept: Kept) -> Answer:
    kept.objects.pop(request.path, None)
    return 204, {}, ""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
