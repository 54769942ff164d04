"""What the fuzzers have found, each as the shortest story that showed it, and the fuzzers' own power to find."""

from __future__ import annotations

import pytest

from edgebox.config import load_lexicon
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.core import LineCore
from edgebox.line.outbox import Outbox
from tests.fuzz import checks
from tests.fuzz.oracle import Broken
from tests.fuzz.scene import EVERYTHING, Habit, Scene, Step, reachable_bytes
from tests.fuzz.shrink import Told, breaks, shrunk

RECEIPT = b"\x1b@SHOP\nTOTAL 1.00\n\n\n\n\x1dV\x00"
WORDS_MB = 10  # three memories of 8192 entries, of some 300 bytes each
TEAR_OFF = PrinterProfile(name="tear-off", dots=384, columns=32, cutter=False)


def test_the_tills_last_bytes_inside_a_picture_end_no_document() -> None:
    with Scene(3, TEAR_OFF, end_signature=b"\n\n\n") as scene:
        scene.send(b"\x1d8LH\x00\x000")
        scene.send(b"\x1b!\x00\n\n\n\n\n\n")
        scene.rest()
        assert scene.blocks == 0


def test_a_cut_that_waits_counts_as_lost_with_its_printer() -> None:
    with Scene(5, TEAR_OFF) as scene:
        scene.behave(Habit.SILENT, EVERYTHING)
        for chunk in (b"a", b"\n\x1dV", b"\x1b"):
            scene.send(chunk)
        scene.printer_leaves()
        assert scene.core.counters["printer_lost_bytes"] == 3


def test_status_questions_are_asked_in_order_though_one_came_in_pieces() -> None:
    with Scene(17, hold_bytes=64, window_bytes=64) as scene:
        scene.behave(Habit.NONE, 7)
        for chunk in (
            b"3 x Soup            20.55\n3 x Flat wh",
            b"\x1dV\x00\x10",
            b"\x04\x01\x10\x04",
            b"\x02\x10\x04\x03",
        ):
            scene.send(chunk)
        scene.rest()


def test_status_questions_are_asked_in_order_though_one_stands_behind_an_unknown_opcode() -> None:
    with Scene(4) as scene:
        scene.behave(Habit.LATE, 3000)
        for chunk in (b"S\n", b"\x1b@\x1dV", b"\x01\x1b\x10\x14", b"\x00\x1b@\x10\x04\x01"):
            scene.send(chunk)
        scene.rest()


def played(scene: Scene, *chunks: bytes) -> Scene:
    for chunk in chunks:
        scene.send(chunk)
    scene.rest()
    return scene


def test_the_beginning_of_a_command_stays_behind_what_was_held_too_long() -> None:
    with Scene(8805, hold_bytes=64, window_bytes=64) as scene:
        scene.send(b"S\n" + b"\x11" * 60)
        scene.send(b"\x11" * 10 + b"\x1b")  # more than may be held, and an open command at the chunk's end
        scene.rest()
        assert scene.core.counters["held_too_much"]


def test_nothing_jumps_into_what_is_sent_to_another_device() -> None:
    with Scene(26) as scene:
        scene.behave(Habit.UNFIT, 7)
        for chunk in (b"\x1b=\x1c", b"2\x1bD\x08\n1 x Fla\x1b[}                    3.", b"\x10\x14\x00"):
            scene.send(chunk)
        scene.rest()


def test_a_line_that_is_no_table_is_a_named_fault() -> None:
    checks.configuration("line = 0")


# -- a fuzzer that can't fail is worth nothing


def test_a_receipt_gets_its_slip_and_all_bytes_are_accounted_for() -> None:
    with Scene(1) as scene:
        assert played(scene, RECEIPT).blocks == 1


def test_a_lost_byte_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Outbox.push
    monkeypatch.setattr(Outbox, "push", lambda self, raw, *more, **slip: whole(self, raw[:-1], *more, **slip))
    with Scene(1) as scene, pytest.raises(Broken):
        played(scene, RECEIPT)


def test_a_slip_in_the_middle_of_a_command_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Outbox.push

    slips: list[bytes] = []

    def push(self: Outbox, raw: bytes, *more: bool, **slip: int) -> None:
        if b"*MARK" in raw:
            slips.append(raw)
        elif raw == b"\x1dV\x00" and slips:
            for part in (raw[:1], slips.pop(), raw[1:]):
                whole(self, part)
        else:
            whole(self, raw, *more, **slip)

    monkeypatch.setattr(Outbox, "push", push)
    with Scene(1) as scene, pytest.raises(Broken, match="no way to explain"):
        played(scene, RECEIPT)


def test_feed_that_overtakes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineCore, "_hold", lambda self, raw: self.outbox.push_urgent(raw))
    with Scene(1) as scene, pytest.raises(Broken, match="no way to explain"):
        played(scene, RECEIPT)


def test_bytes_that_are_kept_for_ever_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: LineCore, data: bytes, now: float, kept: list[bytes] = []) -> None:  # noqa: B006 - that is the leak
        kept.append(data)
        self.__dict__["leak"] = kept
        self.outbox.push(data)

    monkeypatch.setattr(LineCore, "till_bytes", take)
    with Scene(1, spool_bytes=8192, spool_documents=2) as scene, pytest.raises(Broken, match="keeps"):
        played(scene, *(b"%4094d \n" % at for at in range(320)))


def test_the_words_of_hostile_receipts_are_remembered_only_up_to_a_limit() -> None:
    lexicon = load_lexicon(("en",))
    empty = reachable_bytes(lexicon)
    for at in range(20_000):
        lexicon.label(f"{at} unheard of")
        lexicon.kind_words((str(at), "unheard", "of"))
        lexicon.key(f"unheard {at}")
        if at % 4000 == 3999:
            assert reachable_bytes(lexicon) < empty + WORDS_MB * (1 << 20)


def test_a_story_is_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Outbox.push
    monkeypatch.setattr(Outbox, "push", lambda self, raw, *more: whole(self, raw.replace(b"Q", b"O"), *more))
    told: Told = (1, PrinterProfile(), {})
    story: list[Step] = [("send", (b"line %d\n" % at,)) for at in range(20)] + [
        ("send", (b"\n\nSQUARE \n",)),
        ("wait", (1.0,)),
    ]
    assert breaks(told, story)
    short = shrunk(told, story)
    assert len(short) <= 2
    assert breaks(told, short)
