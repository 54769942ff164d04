"""A till that prints by LPR: its print data and nothing else reaches the line. Real sockets; Debian's lpr if there."""

import select
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Port
from drivers.lpr import CONTROL_BYTES, LINE_BYTES, LprPort, LprTill
from drivers.registry import till_end

RECEIPT = b"\x1b@SHOP\nTOTAL 12.00\n\0\1\2\n\x1dV\x00"
CONTROL = b"Htill\nPcashier\nldfA001till\nUdfA001till\nNreceipt\n"


class Till:
    """The client's side of one connection, and the port that the line has of it."""

    def __init__(self) -> None:
        end = till_end("lpr://127.0.0.1:0")
        assert isinstance(end, LprTill)
        end.open()
        self.end = end
        self.socket = socket.create_connection(end.address, 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: Port | None = None
        while self.port is None:
            self.port = end.accept()
        self.got = bytearray()
        self.ended = False

    def send(self, *parts: bytes) -> bytes:
        """Sends, lets the line read, and returns what was answered."""
        for part in parts:
            self.socket.sendall(part)
        self.read()
        self.socket.setblocking(False)
        try:
            return self.socket.recv(100)
        except BlockingIOError:
            return b""
        finally:
            self.socket.settimeout(5)

    def read(self, limit: int = 4096) -> None:
        assert self.port is not None
        while not self.ended and select.select([self.port], [], [], 0.02)[0]:
            data = self.port.read(limit)
            self.got += data or b""
            self.ended = data == b""

    def close(self) -> None:
        self.socket.close()
        assert self.port is not None
        self.port.close()
        self.end.close()


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.close()


def test_a_job_in_the_order_of_bsd_gives_its_data_alone(till: Till) -> None:
    assert till.send(b"\x02lp\n") == b"\0"
    assert till.send(b"\x02%d cfA001till\n" % len(CONTROL)) == b"\0"
    assert till.send(CONTROL, b"\0") == b"\0"
    assert till.send(b"\x03%d dfA001till\n" % len(RECEIPT)) == b"\0"
    assert till.send(RECEIPT, b"\0") == b"\0"
    till.socket.close()
    till.read()
    assert (bytes(till.got), till.ended) == (RECEIPT, True)


def test_data_before_control_and_two_jobs_in_one_connection(till: Till) -> None:
    till.send(b"\x02lp\n")
    for _ in range(2):
        assert till.send(
            b"\x03%d df\n" % len(RECEIPT), RECEIPT, b"\0", b"\x02%d cf\n" % len(CONTROL), CONTROL, b"\0"
        ) == (b"\0" * 4)
    assert bytes(till.got) == 2 * RECEIPT


@pytest.mark.parametrize("size", [b"0", b"125899906843000"])
def test_a_length_that_is_made_up_means_until_the_connection_ends(till: Till, size: bytes) -> None:
    till.send(b"\x02lp\n")
    assert till.send(b"\x03" + size + b" dfA\n", RECEIPT) == b"\0"
    till.socket.shutdown(socket.SHUT_WR)
    till.read()
    assert (bytes(till.got), till.ended) == (RECEIPT, True)


@pytest.mark.parametrize("command", [b"\x03lp\n", b"\x04lp all\n"])
def test_who_asks_for_the_queue_is_told_that_it_is_empty(till: Till, command: bytes) -> None:
    assert till.send(command) == b"no entries\n"
    assert (bytes(till.got), till.ended) == (b"", True)


@pytest.mark.parametrize(
    "talk",
    [
        b"\x1b@raw print data to the wrong port\n",
        b"\n",
        b"\x02lp\n\x02999999999999999999999 cf\n",
        b"\x02lp\n\x02%d cf\n" % (CONTROL_BYTES + 1),
        b"\x02lp\n\x03-5 df\n",
        b"\x02lp\n\x03 df\n",
        b"\x02" + b"x" * (LINE_BYTES + 1),
    ],
)
def test_what_is_no_lpr_is_refused_and_nothing_is_printed(till: Till, talk: bytes) -> None:
    assert till.send(talk).endswith(b"\1")
    assert (bytes(till.got), till.ended) == (b"", True)


def test_a_file_without_its_end_is_not_acknowledged(till: Till) -> None:
    till.send(b"\x02lp\n")
    assert till.send(b"\x03%d df\n" % len(RECEIPT), RECEIPT, b"X") == b"\0\1"
    assert bytes(till.got) == RECEIPT


def test_a_printers_replies_are_given_up_and_stop_nothing(till: Till) -> None:
    assert till.port is not None
    assert till.port.write(b"\x12" * 1000) == 1000
    assert till.send(b"\x02lp\n") == b"\0"


def test_it_has_an_allow_list() -> None:
    end = till_end("lpr://127.0.0.1:0", ["10.0.0.1"])
    assert isinstance(end, LprTill)
    end.open()
    with socket.create_connection(end.address, 5):
        while not end.refused:
            assert end.accept() is None
    end.close()


class Bytes:
    """A connection that gives what is prepared, in any chunking."""

    peer = "x"

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks
        self.said = b""

    def read(self, limit: int) -> bytes | None:
        return self.chunks.pop(0) if self.chunks else b""

    def write(self, data: bytes) -> int:
        self.said += data
        return len(data)


def through(talk: bytes, size: int) -> tuple[bytes, bytes]:
    wire = Bytes([talk[at : at + size] for at in range(0, len(talk), size)])
    port, got = LprPort(wire), bytearray()  # type: ignore[arg-type]
    while (data := port.read(1000)) != b"":
        got += data or b""
    return bytes(got), wire.said


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(1, 40))
def test_any_data_comes_through_unchanged_in_any_chunking(files: list[bytes], size: int) -> None:
    files = [one for one in files if one]  # an empty one means "until I close"
    talk = b"\x02lp\n" + b"".join(b"\x03%d df\n" % len(one) + one + b"\0" for one in files)
    got, said = through(talk, size)
    assert got == b"".join(files)
    assert said == b"\0" * (1 + 2 * len(files))


@given(st.binary(max_size=400), st.integers(1, 40))
def test_whatever_a_stranger_sends_it_ends(talk: bytes, size: int) -> None:
    got, said = through(talk, size)
    assert len(got) <= len(talk)
    assert set(said) <= set(b"\0\1no entries\n")
