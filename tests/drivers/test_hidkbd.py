"""The keyboard gadget: printable characters, Enter and Tab, whatever a code holds and whatever the link does."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Reason
from drivers.hidkbd import HidKeyboard
from drivers.keymaps import NAMES, Layout
from drivers.registry import code_end
from edgebox.errors import DriverError
from hw_sim.evsim import Device
from hw_sim.scanner import KeyboardTill

PRINTABLE = bytes(range(32, 127))


class Gadget:
    """A keyboard on a socket pair; `till` reads what it types. `room`: so many reports fit; None: all."""

    def __init__(self, layout: str = "us", tills: str | None = None) -> None:
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._theirs.setblocking(False)
        self.keyboard = HidKeyboard(ours.detach(), "/dev/hidg0", Layout(layout))
        self.till = KeyboardTill(_Socket(self._theirs), tills or layout)

    def types(self, data: bytes) -> str:
        rest = data
        while rest or self.keyboard.unsent():
            rest = rest[self.keyboard.write(rest) :]
            while self.till.listen():
                self.keyboard.read(64)
        while self.till.listen():
            self.keyboard.read(64)
        return self.till.text

    def close(self) -> None:
        self.keyboard.close()
        self._theirs.close()


class _Socket(Device):
    """A Device that is connected already."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def wait_open(self, timeout_s: float = 0.0) -> None:
        """It is."""


@pytest.fixture
def gadget() -> Iterator[Gadget]:
    made = Gadget()
    yield made
    made.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_printable_character_arrives_in_every_layout(name: str) -> None:
    gadget = Gadget(name)
    wanted = bytes(code for code in PRINTABLE if name != "it" or chr(code) not in "`~")
    assert gadget.types(wanted + b"\r") == wanted.decode() + "\r"
    assert gadget.till.chords == []
    gadget.close()


@given(st.binary(max_size=60), st.sampled_from(NAMES))
def test_no_bytes_type_a_chord(data: bytes, name: str) -> None:
    gadget = Gadget(name)
    gadget.types(data + b"\r")
    assert gadget.till.chords == []
    assert gadget.till.text.endswith("\r")
    gadget.close()


@pytest.mark.parametrize("control", [*range(32), 127])
def test_a_control_character_types_nothing_but_enter_and_tab(control: int, gadget: Gadget) -> None:
    typed = gadget.types(b"A" + bytes((control,)) + b"B")
    assert typed == {13: "A\rB", 9: "A\tB"}.get(control, "AB")
    assert gadget.till.chords == []


def test_letters_of_the_layout_arrive_from_utf_8_and_from_latin_1() -> None:
    gadget = Gadget("fr")
    assert gadget.types("é€ê".encode() + b"\xe9\xe8x") == "é€êéèx"
    assert gadget.keyboard.untyped == 0
    gadget.close()


def test_what_the_layout_has_no_key_for_is_left_out_and_counted(gadget: Gadget) -> None:
    assert gadget.types("A积é\x1dB".encode()) == "AB"
    assert gadget.keyboard.untyped == 3


def test_caps_lock_is_lifted_for_a_code_and_put_back(gadget: Gadget) -> None:
    gadget.types(b"a")
    gadget.till.set_caps(True)
    gadget.keyboard.read(64)
    assert gadget.types(b"Cpn:7x\r") == "aCpn:7x\r"
    assert gadget.till.caps
    assert gadget.types(b"aB\r") == "aCpn:7x\raB\r"
    assert gadget.till.caps
    assert gadget.till.chords == []


def test_a_byte_counts_when_it_is_typed_whole(gadget: Gadget) -> None:
    """A till that polls slowly: the caller's rest is what has not been typed, to the character."""
    os.set_blocking(gadget.keyboard.fileno(), False)
    gadget._theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    data = b"0123456789" * 300
    taken = gadget.keyboard.write(data)
    assert 0 < taken < len(data)
    while gadget.till.listen():
        pass
    typed = gadget.till.text
    assert typed == data[: taken + gadget.keyboard.is_inside].decode()  # a key may be down already
    assert gadget.types(data[taken:]) == data.decode()


def test_a_link_that_goes_down_is_an_error(gadget: Gadget) -> None:
    gadget._theirs.close()
    with pytest.raises(OSError, match="pipe"):
        gadget.keyboard.write(b"A")
    with pytest.raises(OSError, match="link"):
        gadget.keyboard.read(64)


def test_the_first_report_lets_all_keys_go(gadget: Gadget) -> None:
    assert gadget.keyboard.flushed()
    assert gadget._theirs.recv(64) == bytes(8)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("hidkbd:?layout=us", Reason.MISSING_PATH),
        ("hidkbd://dev/hidg0?layout=us", Reason.BAD_PATH),
        ("hidkbd:///dev/hidg0", Reason.MISSING_OPTION),
        ("hidkbd:///dev/hidg0?layout=cn", Reason.BAD_OPTION),
        ("hidkbd:///dev/hidg0?layout=us&gap=1", Reason.UNKNOWN_OPTION),
        ("none:?x=1", Reason.UNKNOWN_OPTION),
        ("evdev:///dev/input/event0", Reason.UNKNOWN_SCHEME),
    ],
)
def test_a_wrong_url_is_named(url: str, reason: Reason) -> None:
    with pytest.raises(DriverError) as caught:
        code_end(url)
    assert caught.value.reason == reason


def test_a_gadget_that_is_not_there_is_named() -> None:
    with pytest.raises(DriverError) as caught:
        code_end("hidkbd:///dev/hidg99?layout=us").connect()
    assert caught.value.reason == Reason.NOT_FOUND


def test_none_takes_everything() -> None:
    port = code_end("none:").connect()
    assert port.write(b"6901234567892\r") == 14
    port.close()
