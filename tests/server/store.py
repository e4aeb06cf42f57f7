"""A small object store that speaks S3 over real HTTP: objects for who signs with its key, or has a token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs


@dataclass
class Store:
    """Objects by `/bucket/name`, and the paths that were asked for. `elsewhere` sends every caller to that address."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    elsewhere: str = ""


@contextmanager
def store() -> Iterator[Store]:
    found = Store()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            found.asked.append(self.path)
            if found.elsewhere:
                return self._answer(307, b"", {"Location": f"{found.elsewhere}{self.path}"})
            given = self.headers.get("Authorization", "")
            if "Credential=key/" not in given and given != "Bearer token of api-key":
                return self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            if (content := found.objects.get(self.path)) is None:
                return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return self._answer(200, content)

        def do_POST(self):
            found.asked.append(self.path)
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if found.elsewhere:
                return self._answer(302, b"", {"Location": f"{found.elsewhere}{self.path}"})
            token = {"access_token": f"token of {form['apikey'][0]}"}
            return self._answer(200, json.dumps(token).encode())

        def _answer(self, status, content, headers=None):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
