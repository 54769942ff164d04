"""Blocks become paper: whatever the printer can do, the code on the slip is read back from its dots."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.errors import SlipError
from edgebox.escpos import qr
from edgebox.escpos.blocks import Align, Block, Feed, Qr, QrBeside, Rule, Text
from edgebox.escpos.compose import UNLIMITED, Body, Budget, Press, compose
from edgebox.escpos.lettering import columns, lettering, wrap
from edgebox.escpos.profile import PrinterProfile
from edgebox.escpos.raster import Raster, esc_star, from_rows, gs_v_0
from edgebox.line.insertion import check
from edgebox.slips import qr as slip_qr
from tests.escpos.sheet import Sheet, print_body

URL = "HTTPS://M.EXAMPLE.CN/C/AGMAAETHAAGMZPYYWA2X7RSKAHEJCQYAAAGT4D3J6XL7SBDLVFLIR4M4CU"
WIDE = PrinterProfile()
NARROW = PrinterProfile(name="narrow", dots=384, columns=32)
CHINESE = PrinterProfile(name="chinese", cjk="gb18030")
LATIN = PrinterProfile(name="latin", code_pages=((0, "cp437"), (16, "cp1252")))
FINE = PrinterProfile(name="fine", dots=512, dpi=180, columns=42, motion_y=360)
METHODS = ("native", "gs_v_0", "esc_star")
AROUND = (Text("Above", Align.CENTER), Text("Second line", Align.CENTER))


def press(printer: PrinterProfile, method: str = "native", **more: object) -> Press:
    printer = printer._replace(qr_native=method == "native", raster="gs_v_0" if method == "native" else method)
    return Press(printer, matrix=slip_qr.claim_matrix)._replace(**more)  # type: ignore[arg-type]


def printed(blocks: tuple[Block, ...], on: Press, budget: Budget = UNLIMITED) -> tuple[Body, Sheet]:
    body = compose(blocks, on, budget)
    sheet = print_body(body.raw, on.printer)
    assert sheet.height_mm == pytest.approx(body.height_mm, abs=0.2)  # ESC J counts in units of its own
    return body, sheet


def box(text: str, *, width_dots: int, height_dots: int, bold: bool) -> Raster:
    """Letters as black boxes, in place of a font."""
    width = min(width_dots, columns(text) * 12)
    return from_rows([(1 << width) - 1] * height_dots, width)


# --- The code can be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("printer", [WIDE, NARROW, FINE], ids=lambda printer: printer.name)
@pytest.mark.parametrize("method", METHODS)
def test_a_code_between_lines_of_text_is_read_back_from_its_dots(printer: PrinterProfile, method: str) -> None:
    blocks = (*AROUND, Qr(URL, caption=Text("Caption", Align.CENTER)), Text("Right below"))
    body, sheet = printed(blocks, press(printer, method))
    assert sheet.codes() == [URL]
    assert body.symbols == method
    assert sheet.native_symbols == (method == "native")
    assert body.module_dots == 6


@pytest.mark.parametrize("printer", [WIDE, NARROW, FINE], ids=lambda printer: printer.name)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("hook", [None, box], ids=["without letters", "with letters"])
def test_a_code_with_text_beside_it_is_read_back(printer: PrinterProfile, method: str, hook: object) -> None:
    block = QrBeside(URL, (Text("128 points"), Text("m.example.cn")), AROUND)
    body, sheet = printed((block, Text("Right below")), press(printer, method, text_raster=hook))
    assert sheet.codes() == [URL]
    assert body.module_dots >= 5


@pytest.mark.parametrize("dots", [4, 5, 6])
@pytest.mark.parametrize("method", METHODS)
def test_each_size_of_module_is_read_back(dots: int, method: str) -> None:
    body, sheet = printed((Qr(URL, dots),), press(NARROW, method))
    assert sheet.codes() == [URL]
    assert body.module_dots == dots


def test_two_codes_keep_their_distance() -> None:
    _, sheet = printed((Qr(URL, 4), Qr(URL + "X", 4)), press(NARROW, "gs_v_0"))
    assert sorted(sheet.codes()) == sorted([URL, URL + "X"])


def test_a_code_with_three_dead_columns_is_read_back() -> None:
    _, sheet = printed((Qr(URL),), press(NARROW))
    for row in sheet.rows:
        row[150] = row[200] = row[230] = 0
    assert sheet.codes() == [URL]


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=58, max_size=58), st.sampled_from(METHODS))
@settings(max_examples=100, deadline=None)
def test_any_token_is_read_back_with_the_fixed_mask(token: str, method: str) -> None:
    url = "HTTPS://M.EXAMPLE.CN/C/" + token
    _, sheet = printed((Qr(url, 4),), press(NARROW, method))
    assert sheet.codes() == [url]


def test_a_claims_url_is_a_version_4_code() -> None:
    assert qr.modules(URL) == 33 == len(slip_qr.matrix(URL)) == len(slip_qr.claim_matrix(URL))


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=300))
@settings(max_examples=30, deadline=None)
def test_the_size_of_a_code_is_foretold(data: str) -> None:
    assert qr.modules(data) == len(slip_qr.claim_matrix(data))


def test_the_table_of_sizes_is_the_librarys() -> None:
    from qrcode.util import BIT_LIMIT_TABLE

    for level, number in slip_qr._LEVEL_NUMBERS.items():
        assert [words * 8 for words in qr._CODEWORDS[level]] == BIT_LIMIT_TABLE[number][1:30]


def test_the_native_commands_are_those_of_the_manual() -> None:
    assert qr.native("AB", 6).hex(" ") == (
        "1d 28 6b 04 00 31 41 32 00 1d 28 6b 03 00 31 43 06 1d 28 6b 03 00 31 45 31 "
        "1d 28 6b 05 00 31 50 30 41 42 1d 28 6b 03 00 31 51 30"
    )


# --- Which way ---------------------------------------------------------------------------------------------------


def test_a_symbol_that_the_till_has_stored_is_left_alone() -> None:
    body, sheet = printed((Qr(URL),), press(WIDE, symbol_ok=False))
    assert (body.symbols, sheet.native_symbols, sheet.codes()) == ("gs_v_0", 0, [URL])


def test_strips_lie_close_where_the_printers_unit_is_finer_than_a_dot() -> None:
    _, sheet = printed((Qr(URL),), press(FINE, "esc_star"))
    assert sheet.codes() == [URL]


def test_the_smaller_module_is_taken_before_a_slip_is_refused() -> None:
    for mm, dots in ((30, 6), (25, 5), (20, 4)):
        body, _ = printed((Qr(URL),), press(WIDE), Budget(mm=mm))
        assert body.module_dots == dots


@pytest.mark.parametrize(
    ("blocks", "on", "budget", "reason"),
    [
        ((Qr(URL),), press(WIDE), Budget(mm=15), "too_long"),
        ((Qr(URL),), press(WIDE, "gs_v_0"), Budget(bytes=1000), "too_many_bytes"),
        ((Qr(URL),), press(WIDE, "gs_v_0", bytes_per_s=960), Budget(wire_ms=1000), "too_slow"),
        ((Qr(URL),), press(FINE), Budget(mm=20, module_dots=6), "too_long"),
        ((Qr("x" * 520),), press(NARROW), Budget(), "too_wide"),
        ((Qr("x" * 5000),), press(WIDE), Budget(), "qr_data"),
        ((Qr(URL, level="Z"),), press(WIDE), Budget(), "qr_data"),
        ((Qr(URL),), press(WIDE, "none"), Budget(), "no_qr"),
        ((Qr(URL),), press(WIDE, "gs_v_0", matrix=None), Budget(), "no_qr"),
        ((Text("积分"),), press(WIDE), Budget(), "script"),
        ((Raster(100, 1, bytes(100)),), press(WIDE), Budget(), "too_wide"),
        ((Raster(1, 1, b"x"),), press(WIDE, "none"), Budget(), "no_picture"),
        ((Text("a"),), press(WIDE._replace(insert=False)), Budget(), "printer"),
        ((Text("a"),), press(WIDE._replace(dialect="star")), Budget(), "printer"),
        ((Text("a\x1b@"),), press(WIDE), Budget(), "script"),
    ],
)
def test_a_slip_that_cant_be_printed_says_why(
    blocks: tuple[Block, ...], on: Press, budget: Budget, reason: str
) -> None:
    with pytest.raises(SlipError) as refusal:
        compose(blocks, on, budget)
    assert refusal.value.reason == reason


def test_a_slow_wire_gets_the_small_form() -> None:
    """At 9600 baud a picture takes seconds, the printer's own code a fifth of one."""
    fast, _ = printed((Qr(URL),), press(WIDE, bytes_per_s=960))
    slow, _ = printed((Qr(URL),), press(WIDE, "gs_v_0", bytes_per_s=960))
    assert fast.wire_ms < 200 < 3000 < slow.wire_ms


# --- Text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "printer", "code_page", "raw"),
    [
        ("Total 5.00", WIDE, -1, b"Total 5.00"),
        ("Café", LATIN, 16, b"Caf\xe9"),
        ("Café", LATIN, 0, b"Caf\x82"),
        ("Café", LATIN, -1, None),
        ("Café", LATIN, 40, None),
        ("价 €", LATIN, 16, None),
        ("积分", CHINESE, -1, b"\x1c&\xbb\xfd\xb7\xd6\x1c."),
        ("¥5", CHINESE, -1, b"\x1c&\xa3\xa45\x1c."),
        ("積分", PrinterProfile(cjk="big5"), -1, b"\x1c&\xbfn\xa4\xc0\x1c."),
        ("적립", PrinterProfile(cjk="euc_kr"), -1, b"\x1c&\xc0\xfb\xb8\xb3\x1c."),
        ("積分", PrinterProfile(cjk="shift_jis"), -1, b"\x1c&\x90\xcf\x95\xaa\x1c."),
        ("line\nend", WIDE, -1, None),
        ("esc\x1b@", WIDE, -1, None),
    ],
)
def test_text_is_printed_with_letters_that_the_printer_is_known_to_have(
    text: str, printer: PrinterProfile, code_page: int, raw: bytes | None
) -> None:
    found = lettering(text, printer, code_page)
    assert (found.raw if found else None) == raw


def test_chinese_on_a_printer_without_it_is_drawn_or_worded_otherwise() -> None:
    drawn, _ = printed((Text("积分"),), press(WIDE, text_raster=box))
    assert drawn.raw.startswith(b"\x1dv0")
    worded = compose((Text("积分", plain="points"),), press(WIDE))
    assert worded.raw == b"points\n"
    assert compose((Text("积分", plain=""),), press(WIDE)).raw == b""


def test_sizes_and_alignment_are_set_only_where_they_change() -> None:
    blocks = (
        Text("a"),
        Text("b", Align.CENTER, bold=True, width=2, height=2),
        Text("c", Align.CENTER),
        Feed(2),
        Rule(),
    )
    body, _ = printed(blocks, press(NARROW))
    assert body.raw == (b"a\n\x1ba\x01\x1bE\x01\x1d!\x11b\n\x1bE\x00\x1d!\x00c\n\x1bd\x02\x1ba\x00" + b"-" * 32 + b"\n")


@given(st.text(max_size=120), st.integers(2, 48))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_words_are_not_broken_while_there_are_spaces() -> None:
    assert wrap("Scan for at least 128 points", 12) == ["Scan for at", "least 128", "points"]


@given(
    st.lists(
        st.text(st.sampled_from("aB9 .积分é¥\x1b\n\x10\x80"), max_size=60).map(Text) | st.integers(0, 300).map(Feed),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_text_the_body_is_harmless(blocks: list[Block]) -> None:
    """Printed by a strict printer: no command but those of the contract, and nothing left in the buffer."""
    body, _ = printed(tuple(blocks), press(CHINESE, text_raster=box))
    assert check(body.raw, CHINESE).reason == "", "the line would refuse it"


# --- Dots that would be a command --------------------------------------------------------------------------------

KICK = b"\x10\x14\x01\x00\x05"  # DLE DC4 1: opens the drawer, also out of the middle of a picture


def kicking(method: str, text: str, *, width_dots: int, height_dots: int, bold: bool) -> Raster:
    """Letters whose dots hold a drawer kick, read along a row (GS v 0) or down the columns (ESC *)."""
    dots = f"{int.from_bytes(KICK, 'big'):0{8 * len(KICK)}b}"
    if method == "gs_v_0":
        return from_rows([int(dots, 2)] * height_dots, len(dots))
    columns_of_dots = (dots + "0" * 8)[:48]
    rows = ["".join(columns_of_dots[at + row] for at in (0, 24)) for row in range(24)]
    return from_rows([int(row, 2) for row in rows], 2)


@pytest.mark.parametrize("method", ["gs_v_0", "esc_star"])
def test_dots_that_read_as_a_drawer_kick_are_moved_until_they_do_not(method: str) -> None:
    on = press(WIDE, method, text_raster=partial(kicking, method))
    drawn = kicking(method, "积", width_dots=576, height_dots=24, bold=False)
    straight = gs_v_0(drawn) if method == "gs_v_0" else b"".join(esc_star(drawn.rows(), drawn.width))
    assert KICK in straight, "moved by nothing it would kick"
    body, sheet = printed((Text("积"),), on)
    assert check(body.raw, on.printer).reason == ""
    inked = [bytes(row).strip(b"\0") for row in sheet.rows if any(row)]
    assert inked == [bytes(int(dot) for dot in f"{row:b}").strip(b"\0") for row in drawn.rows() if row]


@pytest.mark.parametrize("method", ["gs_v_0", "esc_star"])
@given(st.lists(st.sampled_from([0x10, 0x04, 0x05, 0x14, 0x00, 0x01, 0x02]), min_size=6, max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_picture_of_ours_is_refused_for_its_dots(method: str, data: list[int]) -> None:
    on = press(WIDE, method)
    picture = Raster(3, len(data) // 3, bytes(data[: len(data) // 3 * 3]))
    assert check(compose((picture,), on).raw, on.printer).reason == ""


# --- Cost --------------------------------------------------------------------------------------------------------


def test_the_composer_needs_the_standard_library_only() -> None:
    code = (
        "import sys; before = set(sys.modules); import edgebox.escpos.compose; "
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['edgebox']"
