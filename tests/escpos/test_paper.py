"""Paper: what a stream reads like, and where each line stands in it."""

import pytest

from edgebox.escpos.encodings import Decoder
from edgebox.escpos.mechanism import LINE_MAX
from edgebox.escpos.paper import Line, Paper, Picture, Symbol
from edgebox.escpos.parser import Parser
from edgebox.escpos.profile import PrinterProfile
from tests.escpos.streams import parse

PLAIN = PrinterProfile()


def laid(stream: bytes, profile: PrinterProfile = PLAIN) -> Paper:
    """The paper that a whole stream makes."""
    paper = Paper(profile)
    paper.feed(parse(stream))
    paper.finish()
    return paper


def texts(stream: bytes, profile: PrinterProfile = PLAIN) -> list[str]:
    return [line.text for line in laid(stream, profile).take_lines()]


def only(stream: bytes, profile: PrinterProfile = PLAIN) -> Line:
    [line] = laid(stream, profile).take_lines()
    return line


# -- line ends


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\r", b"\r"], ids=["LF", "CR LF", "LF CR", "CR"])
def test_every_kind_of_line_end_ends_lines(end: bytes) -> None:
    assert texts(end.join([b"SHOP", b"Milk 1.20", b"TOTAL 1.20", b""])) == ["SHOP", "Milk 1.20", "TOTAL 1.20"]


def test_lines_say_where_they_stand_in_the_stream() -> None:
    stream = b"\x1b@SHOP\n\nTOTAL \x1bE\x0112.00\x1bE\x00\r\nBYE\n"
    lines = laid(stream).take_lines()
    assert [stream[line.start : line.end] for line in lines] == [
        b"SHOP\n",
        b"TOTAL \x1bE\x0112.00\x1bE\x00\r\n",
        b"BYE\n",
    ]


def test_offsets_go_on_where_the_reader_says_the_stream_began() -> None:
    paper = Paper(PLAIN, start=1000)
    paper.feed(parse(b"A\nB\n"))
    assert [(line.start, line.end) for line in paper.take_lines()] == [(1000, 1002), (1002, 1004)]


def test_blank_lines_are_not_lines_but_move_the_paper() -> None:
    lines = laid(b"A\n\n   \nB\n").take_lines()
    assert [(line.text, line.top) for line in lines] == [("A", 0), ("B", 90)]


def test_a_last_line_without_its_end_is_read_at_the_end() -> None:
    paper = Paper(PLAIN)
    paper.feed(parse(b"A\nTOTAL 5"))
    assert [line.text for line in paper.lines()] == ["A"]
    paper.finish()
    assert [line.text for line in paper.take_lines()] == ["A", "TOTAL 5"]


def test_nul_padding_prints_nothing() -> None:
    assert texts(b"\0\0TO\0TAL\0 5\0\n\0\0\0") == ["TOTAL 5"]


def test_a_tills_second_receipt_is_read_in_the_script_of_its_first() -> None:
    """A shop's name in rare letters, which nothing tells from Western text when it comes first."""
    decoder = Decoder(PLAIN)
    receipt = "新樂園燒味\n單號 7\n小計 35.00\n總計 35.00\n".encode("gbk")
    names = []
    for _ in range(2):
        paper = Paper(PLAIN, decoder=decoder)
        paper.feed(parse(receipt))
        names.append(paper.take_lines()[0].text)
    assert names[0] != names[1] == "新樂園燒味"


def test_lines_that_are_taken_are_gone() -> None:
    paper = Paper(PLAIN)
    paper.feed(parse(b"A\nB\n"))
    assert len(paper.lines()) == 2
    assert len(paper.take_lines()) == 2
    assert paper.take_lines() == []


# -- one paper line, whatever stands between its parts


def test_commands_between_label_and_amount_do_not_break_the_line() -> None:
    stream = b"TOTAL" + b"\x1bE\x01\x1b-\x00\x1bM\x00\x1d!\x00\x1bG\x01\x1ba\x00" * 2 + b"   12.34\n"
    assert texts(stream) == ["TOTAL   12.34"]


def test_an_absolute_position_reads_as_a_gap() -> None:
    line = only(b"TOTAL\x1b$\xe0\x0112.34\n")
    assert line.text == "TOTAL" + " " * 35 + "12.34"
    assert [(span.text, span.column) for span in line.spans] == [("TOTAL", 0), ("12.34", 40)]


def test_a_relative_position_reads_as_a_gap() -> None:
    assert only(b"TOTAL\x1b\\\x3c\x0012.34\n").text == "TOTAL     12.34"


def test_positions_that_come_from_right_to_left_are_read_from_left_to_right() -> None:
    assert only(b"\x1b$\xe0\x0112.34\x1b$\x00\x00TOTAL\n").text.split() == ["TOTAL", "12.34"]


def test_tabs_go_to_the_stops_of_the_till_or_to_every_eighth_column() -> None:
    assert only(b"A\tB\n").text == "A       B"
    assert only(b"\x1bD\x0a\x14\x00A\tB\tC\n").text == "A         B         C"
    assert only(b"\x1bD\x00A\tB\n").text == "AB"  # no stops: a tab is ignored


def test_motion_units_change_what_a_position_means() -> None:
    assert only(b"\x1dP\xb4\xb4A\x1b$\xb4\x00B\n").spans[1].column == round(203 / 12)


def test_a_style_that_changes_inside_a_word_leaves_no_gap() -> None:
    line = only(b"\x1d!\x11TO\x1d!\x00TAL 5\n")
    assert line.text == "TOTAL 5"
    assert [(span.text, span.column, span.style.double_width) for span in line.spans] == [
        ("TO", 0, True),
        ("TAL 5", 4, False),
    ]


def test_a_page_that_changes_inside_a_word_leaves_one_span() -> None:
    line = only(b"Informa\x1bt\x03\x87\x84\x1bt\x00o\n")
    assert line.text == "Informação"
    assert [span.text for span in line.spans] == ["Informação"]


def test_double_width_letters_take_two_columns() -> None:
    assert [span.column for span in only(b"\x1b!\x20AB\x1b!\x00C\n").spans] == [0, 4]
    assert [span.column for span in only("\x1c&合计\x1c.C\n".encode("gbk")).spans] == [0]


def test_chinese_columns_line_up_with_positions() -> None:
    line = only("合计".encode("gbk") + b"\x1b$\x78\x0028.80\n", PrinterProfile(cjk="gb18030"))
    assert line.text == "合计      28.80"


def test_a_character_across_two_runs_of_text_is_one_character() -> None:
    stream = "合计".encode("gbk") * 1500 + b"\n"
    assert texts(stream, PrinterProfile(cjk="gb18030")) == ["合计" * (LINE_MAX // 4), "合计" * (1500 - LINE_MAX // 4)]


# -- styles


@pytest.mark.parametrize(
    ("on", "what"),
    [
        (b"\x1bE\x01", "bold"),
        (b"\x1bG\x01", "bold"),
        (b"\x1b!\x08", "bold"),
        (b"\x1b!\x10", "double_height"),
        (b"\x1b!\x20", "double_width"),
        (b"\x1d!\x01", "double_height"),
        (b"\x1d!\x10", "double_width"),
        (b"\x1b-\x01", "underline"),
        (b"\x1b-2", "underline"),
        (b"\x1b!\x80", "underline"),
        (b"\x1dB\x01", "reverse"),
        (b"\x1b{\x01", "upside_down"),
        (b"\x1bV\x01", "rotate"),
        (b"\x1b4", "italic"),
        (b"\x1c!\x04", "double_width"),
        (b"\x1c!\x08", "double_height"),
        (b"\x1cW\x01", "double_height"),
        (b"\x1c-\x01", "kanji_underline"),
        (b"\x0e", "double_width"),
    ],
    ids=lambda value: value.hex(" ") if isinstance(value, bytes) else value,
)
def test_a_style_command_shows_in_the_style(on: bytes, what: str) -> None:
    assert getattr(only(on + b"A\n").spans[0].style, what)
    assert not getattr(only(on + b"\x1b@A\n").spans[0].style, what)


def test_fonts_and_justification_are_in_the_style() -> None:
    style = only(b"\x1bM1\x1ba1A\n").spans[0].style
    assert (style.font, style.justify) == ("B", 1)


def test_justified_spans_stand_where_the_paper_shows_them() -> None:
    assert only(b"\x1ba\x01SHOP\n").spans[0].column == 22
    assert only(b"\x1ba\x02SHOP\n").spans[0].column == 44
    assert only(b"\x1dL\x30\x00SHOP\n").spans[0].column == 4
    assert only(b"\x1dW\x80\x01\x1ba\x02SHOP\n").spans[0].column == 28


def test_character_spacing_moves_what_follows() -> None:
    assert [span.column for span in only(b"\x1b \x0cAB\x1b \x00\x1bE\x01C\n").spans] == [0, 4]


@pytest.mark.parametrize("command", [b"\x1ba\x01", b"\x1dL\x60\x00", b"\x1b{\x01"])
def test_commands_of_the_line_start_are_ignored_in_the_middle_of_a_line(command: bytes) -> None:
    lines = laid(b"AB" + command + b"CD\nEF\n").take_lines()
    assert [line.spans[0].column for line in lines] == [0, 0]
    assert not any(span.style.upside_down for line in lines for span in line.spans)


def test_printers_whose_bold_has_no_parameter_lose_no_letter() -> None:
    """`ESC E Bold text ESC F` of a real till for Daruma and Vox."""
    line = only(b"\x1bEBold text\x1bF\r\n")
    assert line.text == "Bold text"
    assert line.spans[0].style.bold


# -- overprint


@pytest.mark.parametrize(
    "stream", [b"TOTAL 5.00\rTOTAL 5.00\n", b"TOTAL 5.00\rTOTAL\n", b"TOTAL 5.00\x1b$\x00\x00TOTAL 5.00\n"]
)
def test_letters_struck_twice_are_bold_and_read_once(stream: bytes) -> None:
    line = only(stream)
    assert line.text == "TOTAL 5.00"
    assert line.spans[0].style.bold


def test_a_carriage_return_that_fills_gaps_is_one_line() -> None:
    assert only(b"TOTAL\r          5.00\n").text == "TOTAL     5.00"


def test_a_carriage_return_before_other_letters_ends_a_line() -> None:
    lines = laid(b"Milk 1.20\rBread 2.00\n").take_lines()
    assert [line.text for line in lines] == ["Milk 1.20", "Bread 2.00"]
    assert {line.end for line in lines} == {21}


def test_underlining_by_overprint_keeps_the_letters() -> None:
    assert only(b"TOTAL\r_____\n").text == "TOTAL"


# -- what isn't paper


def test_esc_at_discards_the_open_line() -> None:
    assert texts(b"ABC\x1b@\x0a\x1dV\x00") == []


def test_text_for_the_customer_display_is_kept_apart() -> None:
    paper = laid(b"A\n\x1b=\x02\x1b@THANKS\x1bE\x01 YOU\x1b=\x01B\n\x1dV\x00")
    assert [line.text for line in paper.take_lines()] == ["A", "B"]
    assert paper.take_display() == "THANKS YOU"
    assert paper.take_display() == ""
    assert [mark.kind for mark in paper.take_items()] == ["cut"]


def test_a_cut_in_the_middle_of_a_line_is_ignored_as_printers_do() -> None:
    paper = laid(b"SUBTOTAL\x1dV\x00\x0aTOTAL\n\x1dV\x00")
    assert [line.text for line in paper.take_lines()] == ["SUBTOTAL", "TOTAL"]
    assert [(mark.kind, mark.start) for mark in paper.take_items()] == [("cut", 18)]


def test_drawers_and_buzzers_are_marks() -> None:
    paper = laid(b"A\n\x1bp\x00\x19\xfa\x10\x14\x01\x00\x05\x1b(A\x04\x000\x30\x01\x0a\x07")
    assert [item.kind for item in paper.take_items()] == ["drawer", "drawer", "sound", "sound"]


# -- pictures and symbols


def test_a_raster_picture_has_a_size_and_a_place() -> None:
    stream = b"A\n\x1dv0\x00\x30\x00\x20\x00" + b"\x1dV\x00\x1b" * (48 * 8) + b"B\n"
    paper = laid(stream)
    assert [line.text for line in paper.take_lines()] == ["A", "B"]
    assert paper.take_items() == [Picture("GS v 0", 384, 32, 2, 2 + 8 + 48 * 32, 30)]


def test_a_raster_picture_may_be_scaled() -> None:
    [picture] = laid(b"\x1dv0\x03\x02\x00\x08\x00" + bytes(16)).take_items()
    assert picture[1:3] == (32, 16)


def test_stripes_of_esc_star_are_one_picture() -> None:
    stripe = b"\x1b*\x21\x10\x00" + b"\x1dV\x00" * 16
    paper = laid(b"\x1b3\x18" + (stripe + b"\n") * 4 + b"A\n")
    [picture] = paper.take_items()
    assert (picture.kind, *picture[1:3]) == ("ESC *", 16, 96)
    assert [line.text for line in paper.take_lines()] == ["A"]


def test_stored_graphics_are_a_picture_when_they_are_printed() -> None:
    stored = b"\x1d(L\x12\x000p0\x01\x021\x08\x00\x08\x00\x1dV\x00\x1bi\x00\x00\x00"
    paper = laid(stored + b"\x1d(L\x02\x0002")
    assert [(item.kind, *item[1:4]) for item in paper.take_items()] == [("GS ( L", 8, 16, 23)]
    long = b"\x1d8L\x0a\x02\x00\x000p0\x01\x011\x40\x00\x40\x00" + bytes(512)
    assert [item[1:3] for item in laid(long + b"\x1d(L\x02\x0002").take_items()] == [(64, 64)]


@pytest.mark.parametrize("size", [10, 300])
def test_a_qr_code_says_what_it_holds(size: int) -> None:
    data = b"https://inv.example/e?total=9999.99&pad=".ljust(size, b"x")
    count = len(data) + 3
    stream = (
        b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1\x1d(k"
        + bytes([count & 255, count >> 8])
        + b"1P0"
        + data
        + b"\x1d(k\x03\x001Q0"
    )
    [symbol] = laid(stream).take_items()
    assert isinstance(symbol, Symbol)
    assert (symbol.kind, symbol.text, symbol.end) == ("qr", data.decode(), len(stream))


def test_a_symbol_without_data_prints_nothing() -> None:
    assert laid(b"\x1d(k\x03\x001Q0").take_items() == []


@pytest.mark.parametrize(
    ("raw", "kind", "text"),
    [
        (b"\x1dk\x04ABC-12\x00", "code39", "ABC-12"),
        (b"\x1dkC\x0c400638133393", "ean13", "400638133393"),
        (b"\x1dkI\x0a{BNo.{C\x0c\x22\x38", "code128", "No.123456"),
        (b"\x1dkI\x05{Ba{{", "code128", "a{"),
        (b"\x1dkI\x50" + b"{B" + b"7" * 78, "code128", "7" * 78),
        (b"\x1dkQ\x03\x08\x08\x01\x05\x00hello", "qr", "hello"),
    ],
)
def test_a_bar_code_says_what_it_holds(raw: bytes, kind: str, text: str) -> None:
    [symbol] = laid(raw).take_items()
    assert symbol == Symbol(kind, text, 0, len(raw), 0)


# -- page mode


def test_a_page_reads_from_top_to_bottom_and_left_to_right() -> None:
    stream = (
        b"HEAD\n\x1bL\x1bW\x00\x00\x00\x00\x40\x02\xc8\x00"
        b"\x1d$\x64\x00\x1b$\x00\x00TOTAL"
        b"\x1d$\x1e\x00\x1b$\x00\x00Milk"
        b"\x1d$\x64\x00\x1b$\x90\x0112.00"
        b"\x1d$\x1e\x00\x1b$\x90\x011.20"
        b"\x0cFOOT\n"
    )
    lines = laid(stream).take_lines()
    assert [line.text.split() for line in lines] == [["HEAD"], ["Milk", "1.20"], ["TOTAL", "12.00"], ["FOOT"]]
    assert lines[-1].top == 30 + 200


def test_lines_of_a_page_end_where_it_is_printed() -> None:
    lines = laid(b"\x1bLA\nB\n\x0c").take_lines()
    assert [(line.text, line.start, line.end) for line in lines] == [("A", 2, 7), ("B", 4, 7)]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_page_reads_the_same_in_chunks(size: int) -> None:
    stream = b"\x1c&\x1bL" + "退货单  合计:12.00\n谢谢".encode("gb18030") + b"\x0c"
    paper, parser = Paper(PLAIN), Parser()
    for at in range(0, len(stream), size):
        paper.feed(parser.feed(stream[at : at + size]))
        paper.feed(parser.take_open())
    assert [line.text for line in paper.take_lines()] == texts(stream) == ["退货单  合计:12.00", "谢谢"]


def test_a_page_may_be_printed_and_kept() -> None:
    assert texts(b"\x1bLA\n\x1b\x0c\x0c") == ["A", "A"]


@pytest.mark.parametrize("leave", [b"\x1bS", b"\x1b@", b"\x18\x0c"], ids=["ESC S", "ESC @", "CAN FF"])
def test_a_page_that_is_left_or_cleared_prints_nothing(leave: bytes) -> None:
    assert texts(b"\x1bLA\n" + leave + b"B\n") == ["B"]
