"""The printer's bytes: told apart at any chunking, none lost, none kept longer than their reply."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.escpos.parser import Command, Parser
from edgebox.escpos.status import (
    BLOCK_MAX,
    PrinterStatus,
    Reply,
    ReplyClass,
    ReplyParser,
    after_dle_eot,
    covered,
    expects,
    from_asb,
    from_dle_eot,
    star_length,
)

ASB_OK = b"\x14\x00\x00\x0f"
GS_H = b"\x37\x22abcd\x00"
EXAMPLES = [
    (b"\x16", ReplyClass.REAL_TIME),
    (b"\x12", ReplyClass.REAL_TIME),
    (b"\x7e", ReplyClass.REAL_TIME),
    (b"\x11", ReplyClass.FLOW),
    (b"\x13", ReplyClass.FLOW),
    (ASB_OK, ReplyClass.ASB),
    (b"\x3c\x6f\x6f\x6f", ReplyClass.ASB),
    (b"\x00", ReplyClass.BYTE),
    (b"\x0f", ReplyClass.BYTE),
    (b"\x20", ReplyClass.BYTE),
    (b"\x5fEPSON\x00", ReplyClass.BLOCK),
    (GS_H, ReplyClass.BLOCK),
    (b"\x3b1\x00", ReplyClass.BLOCK),
    (b"\x3d!x\x00", ReplyClass.BLOCK),
    (b"\x35\x22\x00", ReplyClass.BLOCK),
    (b"\xff", ReplyClass.OTHER),
    (b"\x15", ReplyClass.OTHER),
]


def replies(data: bytes, *, star: bool = False) -> list[Reply]:
    return ReplyParser(star=star).feed(data)


@pytest.mark.parametrize(("raw", "kind"), EXAMPLES)
def test_each_reply_is_known_by_its_bits(raw: bytes, kind: ReplyClass) -> None:
    assert replies(raw) == [Reply(raw, kind)]


@pytest.mark.parametrize(("raw", "kind"), EXAMPLES)
def test_a_reply_split_at_every_byte_with_others_around_it_is_the_same_reply(raw: bytes, kind: ReplyClass) -> None:
    for at in range(len(raw) + 1):
        parser = ReplyParser()
        got = [r for piece in (b"\x16", raw[:at], raw[at:], GS_H + ASB_OK) for r in parser.feed(piece)]
        assert got[1] == Reply(raw, kind)
        assert (got[0].raw, got[2].raw, got[3].raw, parser.pending) == (b"\x16", GS_H, ASB_OK, b"")


def test_flow_control_between_the_bytes_of_asb_breaks_neither() -> None:
    got = replies(b"\x14\x00\x13\x00\x11\x0f")
    assert got == [Reply(b"\x13", ReplyClass.FLOW), Reply(b"\x11", ReplyClass.FLOW), Reply(ASB_OK, ReplyClass.ASB)]


def test_an_asb_that_breaks_off_gives_the_next_reply_its_bytes() -> None:
    assert replies(b"\x14\x00\x16") == [Reply(b"\x14\x00", ReplyClass.OTHER), Reply(b"\x16", ReplyClass.REAL_TIME)]


def test_a_block_without_an_end_is_given_up_at_its_longest() -> None:
    parser = ReplyParser()
    assert parser.feed(b"\x5f" + b"A" * (BLOCK_MAX - 2)) == []
    assert len(parser.pending) == BLOCK_MAX - 1
    assert parser.feed(b"A\x16") == [
        Reply(b"\x5f" + b"A" * (BLOCK_MAX - 1), ReplyClass.OTHER),
        Reply(b"\x16", ReplyClass.REAL_TIME),
    ]


def test_an_incomplete_reply_can_be_given_up() -> None:
    parser = ReplyParser()
    parser.feed(GS_H[:3])
    assert parser.pending == GS_H[:3]
    assert parser.give_up() == [Reply(GS_H[:3], ReplyClass.OTHER)]
    assert (parser.pending, parser.give_up()) == (b"", [])


def test_star_asb_tells_its_own_length() -> None:
    nine = b"\x23\x86\x00\x00\x00\x00\x00\x00\x00"
    assert star_length(0x23) == 9
    assert star_length(0x0F) == 7
    assert replies(nine + b"\x0f\x00\x00\x00\x00\x00\x00", star=True) == [
        Reply(nine, ReplyClass.ASB),
        Reply(b"\x0f\x00\x00\x00\x00\x00\x00", ReplyClass.ASB),
    ]
    assert replies(b"\x23")[0].kind is ReplyClass.BYTE


@st.composite
def chunked(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    likely = st.sampled_from([raw for raw, _ in EXAMPLES] + [b"\x14\x00", b"\x5fab", b"\x37"])
    data = b"".join(draw(st.lists(st.one_of(likely, st.binary(max_size=6)), max_size=30)))
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=8)) | {0, len(data)})
    return data, [data[a:b] for a, b in pairwise(cuts)]


@given(chunked(), st.booleans())
def test_any_chunking_gives_the_same_replies(case: tuple[bytes, list[bytes]], star: bool) -> None:
    data, chunks = case
    parser = ReplyParser(star=star)
    got = [reply for chunk in chunks for reply in parser.feed(chunk)]
    assert got == replies(data, star=star)


@given(chunked(), st.booleans())
def test_every_byte_is_in_one_reply_or_pending(case: tuple[bytes, list[bytes]], star: bool) -> None:
    data, _ = case
    parser = ReplyParser(star=star)
    got = b"".join(reply.raw for reply in parser.feed(data)) + parser.pending
    assert sorted(got) == sorted(data)
    without_flow = data.translate(None, b"\x11\x13")
    assert got.translate(None, b"\x11\x13") == without_flow
    assert len(parser.pending) < BLOCK_MAX


# -- status in words


def test_all_well_is_no_bit_but_the_drawers() -> None:
    assert from_dle_eot(1, 0x16) == PrinterStatus.DRAWER_HIGH
    assert from_asb(ASB_OK) == PrinterStatus.DRAWER_HIGH
    assert [from_dle_eot(n, 0x12) for n in (1, 2, 3, 4, 5)] == [PrinterStatus(0)] * 5


@pytest.mark.parametrize(
    ("n", "reply", "status"),
    [
        (1, 0x1A, PrinterStatus.OFFLINE),
        (2, 0x16, PrinterStatus.COVER_OPEN),
        (2, 0x32, PrinterStatus.PAPER_END),
        (3, 0x1A, PrinterStatus.CUTTER_ERROR | PrinterStatus.ERROR),
        (4, 0x1E, PrinterStatus.PAPER_NEAR_END),
        (4, 0x7E, PrinterStatus.PAPER_NEAR_END | PrinterStatus.PAPER_END),
    ],
)
def test_a_reply_to_dle_eot_reads_as_the_manual_says(n: int, reply: int, status: PrinterStatus) -> None:
    assert from_dle_eot(n, reply) == status


def test_a_reply_changes_only_what_it_speaks_of() -> None:
    status = after_dle_eot(PrinterStatus(0), 4, 0x7E)
    status = after_dle_eot(status, 2, 0x16 | 0x20)
    assert status == PrinterStatus.PAPER_NEAR_END | PrinterStatus.PAPER_END | PrinterStatus.COVER_OPEN
    assert after_dle_eot(status, 4, 0x12) == PrinterStatus.COVER_OPEN
    broken = after_dle_eot(status, 3, 0x1A)
    assert PrinterStatus.ERROR in broken
    assert after_dle_eot(broken, 3, 0x12) == status


@given(st.integers(1, 4), st.integers(0, 255), st.integers(0, 2047))
def test_what_a_reply_does_not_cover_stays(n: int, reply: int, before: int) -> None:
    after = after_dle_eot(PrinterStatus(before), n, reply)
    outside = ~(covered(n) | PrinterStatus.ERROR)
    assert after & outside == PrinterStatus(before) & outside


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x1c\x00\x0c\x0f", PrinterStatus.OFFLINE | PrinterStatus.PAPER_END | PrinterStatus.DRAWER_HIGH),
        (b"\x38\x00\x00\x0f", PrinterStatus.OFFLINE | PrinterStatus.COVER_OPEN),
        (b"\x10\x00\x03\x0f", PrinterStatus.PAPER_NEAR_END),
        (b"\x18\x20\x00\x0f", PrinterStatus.OFFLINE | PrinterStatus.UNRECOVERABLE | PrinterStatus.ERROR),
        (b"", PrinterStatus(0)),
    ],
)
def test_asb_reads_as_the_manual_says(raw: bytes, status: PrinterStatus) -> None:
    assert from_asb(raw) == status


# -- what a till's command is answered with


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"\x10\x04\x01", ReplyClass.REAL_TIME),
        (b"\x10\x04\x07\x01", ReplyClass.REAL_TIME),
        (b"\x10\x04\x09", None),
        (b"\x10\x05\x01", None),
        (b"\x10\x14\x01\x00\x05", None),
        (b"\x10\x14\x07\x01", ReplyClass.ASB),
        (b"\x10\x14\x07\x02", ReplyClass.BLOCK),
        (b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", ReplyClass.BLOCK),
        (b"\x1dr\x01", ReplyClass.BYTE),
        (b"\x1bv", ReplyClass.BYTE),
        (b"\x1bu\x00", ReplyClass.BYTE),
        (b"\x1dI\x01", ReplyClass.BYTE),
        (b"\x1dIB", ReplyClass.BLOCK),
        (b"\x1da\xff", ReplyClass.ASB),
        (b"\x1da\x00", None),
        (b"\x1d(H\x06\x0000abcd", ReplyClass.BLOCK),
        (b"\x1d(k\x03\x001R0", ReplyClass.BLOCK),
        (b"\x1d(k\x03\x001Q0", None),
        (b"\x1d(L\x02\x0000", ReplyClass.BLOCK),
        (b"\x1d(L\x02\x0002", None),
        (b"\x1cg2\x00\x00\x00\x00\x00\x01\x00", ReplyClass.BLOCK),
        (b"\x1b@", None),
        (b"\x1dV\x00", None),
        (b"\x0c", None),
    ],
)
def test_the_class_of_the_answer_is_known_from_the_command(raw: bytes, kind: ReplyClass | None) -> None:
    (command,) = Parser().feed(raw)
    assert isinstance(command, Command)
    assert command.raw == raw
    assert expects(command) is kind


@given(st.lists(st.one_of(st.binary(max_size=20), st.sampled_from([b"\x10\x04", b"\x1dI", b"\x1d(H"])), max_size=8))
def test_no_command_is_too_broken_to_ask_about(parts: list[bytes]) -> None:
    parser = Parser()
    for event in (*parser.feed(b"".join(parts)), *parser.finish()):
        if isinstance(event, Command):
            assert expects(event) in (None, *ReplyClass)
