"""The coupon desk: each state of a coupon has its answer, and one request has one answer for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edgebox.envelope import Envelopes, close_question
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.consumer import Message
from hw_sim.cloud.desk import REDEEM, Coupon
from hw_sim.cloud.registry import Shop
from sync.contract import Answer, Ask, Envelope
from tests.hw_sim.boxes import NOW, PaperBox, cloud

FIVE_OFF = Coupon("C-100", "five off", "stock-7", 500)


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Cloud]:
    with cloud(tmp_path) as running:
        yield running


@pytest.fixture
def box(head: Cloud) -> PaperBox:
    return PaperBox(head)


def redeem(head: Cloud, box: PaperBox, code: str, request: str, **args: object) -> Answer:
    return head.desk.answer(box.box, Ask(id=request, what=REDEEM, args={"code": code, **args}))


def test_a_good_coupon_is_redeemed_once(head: Cloud, box: PaperBox) -> None:
    head.desk.issue(FIVE_OFF)
    answer = redeem(head, box, "C-100", "r-1")
    assert (answer.ok, answer.result) == (True, {"coupon": "five off", "stock": "stock-7", "value_minor": 500})
    assert redeem(head, box, "C-100", "r-2").reason == "used"
    assert head.desk.used() == [("C-100", "box-1", "r-1")]


def test_asked_again_with_the_same_id_it_says_the_same(head: Cloud, box: PaperBox) -> None:
    head.desk.issue(FIVE_OFF)
    first = redeem(head, box, "C-100", "r-1")
    assert redeem(head, box, "C-100", "r-1") == first
    assert redeem(head, box, "C-200", "r-1").reason == "request", "the id stands for another question"
    other = PaperBox(head, "box-2", 2)
    assert redeem(head, other, "C-100", "r-1").reason == "used", "ids are each box's own"


@pytest.mark.parametrize(
    ("coupon", "amount", "reason"),
    [
        (Coupon("C", starts=NOW + 60), 0, "not_started"),
        (Coupon("C", ends=NOW), 0, "expired"),
        (Coupon("C", stores=(2, 3)), 0, "wrong_store"),
        (Coupon("C", threshold_minor=10_000), 9_999, "threshold"),
        (Coupon("D"), 0, "unknown"),
        (Coupon("C", starts=NOW, ends=NOW + 1, stores=(1,), threshold_minor=10_000), 10_000, ""),
    ],
)
def test_each_state_has_its_own_word(head: Cloud, box: PaperBox, coupon: Coupon, amount: int, reason: str) -> None:
    head.desk.issue(coupon)
    answer = redeem(head, box, "C", "r-1", amount_minor=amount)
    assert (answer.ok, answer.reason) == (not reason, reason)


def test_a_failing_desk_says_so_and_the_same_request_succeeds_later(head: Cloud, box: PaperBox) -> None:
    head.desk.issue(FIVE_OFF)
    head.desk.is_failing = True
    assert redeem(head, box, "C-100", "r-1").reason == "system_failure"
    head.desk.is_failing = False
    assert redeem(head, box, "C-100", "r-1").ok


@pytest.mark.parametrize("args", [{}, {"code": ""}, {"code": "C", "amount_minor": -1}, {"code": ["C"]}])
def test_a_question_that_makes_no_sense_gets_an_answer_too(head: Cloud, box: PaperBox, args: dict[str, object]) -> None:
    assert head.desk.answer(box.box, Ask(id="r-1", what=REDEEM, args=args)).reason == "question"
    assert head.desk.answer(box.box, Ask(id="r-2", what="weather", args=args)).reason == "question"


def test_the_answer_goes_to_the_boxs_own_topic_only(head: Cloud, box: PaperBox) -> None:
    """A response topic outside its own would make the cloud write where the box may not."""
    prefix = head.topics.prefix(box.box.place)
    ask = asked(box, "r-1")
    for response, expected in (
        (f"{prefix}/answer", f"{prefix}/answer"),
        (f"{prefix}/answer/7", f"{prefix}/answer/7"),
        ("", f"{prefix}/answer"),
        ("edgebox/v1/demo/shop/box-2/cmd", f"{prefix}/answer"),
    ):
        (out,) = box.give(Message(f"{prefix}/ask", ask, response, b"c-1"))
        assert (out.topic, out.correlation) == (expected, b"c-1")


def asked(box: PaperBox, name: str, *, inner: str = "", key: bytes = b"") -> bytes:
    """A question as a box sends it."""
    epoch = box.keys.epochs[-1]
    text = msgspec.json.encode(Ask(id=inner or name, what=REDEEM, args={"code": "C-100"}))
    return msgspec.json.encode(close_question(key or epoch.key, epoch.index, box.box.name, name, text))


def test_a_broker_can_neither_read_nor_ask_nor_answer(head: Cloud, box: PaperBox) -> None:
    """It would have the code, use up the coupons of a box's customers, or redeem what nobody issued."""
    head.desk.issue(Coupon("C-100", value_minor=500))
    topic = f"{head.topics.prefix(box.box.place)}/ask"
    good = asked(box, "r-1")
    assert b"C-100" not in good
    plain = msgspec.json.encode(Ask(id="r-1", what=REDEEM, args={"code": "C-100"}))
    for forged in (
        plain,
        asked(box, "r-1", key=bytes(32)),
        asked(box, "r-1", inner="r-2"),
        good.replace(b"r-1", b"r-2"),
    ):
        assert box.give(Message(topic, forged)) == []
    assert head.desk.used() == []
    (out,) = box.give(Message(topic, good))
    assert b"value_minor" not in out.payload
    question, answer = (msgspec.json.decode(raw, type=Envelope) for raw in (good, out.payload))
    envelopes = Envelopes(box.box.name, lambda: box.keys)
    assert json.loads(envelopes.answer(question, answer) or b"")["result"]["value_minor"] == 500
    another = msgspec.json.decode(asked(box, "r-1"), type=Envelope)
    assert envelopes.answer(another, answer) is None, "not to this question"
    assert Envelopes("box-2", lambda: box.keys).answer(question, answer) is None, "not to this box"
    assert envelopes.answer(question, question) is None
    assert len(head.desk.used()) == 1


def test_a_shop_is_known_by_its_number(head: Cloud) -> None:
    head.desk.issue(Coupon("C", stores=(9,)))
    assert redeem(head, PaperBox(head, "box-9", 1, Shop(9)), "C", "r-1").ok
