"""The disk over NBD: what a client sends, in whatever pieces, and what it hears."""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vm.disk import SECTOR, Disk, Flush, How, Write
from tests.vm.disk_server import GREETING, Conversation, DiskServer, EndedError, NonsenseError

SIZE = 8 * SECTOR
GO = b"IHAVEOPT" + struct.pack(">II", 7, 6) + b"\0" * 6
HELLO = struct.pack(">I", 1) + GO
HELLO_ANSWER = 20 + 12 + 20  # two option replies, one with the size


def request(command: int, offset: int = 0, length: int = 0, data: bytes = b"", *, flags: int = 0) -> bytes:
    return struct.pack(">IHHQQI", 0x25609513, flags, command, 77, offset, length) + data


def opened(disk: Disk) -> Conversation:
    talk = Conversation(disk)
    assert talk.feed(b"") == GREETING
    answer = talk.feed(HELLO)
    assert len(answer) == HELLO_ANSWER
    assert struct.pack(">QH", disk.size, 1 | 4 | 8) in answer, "its size, and that it knows FLUSH and FUA"
    return talk


def ok(data: bytes = b"") -> bytes:
    return struct.pack(">IIQ", 0x67446698, 0, 77) + data


@given(st.lists(st.integers(1, 60), max_size=40))
def test_a_conversation_in_any_pieces_says_the_same(lengths: list[int]) -> None:
    disk = Disk(bytes(SIZE), logs=True)
    talk = Conversation(disk)
    data = bytes(range(256)) * 2
    raw = HELLO + request(1, SECTOR, SECTOR, data, flags=1) + request(3) + request(0, SECTOR, SECTOR)
    heard, at = talk.feed(b""), 0
    for length in [*lengths, len(raw)]:
        heard += talk.feed(raw[at : at + length])
        at += length
    assert heard[len(GREETING) + HELLO_ANSWER :] == ok() + ok() + ok(data)
    assert disk.log == [Write(SECTOR, data, is_certain=True), Flush()]


@given(st.binary(max_size=400), st.booleans())
def test_nonsense_ends_the_conversation_and_nothing_else(raw: bytes, after_hello: bool) -> None:
    disk = Disk(bytes(SIZE), logs=True)
    talk = opened(disk) if after_hello else Conversation(disk)
    with contextlib.suppress(NonsenseError, EndedError):
        talk.feed(raw)
    assert not disk.is_dead


@pytest.mark.parametrize(
    "raw", [request(0, SIZE, SECTOR), request(1, 1, SECTOR, bytes(SECTOR)), request(4, 0, SECTOR), request(99)]
)
def test_what_cannot_be_done_is_an_error_and_the_conversation_goes_on(raw: bytes) -> None:
    talk = opened(Disk(bytes(SIZE)))
    assert talk.feed(raw) == struct.pack(">IIQ", 0x67446698, 22, 77)
    assert talk.feed(request(3)) == ok()


def test_no_request_takes_all_memory() -> None:
    talk = opened(Disk(bytes(SIZE)))
    with pytest.raises(NonsenseError):
        talk.feed(request(1, 0, 33 << 20))


def test_options_that_are_not_known_are_refused() -> None:
    talk = Conversation(Disk(bytes(SIZE)))
    talk.feed(b"")
    answer = talk.feed(struct.pack(">I", 1) + b"IHAVEOPT" + struct.pack(">II", 5, 0))
    assert answer == struct.pack(">QIII", 0x3E889045565A9, 5, 0x80000001, 0)
    assert len(talk.feed(GO)) == HELLO_ANSWER


def test_a_cut_disk_answers_nothing_any_more(tmp_path: Path) -> None:
    disk = Disk(bytes(SIZE))
    with DiskServer(disk, tmp_path / "nbd") as server, socket.socket(socket.AF_UNIX) as link:
        assert server.url == f"nbd+unix:///?socket={tmp_path}/nbd"
        link.settimeout(5)
        link.connect(str(tmp_path / "nbd"))
        link.sendall(HELLO + request(1, 0, SECTOR, b"x" * SECTOR))
        whole = len(GREETING) + HELLO_ANSWER + len(ok())
        assert len(b"".join(link.recv(1) for _ in range(whole))) == whole
        assert disk.cut(How.NOTHING, Random(0)) == (bytes(SIZE), 1)
        link.sendall(request(3))
        assert link.recv(1) == b""
