"""A slip's body is read before it is printed, and nothing that could do harm gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.escpos.documents import scan
from edgebox.escpos.parser import Parser
from edgebox.line.insertion import check, wrap
from tests.line.paper import NATIVE, modes_after
from tests.line.test_placement import MODES
from tests.line.wire import BODY, CUTTER

LATIN = CUTTER._replace(cjk_on=False)

HOSTILE = {
    "ESC @": b"\x1b@HELLO\n",
    "a cut": b"HELLO\n\x1dV\x00",
    "a cut that feeds": b"HELLO\n\x1dVB\x00",
    "ESC i": b"HELLO\n\x1bi",
    "ESC m": b"HELLO\n\x1bm",
    "a status query": b"HELLO\n\x10\x04\x01",
    "a drawer kick in real time": b"\x10\x14\x01\x00\x05HELLO\n",
    "a drawer kick": b"\x1bp\x00\x19\xfaHELLO\n",
    "a power-off": b"\x10\x14\x02\x01\x08HELLO\n",
    "a buffer clear": b"\x10\x05\x02HELLO\n",
    "a kick hidden in a picture": b"\x1dv0\x00\x08\x00\x01\x00\x10\x14\x01\x00\x05UUU",
    "page mode": b"\x1bLHELLO\x0c",
    "a macro": b"\x1d:HELLO\n\x1d:",
    "a stored picture": b"\x1cq\x01\x01\x00\x01\x00UUUUUUUU",
    "flash": b"\x1b[}HELLO\n",
    "memory switches": b"\x1d(E\x03\x00\x01IN",
    "an unknown opcode": b"\x1d\x0eHELLO\n",
    "another device": b"\x1b=\x02HELLO\n",
    "a code page": b"\x1bt\x10HELLO\n",
    "status sent by itself": b"\x1da\xffHELLO\n",
    "a query": b"\x1dr\x01HELLO\n",
    "a question about a symbol": b"\x1d(k\x03\x001R0",
    "reverse feed": b"HELLO\n\x1bK\x30",
    "form feed": b"HELLO\x0c",
    "CAN": b"\x18HELLO\n",
    "a bell": b"\x07HELLO\n",
    "text without its line end": b"HELLO",
    "a position without text": b"HELLO\n\x1b$\x10\x00",
    "a picture in the buffer": b"\x1b*\x00\x02\x00UU",
    "a command cut short": b"HELLO\n\x1ba",
    "a picture cut short": b"HELLO\n\x1dv0\x00\x08\x00\x08\x00UUU",
    "a long picture cut short": b"\x1dv0\x00\x20\x00\x20\x00" + b"U" * 200,
    "a symbol cut short": b"\x1d(k\x80\x001P0HELLO",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_body_is_refused_that_holds(name: str) -> None:
    assert check(HOSTILE[name], CUTTER).reason


@pytest.mark.parametrize(
    "body", [BODY, NATIVE, b"HELLO\n", b"\x1c&\xba\xcf\n\x1c.", b"\x1dv0\x00\x01\x00\x01\x00U", b""]
)
def test_plain_bodies_are_taken(body: bytes) -> None:
    assert check(body, CUTTER).reason == ""


OURS = [BODY, NATIVE, *(mode for mode in MODES if b"THEIR" not in mode)]


@given(st.lists(st.sampled_from(MODES), max_size=6), st.lists(st.sampled_from(OURS), max_size=5))
def test_a_wrapped_body_leaves_every_mode_as_it_was(till: list[bytes], parts: list[bytes]) -> None:
    body = b"".join(parts) + b"\n"
    checked = check(body, LATIN)
    stream = b"\x1b@" + b"".join(till) + b"TOTAL\n\n\x1dV\x00"
    ending = scan(stream, LATIN)[0]
    if checked.reason or ending.insert_at < 0 or not ending.modes.symbol_ok:
        return
    head = stream[: ending.insert_at]
    block = wrap(body, checked, ending, LATIN)
    assert modes_after(head + block, LATIN) == modes_after(head, LATIN)


@given(st.binary(max_size=80))
def test_no_body_crashes_the_check_and_none_that_passes_leaves_the_printer_in_a_command(body: bytes) -> None:
    checked = check(body, CUTTER)
    if not checked.reason:
        parser = Parser()
        parser.feed(body)
        assert parser.at_boundary
