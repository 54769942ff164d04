"""The command table: every row's length and effect, checked on complete commands with text behind them."""

import pytest

from edgebox.escpos.commands import BEGINNINGS, BY_PREFIX, FIXED, TABLE, Effect, Spec, Stage
from edgebox.escpos.parser import HEAD, INLINE, Command, Parser
from tests.escpos.streams import EXAMPLES, commands, examples, joined, parse

CUTS = (
    b"\x1dV\x00",
    b"\x1dV1",
    b"\x1dVA\x03",
    b"\x1dVB\x03",
    b"\x1dVa\x03",
    b"\x1dVh\x00",
    b"\x1bi",
    b"\x1bm",
    b"\x1bw",
)


def test_every_row_has_its_own_prefix() -> None:
    assert len(BY_PREFIX) == len(TABLE)


def test_no_fixed_prefix_hides_a_longer_one() -> None:
    """The parser's fast path looks at two bytes: a three-byte prefix below a fixed one would never be found."""
    assert not [row.name for row in TABLE if any(row.prefix[:n] in FIXED for n in range(1, len(row.prefix)))]


def test_the_parser_knows_the_beginning_of_every_longer_prefix() -> None:
    assert {row.prefix[:2] for row in TABLE if len(row.prefix) == 3} <= BEGINNINGS


def test_there_is_an_example_for_every_row_whose_length_varies() -> None:
    assert {row.name for row in TABLE if not isinstance(row.length, int)} == EXAMPLES.keys()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_command_ends_where_its_text_begins(row: Spec) -> None:
    for example in examples(row):
        events = parse(example + b"TOTAL 1\n")
        assert joined(events) == example + b"TOTAL 1\n"
        assert events[-1] == b"TOTAL 1\n", example.hex(" ")
        assert isinstance(events[0], Command)
        assert events[0].spec is row


@pytest.mark.parametrize("row", [row for row in TABLE if row.name != "DC2"], ids=lambda row: row.name)
def test_a_command_is_waited_for_until_its_last_byte(row: Spec) -> None:
    """Long ones (pictures) until their head is there, a bar code that ends with NUL until that."""
    for example in examples(row):
        parser = Parser()
        needed = _needed(row, example)
        assert not [event for n in range(needed - 1) for event in parser.feed(example[n : n + 1])], example.hex(" ")
        assert parser.feed(example[needed - 1 : needed]), example.hex(" ")


def _needed(row: Spec, example: bytes) -> int:
    """Bytes of a command before its event comes."""
    if isinstance(row.length, Stage):
        return row.length.head
    whole = len(example) <= INLINE or isinstance(row.length, int) or example.startswith(b"\x1dk\x06")
    return len(example) if whole else HEAD


def test_dc2_waits_for_one_byte_that_may_make_it_another_command() -> None:
    assert not Parser().feed(b"\x12")
    assert [command.raw for command in commands(b"\x12\x71\x00\x12A")] == [b"\x12\x71\x00", b"\x12"]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.hex(" "))
def test_every_cut_of_the_real_streams_is_a_cut(cut: bytes) -> None:
    assert [command.effect for command in commands(cut)] == [Effect.CUT]


@pytest.mark.parametrize(
    ("raw", "effect"),
    [
        (b"\x1d(k\x03\x001Q0", Effect.INK),
        (b"\x1d(k\x03\x001R0", Effect.QUERY),
        (b"\x1d(k\x04\x001P0a", Effect.DEFINE),
        (b"\x1d(k\x03\x001C\x06", Effect.MODE),
        (b"\x1d(L\x02\x0002", Effect.INK),
        (b"\x1d(L\x06\x000E  \x01\x01", Effect.INK),
        (b"\x1d(L\x06\x000U  \x01\x01", Effect.INK),
        (b"\x1d(L\x04\x000Q  ", Effect.DEFINE),
        (b"\x1d(L\x04\x000@KC", Effect.QUERY),
        (b"\x1d(L\x04\x000122", Effect.MODE),
        (b"\x1d(H\x06\x0000abcd", Effect.QUERY),
        (b"\x1d(E\x03\x00\x01IN", Effect.SERVICE),
        (b"\x1d(A\x02\x00\x00\x02", Effect.INK),
        (b"\x10\x05\x01", Effect.REALTIME),
        (b"\x10\x05\x02", Effect.CLEAR),
        (b"\x10\x14\x01\x00\x05", Effect.REALTIME),
        (b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", Effect.CLEAR),
        (b"\x1cg1\x00\x00\x00\x00\x00\x01\x00a", Effect.DEFINE),
        (b"\x1cg2\x00\x00\x00\x00\x00\x01\x00", Effect.QUERY),
        (b"\x1dg0\x00\x14\x00", Effect.SERVICE),
        (b"\x1dg2\x00\x14\x00", Effect.QUERY),
        (b"\x1c(E\x03\x00=\x020", Effect.QUERY),
        (b"\x1c(L\x02\x00A0", Effect.FEED),
        (b"\x1c(L\x02\x00\x220", Effect.QUERY),
        (b"\x1c(L\x02\x00P0", Effect.MODE),
        (b"\x1dk\x84\x10\x00", Effect.MODE),
        (b"\x1dkQ\x03\x08\x08\x01\x01\x00a", Effect.INK),
        (b"\x1d\xf950", Effect.SERVICE),
        (b"\x1d\xf9'0", Effect.QUERY),
        (b"\x1d\xf9)0", Effect.INK),
        (b"\x1b\x1dyP", Effect.INK),
        (b"\x1b\x1dyS0\x02", Effect.UNKNOWN),
        (b"\x1b\x80\x78", Effect.DRAWER),
        (b"\x1bp\x00\x19\xfa", Effect.DRAWER),
    ],
    ids=lambda value: value.hex(" ") if isinstance(value, bytes) else value.name,
)
def test_the_function_decides_what_a_family_of_commands_does(raw: bytes, effect: Effect) -> None:
    found = commands(raw)
    assert [command.effect for command in found] == [effect]
    assert found[0].total == len(raw)


def test_a_malformed_cut_takes_the_byte_that_follows_as_its_parameter() -> None:
    """`1D 56 41 1B 40` from a real till: the missing n swallows the ESC of ESC @, as it does in a printer."""
    assert parse(b"\x1dVA\x1b@TOTAL\n") == [commands(b"\x1dVA\x1b")[0], b"@TOTAL\n"]


@pytest.mark.parametrize(
    "opcode",
    [
        b"\x1bX",
        b"\x1bs",
        b"\x1d\x22",
        b"\x1dU",
        b"\x1c[",
        b"\x1b\x95",
        b"\x1d\x84",
        b"\x01",
        b"\x16",
        b"\x1f",
        b"\x1d\xff",
        b"\x1d\xf9",
    ],
    ids=lambda opcode: opcode.hex(" "),
)
def test_an_unknown_opcode_eats_no_text(opcode: bytes) -> None:
    events = parse(b"a" + opcode + b"TOTAL 9.99\n")
    assert events[0] == b"a"
    assert isinstance(events[1], Command)
    assert events[1].effect is Effect.UNKNOWN
    assert events[-1] == b"TOTAL 9.99\n"


@pytest.mark.parametrize(
    "broken", [b"\x1dk\x20", b"\x1dk\xff", b"\x1dv9", b"\x1dC9", b"\x1dg9", b"\x1dz9", b"\x1bc9", b"\x1dQ9", b"\x1cg9"]
)
def test_a_command_with_an_impossible_parameter_eats_no_text(broken: bytes) -> None:
    assert joined(parse(broken + b"TOTAL\n")) == broken + b"TOTAL\n"
    assert parse(broken + b"TOTAL\n")[-1].endswith(b"TOTAL\n")  # type: ignore[union-attr]


def test_a_bar_code_without_its_end_is_given_up_after_the_longest_one_there_is() -> None:
    """GS k form A ends with NUL; text must not vanish behind one that never comes."""
    stream = b"\x1dk\x04" + b"A" * 400 + b"\nTOTAL\n"
    events = parse(stream)
    assert isinstance(events[0], Command)
    assert events[0].effect is Effect.UNKNOWN
    assert joined(events) == stream


def test_tab_stops_without_their_end_are_given_up() -> None:
    assert commands(b"\x1bD" + b"\x09" * 50)[0].effect is Effect.UNKNOWN


def test_a_picture_longer_than_any_roll_does_not_blind_the_line() -> None:
    """Four bytes of noise behind GS v 0 would make the parser wait for 4 GB: no slip for the rest of the day."""
    parser = Parser()
    events = (*parser.feed(b"\x1dv0\x00\xff\xff\xff\xff"), *parser.feed(b"\x1b@TOTAL 5.00\n\x1dV\x00"))
    assert [event.name for event in events if isinstance(event, Command)] == ["unknown", "ESC @", "GS V"]
