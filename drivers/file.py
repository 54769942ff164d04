"""`file:/path`: a capture that is read as a till, or a file that collects what a printer would get.

Owns: both. Never: seeks, truncates, or follows a file that grows. For tests and replays.

Till end: the file's bytes once, then end of data; replies to the till go nowhere. Printer end: appends, and says
nothing back. A FIFO or a device node (`file:/dev/full`) is taken as it is.
epoll refuses a regular file (EPERM), because one is always ready; `fileno` is then an eventfd that epoll always
finds readable (till end) or writable (printer end). Only `read` and `write` touch the file.
"""

from __future__ import annotations

import os
import select

from drivers.base import Port, Reason, Url, cannot_open


class FilePort:
    """One pass over the file."""

    def __init__(self, fd: int, peer: str, writes: bool) -> None:
        self.peer = peer
        self.paced = False
        self._fd = fd
        self._writes = writes
        self._poll_fd = fd if _pollable(fd) else os.eventfd(0 if writes else 1, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._poll_fd

    def read(self, limit: int) -> bytes | None:
        if self._writes:
            return None
        try:
            return os.read(self._fd, limit)
        except BlockingIOError:
            return None

    def write(self, data: bytes | memoryview) -> int:
        if not self._writes:
            return len(data)
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def finish_writing(self) -> None:
        """Others may append later."""

    def close(self) -> None:
        for fd in {self._fd, self._poll_fd} - {-1}:
            os.close(fd)
        self._fd = self._poll_fd = -1

    def abort(self) -> None:
        self.close()

    def set_busy(self, busy: bool) -> None:
        """A file waits anyway."""

    def ready(self) -> bool:
        return True

    def unsent(self) -> int:
        return 0


def _pollable(fd: int) -> bool:
    with select.epoll(1) as poll:
        try:
            poll.register(fd, 0)
        except PermissionError:
            return False
    return True


def _opened(url: Url, flags: int) -> int:
    try:
        return os.open(url.path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o644)
    except OSError as fault:
        raise cannot_open(url, fault) from fault


def _checked(url: Url) -> Url:
    url.takes()
    if url.host:
        raise url.fault(Reason.BAD_PATH, f"{url.host!r} is taken for a host", "write file:/path/to/capture.bin")
    if not url.path:
        raise url.fault(Reason.MISSING_PATH, "the path is missing", "write file:/path/to/capture.bin")
    return url


class FileTill:
    """A capture in a till's place."""

    refused = 0

    def __init__(self, url: Url) -> None:
        self.url = url.text
        self._url = _checked(url)
        self._waiting: FilePort | None = None

    def open(self) -> None:
        self._waiting = FilePort(_opened(self._url, os.O_RDONLY), self._url.path, writes=False)

    def fileno(self) -> int | None:
        return None

    def accept(self) -> Port | None:
        """The file once; after that nobody comes."""
        port, self._waiting = self._waiting, None
        return port

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None


class FilePrinter:
    """A file in a printer's place."""

    bytes_per_s = 0

    def __init__(self, url: Url) -> None:
        self.url = url.text
        self._url = _checked(url)

    def connect(self) -> Port:
        return FilePort(_opened(self._url, os.O_WRONLY | os.O_CREAT | os.O_APPEND), self._url.path, writes=True)

    def connected(self, port: Port) -> bool:
        return port.fileno() >= 0
