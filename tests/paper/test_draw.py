"""Drawn paper: what a stream would look like, and what the simulated printer can know of it."""

from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from edgebox.paper.canvas import HEIGHT_MAX
from edgebox.paper.draw import InkItem, PaperPrinter, draw, render_png
from tests.escpos.streams import ALL_EXAMPLES, CORPUS_MISSING, corpus_files, messy_streams, parse, random_sizes

WIDE = PrinterProfile()
NARROW = PrinterProfile(name="generic-58", dots=384, columns=32, columns_b=42)
FILES = corpus_files()
HEAD_TO_CUTTER = 104  # dots: 13 mm
URL = b"https://points.example/c/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdEfGhIjKlMnOpQrSt"


def printed(stream: bytes, profile: PrinterProfile = WIDE) -> PaperPrinter:
    """A printer that has been sent the whole stream."""
    printer = PaperPrinter(profile)
    printer.feed(parse(stream))
    printer.finish()
    return printer


def qr(data: bytes, module: int = 4, level: int = 49) -> bytes:
    """A native QR code."""
    count = (len(data) + 3).to_bytes(2, "little")
    return (
        b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C" + bytes([module]) + b"\x1d(k\x03\x001E" + bytes([level])
        + b"\x1d(k" + count + b"1P0" + data + b"\x1d(k\x03\x001Q0"
    )  # fmt: skip


def dark(image: Image.Image) -> int:
    """How many dots are burnt."""
    return sum(image.convert("L").histogram()[:60])


def read(image: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(image)]


# -- symbols are real ones


@pytest.mark.parametrize("profile", [WIDE, NARROW], ids=["80 mm", "58 mm"])
@pytest.mark.parametrize("module", [3, 4, 6])
@pytest.mark.parametrize("level", [48, 49, 50, 51])
def test_a_native_qr_code_can_be_scanned_off_the_paper(profile: PrinterProfile, module: int, level: int) -> None:
    stream = b"SHOP\n\x1ba\x01" + qr(URL, module, level) + b"\n\x1ba\x00THANKS\n\n\n\n\x1dV\x00"
    assert read(draw(stream, profile)) == [URL.decode()]


def test_a_qr_code_at_the_left_edge_can_be_scanned() -> None:
    assert read(draw(qr(URL), NARROW)) == [URL.decode()]


def test_a_qr_code_in_page_mode_can_be_scanned() -> None:
    stream = b"\x1bL\x1bW\x00\x00\x00\x00\x40\x02\xf4\x01\x1d$\x32\x00\x1b$\x64\x00" + qr(URL) + b"\x0c"
    assert read(draw(stream, WIDE)) == [URL.decode()]


def test_a_qr_code_in_another_alphabet_keeps_its_bytes() -> None:
    text = "https://发票.example/?编号=123"
    assert read(draw(qr(text.encode()), WIDE)) == [text]


def test_a_qr_code_wider_than_the_paper_is_a_box_and_not_a_lie() -> None:
    printer = printed(qr(URL * 6, 16), NARROW)
    assert [item.kind for item in printer.ink] == ["symbol"]
    assert read(printer.image()) == []


@pytest.mark.parametrize("scale", [0, 3])
def test_a_qr_code_sent_as_a_picture_can_be_scanned(scale: int) -> None:
    native = PaperPrinter(WIDE)
    native.feed(parse(qr(URL, 2 if scale else 4)))
    height = native.position
    strip = native._canvas.strip(0, height).convert("1")
    raster = b"\x1dv0" + bytes([scale]) + (72).to_bytes(2, "little") + height.to_bytes(2, "little") + strip.tobytes()
    assert read(draw(b"A\n" + raster + b"\n", PrinterProfile(dots=1152))) == [URL.decode()]


def test_a_qr_code_sent_as_stripes_can_be_scanned() -> None:
    native = PaperPrinter(WIDE)
    native.feed(parse(qr(URL, 4)))
    strip = native._canvas.strip(0, native.position)
    stream = b"\x1b3\x18"
    for top in range(0, native.position, 24):
        columns = strip.crop((0, top, 256, top + 24)).transpose(Image.Transpose.TRANSPOSE).convert("1").tobytes()
        stream += b"\x1b*\x21\x00\x01" + columns + b"\n"
    assert read(draw(stream, WIDE)) == [URL.decode()]


@pytest.mark.parametrize("feed", [b"\n", b"\x1bJ\x00", b"\x1bJ\x18"], ids=["LF", "ESC J 0", "ESC J 24"])
def test_stripes_feed_no_less_than_their_height(feed: bytes) -> None:
    printer = printed(b"\x1b3\x10" + (b"\x1b*\x21\x08\x00" + b"\xff" * 24 + feed) * 3)
    assert [(item.top, item.bottom) for item in printer.ink] == [(0, 24), (24, 48), (48, 72)]


@pytest.mark.parametrize(
    ("m", "data", "text"),
    [
        (65, b"01234567890", "0012345678905"),
        (67, b"400638133393", "4006381333931"),
        (68, b"1234567", "12345670"),
        (69, b"CODE-39 X", "CODE-39 X"),
        (70, b"12345678", "12345678"),
        (71, b"A1234B", "A1234B"),
        (73, b"{BNo. 123", "No. 123"),
        (73, b"{C\x01\x02\x03{B-9", "010203-9"),
        (73, b"{BABC{{1", "ABC{1"),
        (2, b"400638133393", "4006381333931"),
        (4, b"ABC-123", "ABC-123"),
    ],
)
def test_a_bar_code_can_be_scanned_off_the_paper(m: int, data: bytes, text: str) -> None:
    body = bytes([m, len(data)]) + data if m > 60 else bytes([m]) + data + b"\0"
    image = draw(b"\x1ba\x01\x1dw\x02\x1dh\x50\x1dH\x02\x1dk" + body + b"\n", WIDE)
    found = [code.upper() if m == 71 else code for code in read(image)]
    assert [code.lstrip("0") for code in found] == [text.lstrip("0")]


def test_a_upc_e_can_be_scanned_off_the_paper() -> None:
    [found] = read(draw(b"\x1ba\x01\x1dh\x50\x1dkB\x0b01234500005\n", WIDE))
    assert found.lstrip("0") in ("1234505", "12345000058", "1234500005" + found[-1])


@pytest.mark.parametrize("raw", [b"\x1dkC\x03abc", b"\x1dkK\x03123", b"\x1dkI\x02{C", b"\x1dkF\x02xx", b"\x1dkH\x02AB"])
def test_a_bar_code_that_can_not_be_drawn_is_a_labelled_box(raw: bytes) -> None:
    [item] = printed(raw).ink
    assert item.kind == "bar code"
    assert item.bottom - item.top < 162  # a box, no bars


# -- letters


def test_text_stands_where_it_should() -> None:
    printer = printed(b"A\n\x1ba\x02B\n")
    strip = printer._canvas.strip(0, 60)
    first, second = strip.crop((0, 0, 576, 30)).getbbox(), strip.crop((0, 30, 576, 60)).getbbox()
    assert first is not None
    assert second is not None
    assert first[2] <= 12
    assert second[0] >= 564


def test_sizes_are_multiples() -> None:
    plain, double = printed(b"H\n").ink[0], printed(b"\x1d!\x11H\n").ink[0]
    assert double.bottom - double.top == 2 * (plain.bottom - plain.top)


def test_a_reversed_space_is_a_black_bar() -> None:
    printer = printed(b"\x1dB\x01    \x1dB\x00\n")
    assert [(item.top, item.bottom) for item in printer.ink] == [(0, 24)]
    assert dark(printer.image()) == 48 * 24


def test_an_underline_lies_below_the_letters() -> None:
    assert printed(b"\x1b-\x02a\n").ink[0].bottom == 24


def test_spaces_and_feeds_leave_no_ink() -> None:
    assert printed(b"   \n\n\t\n\x1bd\x05").ink == []


def test_bold_has_more_ink() -> None:
    assert dark(draw(b"\x1bE\x01TOTAL\n", WIDE)) > dark(draw(b"TOTAL\n", WIDE))


def test_an_upside_down_line_is_the_line_turned() -> None:
    up, down = printed(b"TOTAL 5\n"), printed(b"\x1b{\x01TOTAL 5\n")
    turned = down._canvas.strip(0, 24).transpose(Image.Transpose.ROTATE_180)
    assert turned.tobytes() == up._canvas.strip(0, 24).tobytes()


def test_a_long_line_goes_on_in_the_next_row() -> None:
    printer = printed(b"A" * 48 + b"BC\nD\n")
    assert [item.text for item in printer.ink] == ["A" * 48, "BC", "D"]
    assert printer.position == 90
    assert printed(b"A" * 48 + b"BC\nD\n", NARROW).position == 90


def test_chinese_letters_are_drawn_and_differ() -> None:
    one, other = (printed(f"{text}\n".encode("gbk"), WIDE)._canvas.strip(0, 24) for text in ("合合", "计计"))
    assert one.getbbox() is not None
    assert one.tobytes() != other.tobytes()


def test_overprint_is_darker_but_no_longer() -> None:
    once, twice = printed(b"TOTAL\n"), printed(b"TOTAL\rTOTAL\n")
    assert (once.position, len(once.ink)) == (twice.position, len(twice.ink))


# -- pictures


def test_a_raster_picture_is_its_dots() -> None:
    printer = printed(b"\x1dv0\x00\x01\x00\x02\x00\x81\xff")
    assert dark(printer.image()) == 2 + 8
    assert printer.ink == [InkItem(0, 2, "picture", "GS v 0")]
    assert dark(draw(b"\x1dv0\x03\x01\x00\x02\x00\x81\xff", WIDE)) == 4 * (2 + 8)


@pytest.mark.parametrize(
    "store_and_print",
    [
        b"\x1d(L\x0c\x000p0\x01\x011\x08\x00\x02\x00\x81\xff\x1d(L\x02\x0002",
        b"\x1d8L\x0c\x00\x00\x000p0\x01\x011\x08\x00\x02\x00\x81\xff\x1d(L\x02\x0002",
        b"\x1d(L\x0d\x000S0KC\x01\x08\x00\x02\x001\x81\xff\x1d(L\x06\x000UKC\x01\x01",
        b"\x1d*\x01\x01\xc0\x40\x40\x40\x40\x40\x40\xc0\x1d/\x00",
        b"\x1cq\x01\x01\x00\x01\x00\xc0\x40\x40\x40\x40\x40\x40\xc0\x1cp\x01\x00",
    ],
    ids=["GS ( L", "GS 8 L", "GS ( L 83/85", "GS *", "FS q"],
)
def test_a_stored_picture_prints_as_its_dots(store_and_print: bytes) -> None:
    assert dark(draw(store_and_print, WIDE)) == 10


def test_printing_stored_graphics_empties_the_memory() -> None:
    stored = b"\x1d(L\x0c\x000p0\x01\x011\x08\x00\x02\x00\x81\xff"
    assert dark(draw(stored + b"\x1d(L\x02\x0002" * 2, WIDE)) > 10  # the second is a box


def test_a_picture_in_the_printers_memory_is_a_labelled_box() -> None:
    assert [item.kind for item in printed(b"\x1cp\x01\x00").ink] == ["picture"]


# -- where the paper stands


def test_the_position_counts_what_passed_the_head() -> None:
    assert printed(b"A\n\n").position == 60
    assert printed(b"\x1b3\x50A\nB\n").position == 160
    assert printed(b"\x1bJ\x32").position == 50
    assert printed(b"\x1bd\x03").position == 90
    assert printed(b"A\n\n\n\x1bK\x1e").position == 60


def test_a_cut_falls_where_the_cutter_stands() -> None:
    [cut] = printed(b"A\n" * 10 + b"\x1dV\x00").cuts
    assert (cut.at_dots, cut.offset) == (300 - HEAD_TO_CUTTER, 20)


def test_a_cut_that_feeds_falls_below_the_last_ink() -> None:
    printer = printed(b"A\n" * 10 + b"\x1dVB\x14")
    assert printer.cuts[0].at_dots == 300 + 20
    assert printer.position == 300 + 20 + HEAD_TO_CUTTER


def test_a_printer_that_feeds_by_itself_needs_no_feed() -> None:
    assert printed(b"A\n\x1bi", PrinterProfile(cut_feeds=True)).cuts[0].at_dots == 30


def test_a_cut_through_ink_can_be_seen() -> None:
    printer = printed(b"A\n" * 5 + b"\n\n\x1dV\x00")
    at = printer.cuts[0].at_dots
    assert any(item.top < at < item.bottom for item in printer.ink)


def test_a_cut_in_the_middle_of_a_line_is_ignored() -> None:
    assert printed(b"SUBTOTAL\x1dV\x00\n").cuts == []


def test_a_cut_shows_as_two_sheets() -> None:
    whole = draw(b"A\n" * 20, WIDE)
    cut = draw(b"A\n" * 10 + b"\n\n\n\n\x1dV\x00" + b"A\n" * 10, WIDE)
    assert cut.height > whole.height


# -- what is no paper


def test_drawer_display_and_buzzer_are_notes_beside_the_paper() -> None:
    bare, noted = draw(b"A\n", WIDE), draw(b"A\n\x1bp\x00\x19\xfa\x1b=\x02THANKS\x1b=\x01\x07", WIDE)
    assert noted.width > bare.width
    assert dark(noted) == dark(bare)  # notes are grey


def test_a_display_that_is_sent_rubbish_is_still_a_note() -> None:
    rubbish = b"\x1b=\x02\x00A\x80\xf4\x7f" + "Привет שלום مرحبا 合计\t".encode() + b"\x1b=\x01"
    assert draw(rubbish, WIDE).width > draw(b"A\n", WIDE).width


# -- any stream


@settings(max_examples=60, deadline=None)
@given(stream=messy_streams)
def test_any_stream_is_drawn_without_a_fault(stream: bytes) -> None:
    printer = printed(stream)
    assert all(item.top < item.bottom for item in printer.ink)
    assert printer.image().width > WIDE.dots


@settings(max_examples=40, deadline=None)
@given(stream=messy_streams, seed=st.integers(0, 99))
def test_chunks_make_no_difference_to_the_paper(stream: bytes, seed: int) -> None:
    parser, printer, at = Parser(), PaperPrinter(WIDE), 0
    for size in random_sizes(seed, 20):
        printer.feed(parser.feed(stream[at : at + size]))
        at += size
        if at >= len(stream):
            break
    printer.feed(parser.finish())
    printer.finish()
    whole = printed(stream)
    assert (printer.ink, printer.cuts, printer.position) == (whole.ink, whole.cuts, whole.position)
    assert printer.image().tobytes() == whole.image().tobytes()


def test_every_command_of_the_table_can_be_drawn() -> None:
    for before in (b"", b"AB", b"\x1bL"):
        for example in ALL_EXAMPLES:
            assert printed(b"\x1b@" + before + example + b"\nEND\n\x0c", NARROW).image().width >= NARROW.dots


@pytest.mark.skipif(not FILES, reason=CORPUS_MISSING)
def test_real_streams_are_drawn(tmp_path: Path) -> None:
    for path in FILES[::9]:
        render_png(path.read_bytes(), WIDE, tmp_path / "paper.png")
        with Image.open(tmp_path / "paper.png") as image:
            assert image.format == "PNG"
            assert image.width > WIDE.dots


# -- bounds


def test_a_picture_of_endless_paper_is_cut_short_and_says_so() -> None:
    printer = printed(b"A\n" + b"\x1bd\xff" * 12 + b"B\n")
    assert printer.position > HEIGHT_MAX
    image = printer.image()
    assert HEIGHT_MAX < image.height < HEIGHT_MAX + 500
    assert image.width > draw(b"A\n", WIDE).width  # the note


def test_ink_beyond_the_picture_is_still_known() -> None:
    assert [item.text for item in printed(b"\x1bd\xff" * 12 + b"B\n").ink] == ["B"]


def test_hostile_sizes_do_not_take_memory() -> None:
    """Sizes are claims: these say 65535 x 65535 dots, 537 MB, and bring a few bytes."""
    graphics = b"\x1d(L\x0c\x000p0\x02\x021\xff\xff\xff\xff\xff\xff\x1d(L\x02\x0002"
    assert [(item.top, item.bottom) for item in printed(graphics, NARROW).ink] == [(0, 2)]
    noise = printed(b"\x1dv0\x03\xff\xff\xff\xff" + b"\xff" * 100_000, NARROW)  # says 4 GB: no picture is that long
    assert all(item.kind == "text" for item in noise.ink)
    assert printed(b"\x1cq\xff\xff\xff\xff\xff" + b"\xff" * 100_000, NARROW).ink == []
