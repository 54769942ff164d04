"""A misread total is put right downward at once, upward by the cloud; and the cloud credits what it became."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from edgebox.errors import ReportError
from edgebox.line.frames import Result
from edgebox.loyalty import claims
from edgebox.reports.correct import Effect, claim_minor
from edgebox.reports.search import Wanted
from edgebox.store.events import AuditRecord, ClaimState, CorrectionRecord, CorrectionState, Event, Stream
from edgebox.store.peek import bodies
from hw_sim.cloud.verdict import Outcome, Policy, Told, judge
from tests.line_of_engine import KEYS, NOW, RECEIPT, REPRINT, SESSION, FakeLine, recorded_claims
from tests.reports.shop import reported

NAME = SESSION.hex()


def events(folder: Path, stream: Stream) -> list[Event]:
    decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
    return [decoder.decode(body) for body in bodies(folder / "data", stream)]


def test_a_smaller_total_settles_the_claim_anew_and_the_cloud_credits_that(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            line = await FakeLine.connect(engine)
            first = await line.print_receipt(1)
            result = await reports.correct(NAME, 1, 2390, "owner", "drinks were another bill")
            assert result.effect is Effect.SETTLED
            assert result.claim is not None
            token = claims.verify(result.claim.url, KEYS, NOW).claim
            old = claims.verify(first.ref.decode(), KEYS, NOW).claim
            assert (token.amount_minor, token.revision, token.claim_id) == (2390, 1, old.claim_id)
            assert token.issued_minute == old.issued_minute, "it is good no longer than the first"
            found = await reports.receipt(NAME, 1)
            assert (found.amount_minor, found.record.amount_minor) == (2390, 3390)
            assert (await reports.today()).sums.sales_minor == 2390
            assert (await reports.search(Wanted())).rows[0].corrected_minor == 2390
            again = await line.print_receipt(2, REPRINT)
            assert again.ref.decode() == result.claim.url, "a copy prints the new token"

    asyncio.run(play())
    told = [
        Told("box", one.url, one.revision, one.amount_minor, one.state, one.points) for one in recorded_claims(tmp_path)
    ]
    for one in told[:2]:
        verdict = judge(one.url, claims.parse(one.url).claim, "box", told, Policy())
        assert (verdict.outcome, verdict.amount_minor) == (Outcome.CREDIT, 2390), "whichever slip is shown"
    correction, audit = events(tmp_path, Stream.AUDIT)
    assert isinstance(correction, CorrectionRecord)
    assert (correction.state, correction.was_minor, correction.amount_minor) == (CorrectionState.APPLIED, 3390, 2390)
    assert isinstance(audit, AuditRecord)
    assert (audit.who, audit.before, audit.after) == ("owner", "3390", "2390")


def test_a_larger_total_is_a_request_and_changes_nothing_here(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            line = await FakeLine.connect(engine)
            first = await line.print_receipt(1)
            result = await reports.correct(NAME, 1, 5390, "owner", "")
            assert (result.effect, result.claim) == (Effect.REQUESTED, None)
            assert (await reports.receipt(NAME, 1)).amount_minor == 3390
            assert (await line.print_receipt(2, REPRINT)).ref == first.ref

    asyncio.run(play())
    (correction, _) = events(tmp_path, Stream.AUDIT)
    assert isinstance(correction, CorrectionRecord)
    assert correction.state is CorrectionState.REQUESTED
    assert [one.revision for one in recorded_claims(tmp_path)] == [0, 0]


def test_a_total_corrected_twice_goes_down_only(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            await (await FakeLine.connect(engine)).print_receipt(1)
            await reports.correct(NAME, 1, 2390, "owner", "")
            assert (await reports.correct(NAME, 1, 3390, "owner", "")).effect is Effect.REQUESTED
            result = await reports.correct(NAME, 1, 1390, "owner", "")
            assert result.claim is not None
            assert (result.effect, result.claim.revision) == (Effect.SETTLED, 2)
            assert (await reports.today()).sums.sales_minor == 1390

    asyncio.run(play())


def test_the_fifteenth_revision_is_the_last_and_nothing_is_recorded_of_the_next(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            await (await FakeLine.connect(engine)).print_receipt(1)
            for minor in range(3389, 3389 - 15, -1):
                await reports.correct(NAME, 1, minor, "owner", "")
            with pytest.raises(ReportError) as caught:
                await reports.correct(NAME, 1, 100, "owner", "")
            assert caught.value.reason == "revision"
            assert (await reports.receipt(NAME, 1)).amount_minor == 3375

    asyncio.run(play())


def test_a_receipt_whose_slip_was_not_printed_is_corrected_without_a_claim(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            await (await FakeLine.connect(engine)).print_receipt(1, RECEIPT, Result.LATE)
            result = await reports.correct(NAME, 1, 2390, "owner", "")
            assert (result.effect, result.claim) == (Effect.LOWERED, None)

    asyncio.run(play())
    assert [one.state for one in recorded_claims(tmp_path)] == [ClaimState.VOID]


@pytest.mark.parametrize(("minor", "reason"), [(0, "amount"), (-5, "amount"), (10**13, "amount"), (3390, "same")])
def test_what_is_no_correction_is_refused(tmp_path: Path, minor: int, reason: str) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            line = await FakeLine.connect(engine)
            await line.print_receipt(1)
            await line.print_receipt(2, REPRINT)
            for document, words in ((1, reason), (2, "reprint" if reason == "same" else reason), (3, "no_receipt")):
                with pytest.raises(ReportError) as caught:
                    await reports.correct(NAME, document, minor, "owner", "")
                assert caught.value.reason == words

    asyncio.run(play())
    assert bodies(tmp_path / "data", Stream.AUDIT) == []


def test_two_at_once_give_two_revisions(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            await (await FakeLine.connect(engine)).print_receipt(1)
            both = await asyncio.gather(*(reports.correct(NAME, 1, minor, "owner", "") for minor in (3000, 2000)))
            assert sorted(one.claim.revision for one in both if one.claim) == [1, 2]

    asyncio.run(play())


@pytest.mark.parametrize(
    ("claim", "amount", "was", "worth"), [(3390, 2390, 3390, 2390), (1695, 1000, 3390, 500), (5, 1, 3390, 0)]
)
def test_a_claim_keeps_its_share_of_the_total(claim: int, amount: int, was: int, worth: int) -> None:
    assert claim_minor(claim, amount, was) == worth


def test_a_correction_whose_row_has_broken_is_sent_all_the_same(tmp_path: Path) -> None:
    async def play() -> None:
        async with reported(tmp_path) as (engine, reports):
            await (await FakeLine.connect(engine)).print_receipt(1)
            await reports.correct(NAME, 1, 2390, "owner", "misread")
            await reports.store.change(
                lambda db: db.execute("UPDATE journal SET crc = 0 WHERE body LIKE '%correction%'")
            )
            rows = await reports.store.rows(Stream.AUDIT, None, limit_rows=9, limit_bytes=1 << 20)
            correction = msgspec.json.decode(rows[0].body, type=CorrectionRecord)
            assert (correction.amount_minor, correction.was_minor, correction.who) == (2390, 3390, "owner")

    asyncio.run(play())
