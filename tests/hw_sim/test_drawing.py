"""Each ticket can be taken from the stream by itself and looks as it did in its place."""

import random
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgebox.escpos.profile import PrinterProfile
from hw_sim.drawing import TicketBytes, TicketDrawer
from hw_sim.ink import Ticket
from hw_sim.layouts import LAYOUTS, compose
from hw_sim.printer import Printer
from hw_sim.receipt_words import SHOPS, shop

END = b"\n\n\n\n\n\n\x1dV\x00"


def printed(stream: bytes) -> tuple[Ticket, ...]:
    printer = Printer()
    printer.feed(stream)
    return printer.report().tickets


def alone(stream: bytes) -> list[Ticket]:
    """Each ticket printed again by itself."""
    cutter = TicketBytes()
    return [printed(cutter.take(stream, ticket))[0] for ticket in printed(stream)]


def test_modes_set_once_hold_for_later_tickets() -> None:
    stream = b"\x1b!\x30\x1bE\x01\x1ba\x01ONE" + END + b"TWO" + END + b"\x1b@THREE" + END
    assert [t.marks for t in alone(stream)] == [t.marks for t in printed(stream)]


def test_a_symbol_stored_once_is_there_for_later_tickets() -> None:
    long = b"x" * 300
    stored = b"\x1d(k\x03\x001C\x05\x1d(k\x2f\x011P0" + long
    stream = stored + b"ONE" + END + b"TWO\n\x1d(k\x03\x001Q0" + END
    assert long.decode() in printed(stream)[1].text
    assert [t.marks for t in alone(stream)] == [t.marks for t in printed(stream)]


def test_tickets_out_of_order_are_refused() -> None:
    stream = b"ONE" + END + b"TWO" + END
    one, two = printed(stream)
    cutter = TicketBytes()
    cutter.take(stream, two)
    with pytest.raises(ValueError, match="followed to"):
        cutter.take(stream, one)


@given(st.lists(st.sampled_from(sorted(set(LAYOUTS) - {"header_preprinted", "no_cut", "unflushed_end"})), min_size=1,
                max_size=5), st.integers(0, 99))  # fmt: skip
def test_any_tills_tickets_are_the_same_alone(names: list[str], seed: int) -> None:
    one = random.Random(seed).choice(SHOPS)
    stream = b"".join(compose(name, one, seed).raw for name in names)
    assert [t.marks for t in alone(stream)] == [t.marks for t in printed(stream)]


def test_a_drawn_ticket_can_be_scanned(tmp_path: Path) -> None:
    profile = PrinterProfile(cjk="gb18030")
    printer = Printer(profile)
    stream = compose("own_qr", shop("zh-CN"), 3)
    printer.feed(stream.raw)
    TicketDrawer(profile).save(bytes(printer.received), printer.report().tickets[0], tmp_path / "paper.png")
    with Image.open(tmp_path / "paper.png") as picture:
        (found,) = zxingcpp.read_barcodes(picture)
    assert found.text == f"https://invoice.example/{stream.documents[0].number}?total=9999.99"
