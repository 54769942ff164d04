"""A web server with one file, failing as real ones do: cut in the middle, another file, no ranges, busy, elsewhere."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Files:
    """`cuts`: after how many bytes each answer ends, in turn; `says`: statuses to give first. `asked`: the ranges."""

    def __init__(self, content: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.content = content
        self.etag = '"one"'
        self.cuts: list[int] = []
        self.says: list[int] = []
        self.ranges = True
        self.redirect = ""
        self.asked: list[str] = []
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                files.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "http" if tls is None else "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._server.server_address[1]}/edgebox.update"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.asked.append(wanted)
        if self.says:
            request.send_error(self.says.pop(0))
            return
        if self.redirect:
            to, self.redirect = self.redirect, ""
            request.send_response(302)
            request.send_header("Location", to)
            request.end_headers()
            return
        resumes = self.ranges and wanted and request.headers.get("If-Range") == self.etag
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if resumes else 0
        if first >= len(self.content):
            request.send_error(416)
            return
        body = self.content[first:]
        request.send_response(206 if resumes else 200)
        request.send_header("ETag", self.etag)
        request.send_header("Content-Length", str(len(body)))
        if resumes:
            size = len(self.content)
            request.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        request.end_headers()
        request.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)
