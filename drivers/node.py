"""A device's node in /dev, as an end of the wire: what every such port has in common, and the path in its URL.

Owns: the descriptor, letting it go, and the answers of a wire that has no end of data and no sign for "wait". Never:
reads or writes: each kernel driver has its own ways.
"""

from __future__ import annotations

import os

from drivers.base import Reason, Url


class NodePort:
    """An open node."""

    paced = False

    def __init__(self, fd: int, peer: str) -> None:
        self.peer = peer
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def finish_writing(self) -> None:
        """A cable has no end of data."""

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def abort(self) -> None:
        self.close()

    def set_busy(self, busy: bool) -> None:
        """Nothing: who doesn't read is busy."""

    def ready(self) -> bool:
        return True

    def unsent(self) -> int:
        return 0


def node_path(url: Url, example: str) -> str:
    """The node that the URL names, and nothing else. DriverError."""
    url.takes()
    if url.host:
        raise url.fault(Reason.BAD_PATH, f"{url.host!r} is taken for a host", f"three slashes: {example}")
    if url.path in ("", "/"):
        raise url.fault(Reason.MISSING_PATH, "the device is missing", example)
    return url.path
