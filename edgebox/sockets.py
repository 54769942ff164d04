"""A Unix socket at a path, for the processes of this box: made, taken over from an engine that is gone, removed.

Owns: the file and its rights. Never: speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from edgebox.errors import ConfigError

OWNER_ONLY, GROUP_TOO = 0o177, 0o117  # umask: what the socket's rights leave out


class Doorway:
    """One socket that listens, between `open` and `closed`."""

    def __init__(self, path: Path, *, group: bool, setting: str) -> None:
        self._path = path
        self._mask = GROUP_TOO if group else OWNER_ONLY
        self._setting = setting
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def open(self, session: Callable[[], asyncio.Protocol]) -> None:
        """Listens; `session` makes the protocol of each connection. ConfigError `bad_socket`."""
        try:
            listener = _listener(self._path, self._mask)
            self._inode = self._path.stat().st_ino
            self._server = await asyncio.get_running_loop().create_unix_server(session, sock=listener)
        except OSError as fault:
            raise ConfigError(
                f"{self._path}: {fault.strerror or fault}", reason="bad_socket", hint=self._setting
            ) from fault

    def close(self) -> None:
        """No new connection."""
        if self._server is not None:
            self._server.close()

    async def closed(self) -> None:
        """All connections are gone, and the file too, unless another engine has taken its place by now."""
        if self._server is None:
            return
        await self._server.wait_closed()
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


def _listener(path: Path, mask: int) -> socket.socket:
    """Bound. An old socket there is nobody's: the store is locked."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "something else than a socket stands there")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    old = os.umask(mask)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(old)
    return listener
