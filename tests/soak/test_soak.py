"""The soak's own judgement: what it must find, what it must not be fooled by, and that its plan leaves time to see."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_sim import layouts
from hw_sim.receipt_words import shop
from tests.soak.lane import DAY, LANGUAGE
from tests.soak.measures import HOUR_S, Point, slope_an_hour
from tests.soak.papers import match
from tests.soak.plan import BOX_OWN, ENDINGS, HISTORY, LINES, QUIET, What, plan
from tests.soak.seen import (
    Air,
    Books,
    Depth,
    Ending,
    Page,
    Paper,
    Recorded,
    Sample,
    Scanned,
    Seen,
    Setting,
    Slip,
    Trouble,
    from_lines,
    to_line,
)
from tests.soak.verdict import judge

MB = 1 << 20
BEGAN_S = 1000.0
URL = "HTTPS://M.EXAMPLE.CN/C/" + "A" * 55
QR = b"\x1d(k\x54\x001P0" + URL.encode("ascii") + b"BCD" + b"\x1d(k\x03\x001Q0"
ENDS_A_PROCESS = (What.ENGINE_KILL, What.ENGINE_RESTART, What.LINE_KILL)
ENDED = Trouble(at_s=2000.0, what="ended by itself with 1", where="scan")


def story(minutes: float = 60.0) -> list[Seen]:
    """A run in which all went well."""
    until_s = BEGAN_S + minutes * 60
    seen: list[Seen] = [
        Setting(at_s=BEGAN_S, minutes=minutes, seed=1, boot_offset_s=0.0, machine="one", history=HISTORY)
    ]
    for number in range(60):
        at_s = BEGAN_S + 10 + number * (minutes * 60 - 20) / 60
        line, name = LINES[number % 2], f"{number:06d}"
        seen.append(
            Paper(
                at_s=at_s, began_s=at_s - 0.1, line=line, number=name, kind="sale", wants_slip=True, sure=True,
                total_minor=1200, hold_ms=2.0, claims=(f"{URL}{number:03d}",), slip_bytes=400,
            )
        )  # fmt: skip
        seen.append(
            Recorded(
                at_s=at_s + 0.002, line=line, number=name, kind="sale", claim=f"{number:016x}", amount_minor=1200,
                result="inserted", hold_us=900,
            )
        )  # fmt: skip
    for step in range(80):
        for pid, name in enumerate(BOX_OWN, 1):
            at_s = BEGAN_S + step * minutes * 60 / 80
            seen.append(
                Sample(
                    at_s=at_s, name=name, pid=pid, rss=80 * MB, pss=60 * MB, handles=20, threads=4,
                    written=step * 60_000 if name == "engine" else 0,
                )
            )  # fmt: skip
    books = [Books(at_s=0.0, stream="receipts", recorded=60, missing=0, foreign=0, given_up=0)]
    end = Ending(
        at_s=0.0, drained_s=1.0, redeemed=(1,), till_codes=3, till_codes_wrong="", repeats=0, alarms=(),
        engine_faults=(), visits=3,
    )  # fmt: skip
    slip = Slip(at_s=until_s - 60, line="line1", text="Redeemed 1\nComeback coupon")
    page = Page(at_s=until_s, events=200, answers=300, slow=0, lost=0)
    depth = Depth(at_s=until_s, database=1, log=1, unsent=0, unrecorded=0)
    return [*seen, slip, page, depth, Air(at_s=until_s, adverts=9, walkers=2), *books, end]


def changed(kind: type[Seen], which: Callable[[Seen], bool] = lambda one: True, **fields: object) -> list[Seen]:
    """The story with one thing of a kind otherwise."""
    seen = story()
    at = next(at for at, one in enumerate(seen) if isinstance(one, kind) and which(one))
    seen[at] = msgspec.structs.replace(seen[at], **fields)
    return seen


def grown(name: str, mb_an_hour: float = 0.0, handles_an_hour: float = 0.0) -> list[Seen]:
    """The story with a process that leaks."""
    return [
        msgspec.structs.replace(
            one, rss=int(one.rss + mb_an_hour * MB * (one.at_s - BEGAN_S) / HOUR_S),
            handles=int(one.handles + handles_an_hour * (one.at_s - BEGAN_S) / HOUR_S),
        )
        if isinstance(one, Sample) and one.name == name
        else one
        for one in story()
    ]  # fmt: skip


def wrong(seen: Iterable[Seen]) -> set[str]:
    return {one.what for one in judge(list(seen)).wrong}


def test_a_run_in_which_all_went_well_is_found_well() -> None:
    assert wrong(story()) == set()
    assert wrong(story(minutes=1.0)) == set()


@pytest.mark.parametrize(
    ("seen", "what"),
    [
        (changed(Paper, sure=False), "documents that did not come out byte for byte"),
        (changed(Paper, tries=2), "printed again without a cause"),
        (changed(Paper, claims=(URL + "001",)), "slips with the same claim on two receipts"),
        (changed(Paper, claims=(URL + "x", URL + "y")), "receipts with two slips"),
        (changed(Slip, text="SOMETHING"), "papers that nobody sent"),
        (changed(Recorded, number="999999"), "receipts on paper that are not recorded"),
        (changed(Recorded, amount_minor=1300), "receipts recorded with another amount"),
        (changed(Recorded, claim=""), "slips whose claim is not recorded"),
        (changed(Books, missing=1), "streams with events missing in the cloud"),
        (changed(Books, foreign=1), "streams with events that the box has not, or twice"),
        (changed(Books, given_up=1), "streams with numbers given up"),
        (changed(Ending, drained_s=50.0), "all of it there after the end, s"),
        (changed(Ending, alarms=("conflict",)), "the cloud's alarms"),
        (changed(Ending, engine_faults=("engine.log: Traceback",)), "exceptions in a log"),
        (changed(Ending, till_codes_wrong="2 of 3"), "of them lost, changed or out of order"),
        (changed(Ending, redeemed=(1, 2)), "redeemed without a slip"),
        ([*story(), Slip(at_s=0.0, line="line1", text="Redeemed 1")], "redemption slips printed twice"),
        ([*story(), ENDED], "processes that ended by themselves"),
        (changed(Page, faults=("/: 500",)), "pages that failed"),
        (changed(Page, slow=90), "page answers slower than a second, %"),
        (changed(Paper, hold_ms=600.0), "worst, ms"),
        (grown("engine", mb_an_hour=3.0), "engine: grows, MB/h"),
        (grown("line2", mb_an_hour=1.5), "line2: grows, MB/h"),
        (grown("scan", handles_an_hour=12.0), "scan: handles grow, 1/h"),
    ],
    ids=lambda what: what if isinstance(what, str) else "",
)  # fmt: skip
def test_what_must_not_be_is_found(seen: list[Seen], what: str) -> None:
    assert what in wrong(seen)


def test_a_receipt_that_a_killed_line_has_torn_may_be_printed_again_and_only_that_one() -> None:
    paper = next(one for one in story() if isinstance(one, Paper))
    kill = Trouble(at_s=paper.at_s, what=What.LINE_KILL.value, where=paper.line, until_s=paper.at_s, destroys=True)
    assert wrong([*changed(Paper, tries=2), kill]) == set()
    elsewhere = msgspec.structs.replace(kill, where="line2")
    assert wrong([*changed(Paper, tries=2), elsewhere]) == {"printed again without a cause"}
    long_ago = msgspec.structs.replace(kill, at_s=0.0, until_s=0.0)
    assert wrong([*changed(Paper, tries=2), long_ago]) == {"printed again without a cause"}


def test_a_minute_is_not_judged_by_the_clock_but_by_its_papers_as_an_hour_is() -> None:
    slow = [msgspec.structs.replace(one, hold_ms=900.0) if isinstance(one, Paper) else one for one in story(1.0)]
    assert wrong(slow) == set()
    assert wrong([*story(1.0), Slip(at_s=0.0, line="line1", text="SOMETHING")]) == {"papers that nobody sent"}


def test_times_are_not_judged_while_others_use_the_machine() -> None:
    slow = [msgspec.structs.replace(one, hold_ms=900.0) if isinstance(one, Paper) else one for one in story()]
    assert "worst, ms" in wrong(slow)
    assert wrong([msgspec.structs.replace(one, load=9.0) if isinstance(one, Depth) else one for one in slow]) == set()


def test_a_slope_is_not_moved_by_a_jump_or_by_outliers() -> None:
    flat = [Point(float(at), 80.0 + 0.01 * (at % 3) + (9.0 if at % 50 == 7 else 0.0)) for at in range(0, 1800, 5)]
    assert abs(slope_an_hour(flat)) < 0.1
    steady = [point._replace(value=point.value + 2.0 * point.at_s / HOUR_S) for point in flat]
    assert math.isclose(slope_an_hour(steady), 2.0, abs_tol=0.1)


@pytest.mark.parametrize("minutes", [1.0, 10.0, 60.0])
def test_the_plan_has_one_of_each_and_leaves_half_the_time_to_see_what_grows(minutes: float) -> None:
    made = plan(minutes, 1)
    assert made == sorted(made)
    assert {one.what for one in made} == set(What)
    assert all(0 < one.at_s < minutes * 60 for one in made)
    if minutes >= 10:
        quiet = [one for one in made if QUIET[0] * minutes * 60 <= one.at_s <= QUIET[1] * minutes * 60]
        assert not any(one.what in ENDS_A_PROCESS for one in quiet)
        assert {What.BROKER, What.POWER} <= {one.what for one in quiet}
        assert len(ENDINGS) == sum(one.what in ENDS_A_PROCESS for one in made)


@pytest.mark.parametrize("layout", DAY)
def test_a_documents_paper_is_known_with_a_slip_in_it_and_by_every_byte_of_its_own(layout: str) -> None:
    stream = layouts.compose(layout, shop(LANGUAGE), 7)
    assert sum(one.slip for one in stream.documents) <= 1, "the lane looks for one slip a job"
    one = stream.documents[-1]
    document, at = stream.raw[one.start : one.end], one.ink_end - one.start
    paper = document[:at] + QR + document[at:]
    found = match(document, paper)
    assert found is not None
    assert found.claims == (URL + "BCD",)
    assert not found.torn
    for place in range(0, len(paper), 7):
        missing = match(document, paper[:place] + paper[place + 1 :])
        assert missing is None or missing.slip != found.slip
    twice = paper[:at] + QR + paper[at:]
    assert match(document, twice) is None or len(match(document, twice).claims) == 2  # type: ignore[union-attr]
    assert match(document, document[: len(document) // 2]) is None


def test_a_half_printed_receipt_above_another_is_seen() -> None:
    document = layouts.compose("crlf", shop(LANGUAGE), 3).raw
    found = match(document, document[:200] + document)
    assert found is not None
    assert found.torn


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_changed_byte_is_taken_for_a_slip(place: int, flip: int) -> None:
    document = layouts.compose("crlf", shop(LANGUAGE), 3).raw
    place = min(place, len(document) - 1)
    broken = bytearray(document)
    broken[place] ^= flip
    assert match(document, bytes(broken)) is None


@given(st.sampled_from(story(1.0)))
def test_what_is_written_down_is_read_again(seen: Seen) -> None:
    assert list(from_lines([to_line(seen)])) == [seen]


def test_the_whole_run_is_drawn(tmp_path: Path) -> None:
    from tests.soak.picture import draw

    kinds = (What.ENGINE_KILL.value, What.BROKER.value, "out of paper", What.LINE_KILL.value)
    troubles = [Trouble(at_s=1300.0 + 60 * at, what=what, until_s=1310.0 + 60 * at) for at, what in enumerate(kinds)]
    seen = [*story(), *troubles, Scanned(at_s=1400.0, what="goods")]
    draw(seen, judge(seen), tmp_path / "soak.png")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
