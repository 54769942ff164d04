"""Claims at the cloud: what becomes of each token, and that no other than the box's own word earns points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edgebox.loyalty.claims import LIFETIME_S
from edgebox.model import Confidence
from edgebox.store.events import ClaimState, Stream
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.points import PENDING_S, Holding
from hw_sim.cloud.registry import Shop
from hw_sim.cloud.verdict import Doubt, Policy
from tests.hw_sim.boxes import SHOP, PaperBox, Wall, cloud


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def head(tmp_path: Path, wall: Wall) -> Iterator[Cloud]:
    with cloud(tmp_path, wall) as running:
        yield running


@pytest.fixture
def box(head: Cloud) -> PaperBox:
    return PaperBox(head)


def test_a_receipt_earns_its_points_once(head: Cloud, box: PaperBox) -> None:
    url, member = box.sell(1250), head.points.join()
    assert head.points.look(url, "")[:3] == ("offered", "credit", 12)
    assert head.points.total() == 0, "looking takes nothing"
    shown = head.points.take(url, member)
    assert (shown.state, shown.points, shown.amount_minor) == ("credited", 12, 1250)
    again = head.points.take(url, member)
    assert (again.state, again.points, again.again) == ("credited", 12, True)
    assert head.points.balance(member) == 12


def test_a_second_member_gets_nothing(head: Cloud, box: PaperBox) -> None:
    url = box.sell(1250)
    head.points.take(url, head.points.join())
    late = head.points.join()
    assert head.points.take(url, late)[:2] == ("refused", "taken")
    assert head.points.balance(late) == 0


@pytest.mark.parametrize("at", range(0, 58, 3))
def test_an_altered_token_is_refused_whichever_letter_was_altered(head: Cloud, box: PaperBox, at: int) -> None:
    url = box.sell(1250)
    start = len(SHOP.prefix) + at
    altered = url[:start] + ("B" if url[start] == "A" else "A") + url[start + 1 :]
    shown = head.points.take(altered, head.points.join())
    assert shown.state == "refused"
    assert shown.reason in {"mac", "format", "version", "store", "device", "epoch", "amount"}
    assert head.points.total() == 0


def test_another_shops_token_is_refused(head: Cloud, box: PaperBox, tmp_path: Path, wall: Wall) -> None:
    with cloud(tmp_path / "other", wall) as elsewhere:
        foreign = PaperBox(elsewhere, shop=Shop(2)).mint(1250)
        same_number = PaperBox(elsewhere, "box-9", 1).mint(1250)
    assert head.points.take(foreign, head.points.join())[:2] == ("refused", "store")
    assert head.points.take(same_number, head.points.join())[:2] == ("refused", "mac"), "another cloud's master"


def test_a_token_of_an_unknown_box_is_refused(head: Cloud, box: PaperBox, tmp_path: Path, wall: Wall) -> None:
    with cloud(tmp_path / "other", wall) as elsewhere:
        url = PaperBox(elsewhere, device=77).mint(1250)
    assert head.points.take(url, head.points.join())[:2] == ("refused", "device")


def test_an_expired_token_is_refused_but_whoever_was_in_time_keeps_his_points(
    head: Cloud, box: PaperBox, wall: Wall
) -> None:
    taken, left = box.sell(1250, number=1), box.sell(1250, number=2)
    member = head.points.join()
    head.points.take(taken, member)
    wall.now += LIFETIME_S + 61
    assert head.points.take(left, member)[:2] == ("refused", "expired")
    assert head.points.take(taken, member)[:3] == ("credited", "", 12)
    wall.now += 30 * 86400  # its key's epoch is over too: a customer would still call that expired
    assert head.points.take(left, member)[:2] == ("refused", "expired")
    assert head.points.take(taken, member)[:3] == ("credited", "", 12)


def test_a_shop_may_let_claims_expire_within_hours(head: Cloud, wall: Wall) -> None:
    noodles = PaperBox(head, "box-2", 2, Shop(2, lifetime_s=7200))
    url = noodles.sell(1250)
    wall.now += 7200 + 61
    assert head.points.take(url, head.points.join())[:2] == ("refused", "expired")


def test_keys_of_the_last_weeks_epoch_still_verify(head: Cloud, box: PaperBox, wall: Wall) -> None:
    url = box.mint(1250)
    event = box.claim(url)
    wall.now += LIFETIME_S - 60
    box.tell(Stream.CLAIMS, event)
    assert head.points.take(url, head.points.join()).state == "credited"


def test_a_token_whose_event_has_not_come_waits_and_settles_by_itself(head: Cloud, box: PaperBox, wall: Wall) -> None:
    url, member = box.mint(1250), head.points.join()
    event = box.claim(url)
    assert head.points.look(url, "")[:2] == ("offered", "pending")
    assert head.points.take(url, member).state == "pending"
    assert head.points.balance(member) == 0
    wall.now += 5 * 86400  # the box was offline for days; the phone was in time
    box.tell(Stream.CLAIMS, event)
    assert head.points.balance(member) == 12
    assert head.points.take(url, member)[:3] == ("credited", "", 12)


def test_a_token_whose_event_never_comes_is_given_up(head: Cloud, box: PaperBox, wall: Wall) -> None:
    url, member = box.mint(1250), head.points.join()
    head.points.take(url, member)
    wall.now += PENDING_S + 1
    assert head.points.give_up_pending() == 1
    assert [row.state for row in head.points.held()] == [Holding.CANCELED]
    assert head.points.balance(member) == 0


def test_a_token_that_contradicts_the_box_is_refused_and_alarmed(head: Cloud, box: PaperBox) -> None:
    """Somebody has the box's key and signs a larger amount for a receipt that the box knows."""
    box.sell(1250)
    forged, thief = box.mint(999_900), head.points.join()
    assert head.points.take(forged, thief)[:2] == ("refused", "contradicted")
    assert [alarm.kind for alarm in head.ledger.alarms()] == ["contradiction"]
    assert head.points.total() == 0


def test_a_forged_token_for_a_receipt_that_never_was_earns_nothing_ever(head: Cloud, box: PaperBox) -> None:
    forged, thief = box.mint(999_900, number=4711), head.points.join()
    assert head.points.take(forged, thief).state == "pending"
    box.sell(1250, number=4711)  # even if the box sells under that number later
    assert head.points.balance(thief) == 0
    assert head.ledger.alarms("contradiction") != []


def test_an_event_that_says_another_amount_than_its_own_token_earns_nothing(head: Cloud, box: PaperBox) -> None:
    url = box.mint(1250)
    box.tell(Stream.CLAIMS, box.claim(url, amount_minor=125_000))
    assert head.points.take(url, head.points.join())[:2] == ("refused", "contradicted")


def test_a_receipt_that_names_another_token_takes_the_points_back(head: Cloud, box: PaperBox) -> None:
    url, member = box.mint(1250), head.points.join()
    event = box.claim(url)
    box.tell(Stream.CLAIMS, event)
    head.points.take(url, member)
    box.tell(Stream.RECEIPTS, box.receipt(event, url=box.mint(1000)))
    assert head.points.balance(member) == 0
    assert head.ledger.alarms("contradiction") != []


def test_a_receipt_of_which_only_a_part_earns_contradicts_nothing(head: Cloud, box: PaperBox) -> None:
    url = box.mint(1250)
    event = box.claim(url)
    box.tell(Stream.CLAIMS, event)
    box.tell(Stream.RECEIPTS, box.receipt(event, amount_minor=9000))
    assert head.points.take(url, head.points.join()).points == 12


def test_no_fewer_points_than_the_slip_promised(head: Cloud, box: PaperBox) -> None:
    """The shop's campaign doubled them on the box; this cloud knows nothing of it."""
    url, member = box.mint(1250), head.points.join()
    box.tell(Stream.CLAIMS, msgspec.structs.replace(box.claim(url), points=24))
    assert head.points.look(url, "").points == 24
    assert head.points.take(url, member).points == 24
    lower = box.mint(600, revision=1)
    box.tell(Stream.CLAIMS, msgspec.structs.replace(box.claim(lower), points=11))
    assert head.points.balance(member) == 11, "settled again for less"


@pytest.mark.parametrize("collected_first", [True, False])
def test_what_the_box_calls_pending_waits_for_a_person(head: Cloud, box: PaperBox, collected_first: bool) -> None:
    url, member = box.mint(1250), head.points.join()
    event = msgspec.structs.replace(box.claim(url), points=24)
    box.tell(Stream.CLAIMS, event)
    if collected_first:
        assert head.points.take(url, member).points == 24
    box.tell(Stream.RECEIPTS, box.receipt(event, pending=True))
    assert head.points.take(url, member)[:2] == ("review", "unconfirmed")
    assert head.points.balance(member) == 0
    (waiting,) = head.points.held()
    assert head.points.approve(waiting.store, waiting.claim).points == 24
    assert head.points.balance(member) == 24


def test_a_copy_with_its_own_amount_contradicts_nothing(head: Cloud, box: PaperBox) -> None:
    """A copy prints the stored token; what was read on the copy does not matter."""
    url = box.sell(1250)
    again = box.claim(url, ClaimState.AGAIN)
    box.tell(Stream.CLAIMS, again)
    box.tell(Stream.RECEIPTS, box.receipt(again, amount_minor=700, url=box.mint(700), modifiers=("reprint",)))
    assert head.points.take(url, head.points.join()).points == 12


def test_a_receipt_that_could_not_be_read_again_contradicts_nothing(head: Cloud, box: PaperBox) -> None:
    """The engine was killed behind its answer; its next run knows the token, and perhaps not the total."""
    url = box.mint(1250)
    event = box.claim(url, ClaimState.UNKNOWN)
    box.tell(Stream.CLAIMS, event)
    box.tell(Stream.RECEIPTS, box.receipt(event, amount_minor=None, replayed=True))
    assert head.points.take(url, head.points.join()).points == 12


def test_a_slip_that_was_not_printed_earns_nothing(head: Cloud, box: PaperBox) -> None:
    url = box.mint(1250)
    box.tell(Stream.CLAIMS, box.claim(url, ClaimState.VOID))
    assert head.points.take(url, head.points.join())[:2] == ("refused", "void")


@pytest.mark.parametrize("state", [ClaimState.UNKNOWN, ClaimState.AGAIN, ClaimState.ON_PAPER])
def test_a_slip_that_may_be_on_paper_earns(head: Cloud, box: PaperBox, state: ClaimState) -> None:
    url = box.mint(1250)
    box.tell(Stream.CLAIMS, box.claim(url, state))
    assert head.points.take(url, head.points.join()).points == 12


@pytest.mark.parametrize("claimed_first", [True, False])
def test_a_refund_cancels_the_claim_before_and_after_it_was_credited(
    head: Cloud, box: PaperBox, claimed_first: bool
) -> None:
    url, member = box.sell(1250), head.points.join()
    if claimed_first:
        assert head.points.take(url, member).points == 12
    box.tell(Stream.CLAIMS, box.claim(url, ClaimState.VOID))
    assert head.points.take(url, member)[:2] == ("refused", "void")
    assert head.points.balance(member) == 0


def test_a_refund_of_the_newest_settlement_cancels_the_older_slips_too(head: Cloud, box: PaperBox) -> None:
    old = box.sell(1250)
    new = box.sell(1000, revision=1)
    box.tell(Stream.CLAIMS, box.claim(new, ClaimState.VOID))
    assert head.points.take(old, head.points.join())[:2] == ("refused", "void")


def test_one_bill_printed_on_two_lines_at_once_is_credited_once(head: Cloud, box: PaperBox) -> None:
    first, second = box.sell(1250), box.sell(1250, revision=1)
    one, two = head.points.join(), head.points.join()
    assert head.points.take(first, one).points == 12
    assert head.points.take(second, one).points == 12
    assert head.points.take(second, two).reason == "taken"
    assert head.points.total() == 12


def test_one_bill_printed_by_two_boxes_is_credited_once(head: Cloud, box: PaperBox) -> None:
    other = PaperBox(head, "box-2", 2)
    first, second = box.sell(1250), other.sell(1250)
    member = head.points.join()
    head.points.take(first, member)
    head.points.take(second, member)
    assert head.points.total() == 12


def test_a_bill_settled_again_for_more_earns_the_difference(head: Cloud, box: PaperBox) -> None:
    member = head.points.join()
    head.points.take(box.sell(1250), member)
    new = box.sell(2050, revision=1)
    assert head.points.balance(member) == 12, "the slip for more has not been shown"
    assert head.points.take(new, member).points == 20
    assert head.points.balance(member) == 20


def test_a_bill_settled_again_for_less_is_worth_less_whichever_slip_is_shown(head: Cloud, box: PaperBox) -> None:
    old, member = box.sell(1250), head.points.join()
    head.points.take(old, member)
    box.sell(800, revision=1)
    assert head.points.balance(member) == 8
    assert head.points.take(old, member).points == 8


def test_points_of_the_older_slip_stay_while_the_newer_ones_event_is_on_its_way(head: Cloud, box: PaperBox) -> None:
    member = head.points.join()
    head.points.take(box.sell(1250), member)
    newer = box.mint(2050, revision=1)
    event = box.claim(newer)
    head.points.take(newer, member)
    assert head.points.balance(member) == 12
    box.tell(Stream.CLAIMS, event)
    assert head.points.balance(member) == 20


@pytest.mark.parametrize(
    ("how", "policy", "state", "reason"),
    [
        ({"weak": True}, Policy(), "review", "weak_id"),
        ({"weak": True}, Policy(weak=Doubt.REFUSE), "refused", "weak_id"),
        ({"weak": True}, Policy(weak=Doubt.CREDIT), "credited", ""),
        ({"confidence": Confidence.MEDIUM}, Policy(), "credited", ""),
        ({"confidence": Confidence.MEDIUM}, Policy(medium=Doubt.REVIEW), "review", "confidence"),
        ({"tender_known": False}, Policy(tender_unknown=Doubt.REVIEW), "review", "tender"),
        ({"weak": True, "tender_known": False}, Policy(tender_unknown=Doubt.REFUSE), "refused", "tender"),
    ],
)
def test_what_is_not_beyond_doubt_follows_the_shops_policy(
    head: Cloud, how: dict[str, object], policy: Policy, state: str, reason: str
) -> None:
    doubtful = PaperBox(head, "box-3", 3, Shop(3, policy=policy))
    shown = head.points.take(doubtful.sell(1250, **how), head.points.join())
    assert (shown.state, shown.reason) == (state, reason)
    assert head.points.total() == (12 if state == "credited" else 0)


def test_a_person_lets_a_doubtful_claim_through_once(head: Cloud, box: PaperBox) -> None:
    url, member = box.sell(1250, weak=True), head.points.join()
    head.points.take(url, member)
    (waiting,) = head.points.held()
    head.points.approve(waiting.store, waiting.claim)
    assert head.points.balance(member) == 12
    with pytest.raises(KeyError):
        head.points.approve(waiting.store, waiting.claim)
    box.tell(Stream.CLAIMS, box.claim(url, ClaimState.AGAIN))
    assert head.points.balance(member) == 12, "a copy changes nothing of that"


def test_an_event_of_another_box_earns_nothing_for_this_ones_token(head: Cloud, box: PaperBox) -> None:
    other = PaperBox(head, "box-2", 2)
    url = box.mint(1250)
    other.tell(Stream.CLAIMS, other.claim(url))
    assert head.points.take(url, head.points.join()).state == "pending"


def test_points_that_no_campaign_of_the_shop_makes_wait_for_a_person(head: Cloud, box: PaperBox) -> None:
    """Who owns the broker can't forge a token, but may change the figure in the box's event."""
    member = head.points.join()
    for number, points, state in ((1, 240, "credited"), (2, 1_000_000, "review")):
        url = box.mint(2400, number=number)
        box.tell(Stream.CLAIMS, msgspec.structs.replace(box.claim(url), points=points))
        assert head.points.take(url, member).state == state
    assert head.points.balance(member) == 240
    assert head.ledger.alarms("points")
