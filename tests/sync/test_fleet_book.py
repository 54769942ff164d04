"""What is known of boxes: who is online, from whatever was heard in whatever order; and what verify makes of it."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebox.errors import SyncError
from sync.contract import Backlog, BundleState, Reported, State
from sync.fleet_book import FIELDS, Book, Known, fields, troubles
from sync.fleet_topics import FleetTopics, Place
from sync.fleet_verify import Mark, findings, ledger

NOW = 1_795_000_000
PLACE = Place("s1", "b1")


def state(**given: object) -> bytes:
    return msgspec.json.encode(State(**{"box": "b1", "at": NOW, "trusted": True, "expires_s": 180, **given}))  # type: ignore[arg-type]


def heard(*messages: tuple[int, bytes], kept: bool = False) -> Known:
    book = Book()
    for at, payload in messages:
        book.heard(PLACE, "state", payload, at, kept=kept)
    return book.boxes[PLACE]


def test_a_box_is_online_until_its_sign_of_life_goes_stale() -> None:
    known = heard((NOW, state()))
    assert [known.is_online(NOW + seconds) for seconds in (0, 180, 181)] == [True, True, False]


def test_what_a_broker_had_kept_is_as_old_as_it_says() -> None:
    assert not heard((NOW + 1000, state()), kept=True).is_online(NOW + 1000)
    assert heard((NOW + 100, state()), kept=True).is_online(NOW + 100)
    # A box with a wrong clock can't say; brokers drop it with its expiry.
    assert heard((NOW + 1000, state(trusted=False)), kept=True).is_online(NOW + 1000)
    # Nor does one from the future make it online for ever.
    assert not heard((NOW, state(at=NOW + 10**6)), kept=True).is_online(NOW + 181)


def test_a_will_says_gone_and_takes_nothing_away() -> None:
    known = heard((NOW, state(version="1.2.3")), (NOW + 5, msgspec.json.encode(State(box="b1", online=False))))
    assert not known.is_online(NOW + 5)
    assert known.state is not None
    assert known.state.version == "1.2.3"
    assert heard((NOW + 5, msgspec.json.encode(State(box="b1", online=False))), (NOW + 9, state())).is_online(NOW + 9)


def test_nobody_speaks_for_another_box() -> None:
    book = Book()
    assert book.heard(PLACE, "state", state(box="b2"), NOW) is None
    assert book.heard(PLACE, "reported", b'{"box":"b2"}', NOW) is None
    assert (book.boxes, book.unreadable) == ({}, 2)


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["state", "reported"]))
def test_nonsense_is_counted_and_changes_nothing(payload: bytes, rest: str) -> None:
    book = Book()
    assert book.heard(PLACE, rest, payload, NOW) is None
    assert book.unreadable == 1


def test_a_newer_sign_of_life_goes_before_an_older_report() -> None:
    book = Book()
    old = Reported(box="b1", at=NOW, bundles={"rules": BundleState(revision=6, desired=7, state="rolled_back")})
    book.heard(PLACE, "reported", msgspec.json.encode(old), NOW)
    book.heard(PLACE, "state", state(at=NOW + 9, bundles={"rules": 6}), NOW + 9)
    assert book.boxes[PLACE].bundle("rules").state == "rolled_back"
    book.heard(PLACE, "state", state(at=NOW + 99, bundles={"rules": 8}), NOW + 99)
    assert book.boxes[PLACE].bundle("rules") == BundleState(revision=8)
    assert book.boxes[PLACE].bundle("slips") == BundleState()


def test_every_field_that_where_may_ask_for_is_documented() -> None:
    full = state(
        health={"sync": "ok"},
        lines={"line1": "ok"},
        bundles={"rules": 1},
        backlog={"receipts": Backlog(rows=1, oldest=NOW)},
    )
    names = set(fields(heard((NOW, full)), NOW))
    assert all(name in FIELDS or name.partition(".")[0] + "." in FIELDS for name in names)
    assert {name.partition(".")[0] for name in names} == {name.rstrip(".") for name in FIELDS}


def test_a_certificate_with_time_left_is_no_trouble() -> None:
    health = {"sync": "ok", "client certificate": "good for 80 days", "disk": "97 % full", "clock": ""}
    assert troubles(State(box="b", health=health)) == {"disk": "97 % full"}


# -- topics


def test_topics_are_read_back_as_they_were_made() -> None:
    topics = FleetTopics("edgebox/v1/{tenant}/{store}/{box}", "acme")
    assert topics.everybody("state") == "edgebox/v1/acme/+/+/state"
    assert topics.read(topics.one(PLACE, "up/receipts")) == (PLACE, "up/receipts")
    for topic in ("edgebox/v1/other/s1/b1/state", "edgebox/v1/acme/s1/b1", "edgebox/v1/acme/s1/x/b1"):
        assert topics.read(topic) is None or topic.endswith("x/b1")


def test_templates_may_put_names_anywhere() -> None:
    topics = FleetTopics("/dt/pos-{box}/x", "")
    assert topics.everybody("ack") == "dt/+/x/ack"
    assert topics.read("dt/pos-7/x/ack") == (Place("", "7"), "ack")
    assert topics.read("dt/7/x/ack") is None


@pytest.mark.parametrize("template", ["edgebox/{tenant}", "{box}/{box}", "{box}/{shop}"])
def test_a_template_that_tells_no_boxes_apart_is_refused(template: str) -> None:
    with pytest.raises(SyncError, match="must hold"):
        FleetTopics(template, "acme")


@pytest.mark.parametrize(
    "place", [Place("s1", "+"), Place("s1/x", "b"), Place("", "b"), Place("s1", ""), Place("s", "#")]
)
def test_no_command_goes_to_a_wildcard(place: Place) -> None:
    with pytest.raises(SyncError):
        FleetTopics("edgebox/v1/{tenant}/{store}/{box}", "acme").one(place, "cmd")


# -- verify


def found(known: Known, *marks: Mark) -> list[str]:
    return [one.words for one in findings(known, {(mark.epoch, mark.stream): mark for mark in marks}, NOW)]


def mark(through: int, *missing: tuple[int, int], epoch: str = "e1") -> Mark:
    return Mark(box="b1", epoch=epoch, stream="receipts", through=through, missing=missing)


def test_a_stream_is_whole_when_box_and_cloud_agree() -> None:
    waits = {"receipts": Backlog(rows=3, oldest=NOW - 60)}
    known = heard((NOW, state(epoch="e1", acknowledged={"receipts": 10}, backlog=waits)))
    for through in (10, 11, 13):
        assert found(known, mark(through)) == []
    assert "believes that the cloud has it through 10, it has 9" in found(known, mark(9))[0]
    assert found(known, mark(14)) == ["the cloud has receipts through 14, the box only made 13: two boxes of one name?"]
    assert found(known, mark(99, epoch="e0")) == []


def test_what_was_recorded_or_acknowledged_between_two_words_is_no_finding() -> None:
    known = heard((NOW, state(epoch="e1", acknowledged={"receipts": 10})))
    later = msgspec.structs.replace(mark(14), since=NOW + 1)
    assert found(known, later) == []
    assert "two boxes of one name" in found(known, msgspec.structs.replace(later, since=NOW - 1))[0]
    earlier = ledger([b'{"box":"b1","epoch":"e1","stream":"receipts","through":9}'], "export", NOW - 1)["b1"]
    assert findings(known, earlier, NOW) == []
    assert "it has 9" in found(known, msgspec.structs.replace(earlier["e1", "receipts"], until=NOW))[0]


def test_gaps_and_what_waits_too_long_are_found() -> None:
    waits = {"receipts": Backlog(rows=3, oldest=NOW - 7200)}
    known = heard((NOW, state(epoch="e1", backlog=waits, refused={"receipts": 2, "health not recorded": 5})))
    assert found(known, mark(4, (5, 6), (9, 9))) == [
        "receipts e1: the cloud misses 5 to 6, 9 to 9",
        "3 rows wait, the oldest for 2 h",
        "could not record health 5 times: no room, or a bad card",
        "the broker refused 2 of receipts",
    ]
    (gap, *_) = findings(known, {("e1", "receipts"): mark(4, (5, 6))}, NOW)
    assert gap.do == "send resend stream=receipts epoch=e1 first=5 last=6"


def test_an_export_that_cannot_be_read_is_named_with_its_line() -> None:
    good = b'{"box":"b1","epoch":"e1","stream":"receipts","through":7}\n'
    assert ledger([good, b"\n"], "x") == {"b1": {("e1", "receipts"): mark(7)}}
    with pytest.raises(SyncError, match="x:2: "):
        ledger([good, b"nonsense"], "x")
