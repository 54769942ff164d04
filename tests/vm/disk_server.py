"""Serves a disk to one machine over the NBD protocol, on a Unix socket.

Owns: the conversation (pure: bytes in, bytes out) and the thread that carries it. Never: what a write means (disk.py).
Requests are done one after the other, each before its answer: so what a FLUSH covers is what stands before it.

[github.com/NetworkBlockDevice/nbd, doc/proto.md: fixed newstyle negotiation, simple replies]
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
from collections.abc import Generator
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

from tests.vm.disk import Disk

GREETING = struct.pack(">8sQH", b"NBDMAGIC", 0x49484156454F5054, 1)  # NBD_FLAG_FIXED_NEWSTYLE
OPTION_MAGIC = 0x49484156454F5054
OPTION_REPLY_MAGIC = 0x3E889045565A9
REQUEST_MAGIC = 0x25609513
REPLY_MAGIC = 0x67446698
ACK, INFO, UNSUPPORTED = 1, 3, 0x80000001  # NBD_REP_ACK, NBD_REP_INFO, NBD_REP_ERR_UNSUP
HAS_FLAGS, SEND_FLUSH, SEND_FUA = 1, 1 << 2, 1 << 3
FLAGS = HAS_FLAGS | SEND_FLUSH | SEND_FUA
FUA = 1  # NBD_CMD_FLAG_FUA
OPTION_BYTES = 8192  # an export's name has 4096 at most
REQUEST_BYTES = 32 << 20  # what clients may send without being told [proto.md, "Block size constraints"]
CHUNK = 1 << 16
GOODBYE_S = 5.0  # for the thread to end

Talk: TypeAlias = Generator[int | bytes, Any, None]  # yields how many bytes it wants next, or bytes that it says

_client_flags = struct.Struct(">I")
_option = struct.Struct(">QII")
_request = struct.Struct(">IHHQQI")


class Option(IntEnum):
    """What a client asks before it reads."""

    EXPORT_NAME = 1
    ABORT = 2
    INFO = 6
    GO = 7


class Command(IntEnum):
    """What it asks then."""

    READ = 0
    WRITE = 1
    DISCONNECT = 2
    FLUSH = 3


class NonsenseError(Exception):
    """The client does not speak the protocol: the conversation ends."""


class EndedError(Exception):
    """The client has taken its leave."""


class Said(NamedTuple):
    """A request. `data`: of a write."""

    flags: int
    command: int
    cookie: int
    offset: int
    length: int
    data: bytes


class Conversation:
    """One client's. `feed` any pieces of what it sends; the answers come back."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._buffer = bytearray()
        self._steps = self._talk()
        self._wanted = next(self._steps)

    def feed(self, data: bytes) -> bytes:
        """What is to be sent now. NonsenseError, EndedError."""
        self._buffer += data
        out = bytearray()
        while isinstance(self._wanted, bytes) or len(self._buffer) >= self._wanted:
            if isinstance(self._wanted, bytes):
                out += self._wanted
                self._wanted = next(self._steps)
                continue
            piece = bytes(self._buffer[: self._wanted])
            del self._buffer[: self._wanted]
            try:
                self._wanted = self._steps.send(piece)
            except StopIteration:
                raise EndedError(bytes(out)) from None
        return bytes(out)

    def _talk(self) -> Talk:
        yield GREETING
        yield _client_flags.size
        while True:
            magic, option, length = _option.unpack((yield _option.size))
            if magic != OPTION_MAGIC or length > OPTION_BYTES:
                raise NonsenseError(f"option {option} of {length} bytes")
            yield length
            answer = self._answer(option)
            yield answer
            if option == Option.ABORT:
                return
            if option in (Option.EXPORT_NAME, Option.GO):
                break
        while True:
            said = _said((yield _request.size))
            if said.command == Command.WRITE:
                said = said._replace(data=(yield said.length))
            if said.command == Command.DISCONNECT:
                return
            yield self._done(said)

    def _answer(self, option: int) -> bytes:
        size = struct.pack(">QH", self._disk.size, FLAGS)
        if option == Option.EXPORT_NAME:
            return size + bytes(124)
        if option in (Option.INFO, Option.GO):
            return _reply(option, INFO, struct.pack(">H", 0) + size) + _reply(option, ACK)
        return _reply(option, ACK if option == Option.ABORT else UNSUPPORTED)

    def _done(self, said: Said) -> bytes:
        data, failed = b"", 0
        try:
            match said.command:
                case Command.READ:
                    data = self._disk.read(said.offset, said.length)
                case Command.WRITE:
                    self._disk.write(said.offset, said.data, is_certain=bool(said.flags & FUA))
                case Command.FLUSH:
                    self._disk.flush()
                case _:
                    failed = errno.EINVAL
        except OSError:
            if self._disk.is_dead:
                raise EndedError(b"") from None
            failed = errno.EINVAL
        return struct.pack(">IIQ", REPLY_MAGIC, failed, said.cookie) + data


def _reply(option: int, kind: int, data: bytes = b"") -> bytes:
    return struct.pack(">QIII", OPTION_REPLY_MAGIC, option, kind, len(data)) + data


def _said(raw: bytes) -> Said:
    magic, *fields = _request.unpack(raw)
    said = Said(*fields, b"")
    if magic != REQUEST_MAGIC or (said.command in (Command.READ, Command.WRITE) and said.length > REQUEST_BYTES):
        raise NonsenseError(f"command {said.command} of {said.length} bytes")
    return said


class DiskServer:
    """Listens on `path`; `url` is what QEMU takes for a disk. One client after the other, each in a thread."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self.url = f"nbd+unix:///?socket={path}"
        self._disk = disk
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hangs up."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()
        self._thread.join(GOODBYE_S)
        for link in list(self._open):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        talk = Conversation(self._disk)
        try:
            link.sendall(talk.feed(b""))
            while data := link.recv(CHUNK):
                link.sendall(talk.feed(data))
        except EndedError as last:
            with contextlib.suppress(OSError):
                link.sendall(last.args[0])
        except (NonsenseError, OSError):
            return  # whoever it was hears a closed connection
        finally:
            link.close()
            self._open.discard(link)
