"""Fetches an update file over HTTPS, a piece at a time, through every interruption.

Owns: `next.part` and what it is a part of, the requests, and the pace. Never: believes what it got (the digest is
compared, and root checks the signature), or asks for a URL that the fleet did not sign. Blocks: it runs in a thread.

What is on disk is never fetched twice, unless the server says that it has become another file: `Range` with `If-Range`
[RFC 9110, 13.1.5, 14.2]. The pace leaves the shop's line to card payments and receipts.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import ssl
import threading
import time
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from edgebox.appliance.update.archive import BLOCK
from edgebox.appliance.update.inbox import NEXT, PART, room
from edgebox.errors import UpdateError
from edgebox.private_file import write_private

FACTS = "part.json"
READ_S = 30.0  # a server that says nothing for so long is asked again
ANSWER_S = 3600.0  # one answer; 256 MB take 1000 s. A server that drips holds nobody for days: what has come stays
NOT_YET_VALID = 9  # X509_V_ERR_CERT_NOT_YET_VALID [openssl/x509_vfy.h]
REDIRECTS_MAX = 3  # object stores need one
TWICE = 2  # whole fetches whose digest was wrong; then the file there is another one
BYTES_PER_S = 256 << 10  # 12 MB in a minute; a shop's line has a Mbit/s and more
KEEP_BYTES = 1 << 20  # brought to the disk so often: a power cut costs no more
BLOCK_BYTES = 32 << 10
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # another time it may be there
_RANGE = re.compile(r"bytes (\d{1,12})-\d{1,12}/(\d{1,12}|\*)").fullmatch


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be fetched; `etag`: the server's name for what is on disk so far."""

    url: str
    sha256: str
    size: int
    etag: str = ""


class Interrupted(Exception):  # noqa: N818 - no fault: the next attempt goes on from here
    """The network, or a server that has no time. Words say what."""


class Pace(NamedTuple):
    """How fast, and by which clock."""

    bytes_per_s: int = BYTES_PER_S
    clock: Callable[[], float] = time.monotonic
    rest: Callable[[float], object] = time.sleep


class Fetch:
    """One file, into `folder`. `stop`: set, and it ends within a block or READ_S."""

    def __init__(
        self, folder: Path, source: Source, *, tls: ssl.SSLContext | None = None, pace: Pace = Pace(),  # noqa: B008
        stop: threading.Event | None = None,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._source = source
        self._tls = tls
        self._pace = pace
        self._stop = stop or threading.Event()
        self._wrong = 0

    @property
    def done_bytes(self) -> int:
        """On disk so far."""
        try:
            return (self._folder / PART).stat().st_size
        except FileNotFoundError:
            return 0

    def attempt(self) -> Path:
        """The whole file. Interrupted: try again later. UpdateError `http_…`, `bad_size`, `bad_digest`, `bad_url`,
        `no_room`, `tls`; OSError of the disk."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        etag = self._kept_etag()
        room(self._folder, self._source.size - self.done_bytes)
        if self.done_bytes < self._source.size:
            self._get(etag)
        part = self._folder / PART
        if self.done_bytes != self._source.size or _digest(part) != self._source.sha256:
            part.unlink(missing_ok=True)
            self._wrong += 1
            if self._wrong >= TWICE:
                raise UpdateError("not the file that was commanded", reason="bad_digest", hint="the command's sha256")
            raise Interrupted("the digest is wrong: once more from the start")
        target = self._folder / NEXT
        part.replace(target)
        (self._folder / FACTS).unlink(missing_ok=True)
        return target

    # -- what there is

    def _kept_etag(self) -> str:
        """Of the part on disk; a part of something else is thrown away."""
        try:
            kept = msgspec.json.decode((self._folder / FACTS).read_bytes(), type=Source)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            kept = None
        ours = kept is not None and (kept.sha256, kept.size) == (self._source.sha256, self._source.size)
        if kept is not None and ours and self.done_bytes <= kept.size:
            return kept.etag
        self._begin("")
        return ""

    def _begin(self, etag: str) -> None:
        (self._folder / PART).unlink(missing_ok=True)
        write_private(self._folder / FACTS, msgspec.json.encode(msgspec.structs.replace(self._source, etag=etag)))

    # -- the request

    def _get(self, etag: str) -> None:
        url = self._source.url
        for _ in range(REDIRECTS_MAX + 1):
            offset = self.done_bytes
            wanted = {"Range": f"bytes={offset}-", "If-Range": etag} if offset and etag else {}
            link = self._connected(urlsplit(url))
            try:
                with _answered(link, _target(url), wanted) as answer:
                    if answer.status not in (301, 302, 303, 307, 308):
                        self._take(answer, answer.status, answer.headers, offset)
                        return
                    url = self._elsewhere(url, answer.headers.get("Location", ""))
            finally:
                link.close()
        raise UpdateError("redirected again and again", reason="bad_url")

    def _connected(self, url: SplitResult) -> http.client.HTTPConnection:
        if not url.hostname:
            raise UpdateError(f"{url.geturl()[:80]!r} names no server", reason="bad_url")
        link: http.client.HTTPConnection
        if url.scheme == "https":
            context = self._tls or ssl.create_default_context()
            link = http.client.HTTPSConnection(url.hostname, url.port, timeout=READ_S, context=context)
        else:
            link = http.client.HTTPConnection(url.hostname, url.port, timeout=READ_S)
        try:
            link.connect()
        except ssl.SSLCertVerificationError as fault:
            if fault.verify_code == NOT_YET_VALID:  # a box without a clock of its own, just switched on
                raise Interrupted(f"{url.hostname}: {fault.verify_message}: is the clock right?") from fault
            raise UpdateError(f"{url.hostname}: {fault.verify_message}", reason="tls", hint="clock, ca.crt") from fault
        except OSError as fault:
            raise Interrupted(f"{url.hostname}: {fault.strerror or fault}") from fault
        return link

    def _elsewhere(self, url: str, to: str) -> str:
        there = urljoin(url, to)
        if urlsplit(there).scheme != urlsplit(self._source.url).scheme or len(there) > 4096:
            raise UpdateError("redirected to where it isn't fetched from", reason="bad_url")
        return there

    # -- the answer

    def _take(self, answer: http.client.HTTPResponse, status: int, headers: Message, offset: int) -> None:
        if status == 416:  # it has become shorter than what we have: another file
            self._begin("")
            raise Interrupted("what was there is there no more: once more from the start")
        if status in PASSING:
            raise Interrupted(f"the server says {status}")
        if status not in (200, 206):
            raise UpdateError(f"the server says {status}", reason=f"http_{status}", hint="the command's url")
        etag = headers.get("ETag", "")
        if status == 206:
            told = _RANGE(headers.get("Content-Range", ""))
            if told is None or int(told[1]) != offset or told[2] not in ("*", str(self._source.size)):
                self._begin("")
                raise Interrupted("another range than was asked for: once more from the start")
        else:
            length = headers.get("Content-Length", "")
            if length.isdecimal() and int(length) != self._source.size:
                raise UpdateError(f"{length} bytes, not {self._source.size}", reason="bad_size")
            # A weak name does not promise the same bytes [RFC 9110, 8.8.1]: nothing is resumed by it.
            self._begin("" if etag.startswith("W/") or len(etag) > 256 else etag)
        self._write(answer)

    def _write(self, answer: http.client.HTTPResponse) -> None:
        descriptor = os.open(self._folder / PART, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            left, begun, since, got = self._source.size - self.done_bytes, self._pace.clock(), 0, 0
            try:
                while left:
                    if self._stop.is_set():
                        raise Interrupted("stopped")
                    if self._pace.clock() - begun > ANSWER_S:
                        raise Interrupted(f"no more than {got} bytes within {ANSWER_S:.0f} s")
                    block = _some(answer, min(BLOCK_BYTES, left))
                    if not block:
                        raise Interrupted("the connection ended in the middle")
                    file.write(block)
                    left, since, got = left - len(block), since + len(block), got + len(block)
                    if since >= KEEP_BYTES:
                        file.flush()
                        os.fdatasync(descriptor)
                        since = 0
                    ahead = got / self._pace.bytes_per_s - (self._pace.clock() - begun)
                    if ahead > 0:
                        self._pace.rest(ahead)
            finally:
                file.flush()
                os.fdatasync(descriptor)


def _answered(link: http.client.HTTPConnection, target: str, wanted: dict[str, str]) -> http.client.HTTPResponse:
    try:
        link.request("GET", target, headers={"Accept-Encoding": "identity", **wanted})
        return link.getresponse()
    except (http.client.HTTPException, OSError) as fault:
        raise Interrupted(f"{type(fault).__name__}: {fault}") from fault


def _some(answer: http.client.HTTPResponse, most: int) -> bytes:
    """What has come so far; b"" at the end. A network that is gone has many names, and none of them is the disk's."""
    try:
        return answer.read1(most)
    except (http.client.HTTPException, OSError) as fault:
        raise Interrupted(f"{type(fault).__name__}: {fault}") from fault


def tls_of(credentials: Path) -> ssl.SSLContext:
    """The authorities of the system, and the fleet's own. OSError; ssl.SSLError for a ca.crt that is none."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if (credentials / "ca.crt").is_file():
        context.load_verify_locations(credentials / "ca.crt")
    return context


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
