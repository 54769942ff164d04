"""Commands judged: which are carried out, and why each other one is not."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import commands
from sync.commands import IDS_MAX, SKEW_S, VALID_MAX_S, Again, Known, Memory, Moment, Offer, Order, Refusal, Verdict
from sync.contract import BundleKind, JobPhase
from sync.contract_commands import COMMANDS, ROLE_OF_BUNDLE, Refused, Role
from tests.sync.fleet import HERE, KEYS, NOW, TRUSTED, bundle, command, flipped, order, signed

FIRST = "0001-aa"
LOST = Moment(1000, trusted=False)  # no RTC, no network time: 1970


def judged(raw: bytes, moment: Moment = TRUSTED, memory: Memory | None = None) -> Verdict:
    return commands.decide(raw, KEYS, HERE, moment, memory or Memory())


def reason(raw: bytes, moment: Moment = TRUSTED, memory: Memory | None = None) -> Refused:
    verdict = judged(raw, moment, memory)
    assert isinstance(verdict, Refusal)
    return verdict.reason


def done(raw: bytes, memory: Memory, phase: JobPhase = JobPhase.SUCCEEDED, moment: Moment = TRUSTED) -> Memory:
    """The memory after the command was carried out."""
    verdict = judged(raw, moment, memory)
    assert isinstance(verdict, Order)
    known = Known(digest=verdict.digest, command=verdict.command.command, expires=verdict.command.expires, phase=phase)
    return commands.remember(commands.heard(memory, verdict.command.issued), verdict.command.id, known)


def test_a_good_command_is_carried_out_with_typed_arguments() -> None:
    verdict = judged(order("time.check", {"at_ms": 5}, "operator-1"))
    assert isinstance(verdict, Order)
    assert (verdict.args.at_ms, verdict.key.role) == (5, Role.OPERATOR)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tenant": "other"}, Refused.NOT_FOR_US),
        ({"boxes": ("b2",)}, Refused.NOT_FOR_US),
        ({"stores": ("s2",)}, Refused.NOT_FOR_US),
        ({"boxes": ("*",)}, Refused.NOT_FOR_US),
        ({"boxes": (), "stores": ("s1",)}, Refused.NOT_FOR_US),
        ({"boxes": ()}, Refused.NOT_FOR_US),
        ({"expires": NOW}, Refused.BAD_TIMES),
        ({"expires": NOW + VALID_MAX_S + 1}, Refused.BAD_TIMES),
        ({"issued": -5, "expires": NOW}, Refused.BAD_TIMES),
        ({"issued": NOW + SKEW_S + 1, "expires": NOW + 1000}, Refused.FROM_THE_FUTURE),
        ({"issued": NOW - 100, "expires": NOW - 1}, Refused.EXPIRED),
        ({"issued": NOW - 100, "expires": NOW}, Refused.EXPIRED),
        ({"v": 2}, Refused.VERSION),
    ],
)
def test_a_signed_command_that_is_not_ours_or_not_for_now_is_refused(fields: dict[str, Any], why: Refused) -> None:
    assert reason(signed(command(**fields))) is why


def test_a_command_to_all_boxes_of_a_store_is_for_us() -> None:
    assert isinstance(judged(signed(command(boxes=("*",), stores=("s0", "s1")))), Order)
    assert isinstance(judged(signed(command(boxes=("*",), stores=("*",)))), Order)
    assert isinstance(judged(signed(command(issued=NOW + SKEW_S, expires=NOW + 1000))), Order)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_wants_its_role(name: str) -> None:
    for key in ("operator-1", "owner-1", "keymaster-1"):
        verdict = judged(order(name, {"no": "such argument"}, key))
        assert isinstance(verdict, Refusal)
        allowed = KEYS[key].role >= COMMANDS[name].role
        assert verdict.reason is (Refused.BAD_ARGS if allowed else Refused.AUTHORITY)
        assert (verdict.signed, verdict.id, verdict.by) == (True, "c1", key)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("print", {"line": "line1", "blocks": []}),
        ("print", {"line": "line1", "blocks": [{"block": "text", "text": "cut\x1dV"}]}),
        ("print", {"line": "line1", "blocks": [{"block": "raw", "data": "1b40"}]}),
        ("print", {"line": "../x", "blocks": [{"block": "rule"}]}),
        ("resend", {"stream": "receipts", "epoch": "e", "first": 5, "last": 4}),
        ("resend", {"stream": "receipts", "epoch": "e", "first": 1, "last": 10**6}),
        ("keys.add", {"sealed": "not base64!"}),
        ("update", {"version": "1.2.3", "url": "http://x/y", "sha256": "0" * 64, "size": 1}),
        ("log.level", {"level": "loud"}),
        ("rules.set", {"revision": 0, "content": {}}),
        ("ping", {"text": "x" * 257}),
        ("time.check", []),
    ],
)
def test_arguments_of_another_shape_are_refused(name: str, args: Any) -> None:
    assert reason(order(name, args)) is Refused.BAD_ARGS


def test_a_command_nobody_knows_is_refused() -> None:
    assert reason(order("format.disk")) is Refused.UNKNOWN_COMMAND


def test_nesting_without_end_is_refused() -> None:
    body = command()
    deep = msgspec.structs.replace(body, args=msgspec.Raw(b'{"text":' + b"[" * 50_000 + b"]" * 50_000 + b"}"))
    assert reason(signed(deep)) is Refused.TOO_DEEP


def test_the_same_command_again_is_answered_and_not_done() -> None:
    raw = order(id="once")
    memory = done(raw, Memory())
    for moment in (TRUSTED, Moment(NOW + 10**6, trusted=True), LOST):
        verdict = judged(raw, moment, memory)
        assert isinstance(verdict, Again)
        assert verdict.known.phase is JobPhase.SUCCEEDED
    assert reason(order("restart", id="once"), memory=memory) is Refused.ID_REUSED


def test_a_forgotten_id_never_comes_back_whatever_the_clock_says() -> None:
    raw = order(id="old")
    memory = commands.forget(done(raw, Memory()), Moment(NOW + 601, trusted=True))
    assert memory.ids == {}
    for moment in (TRUSTED, LOST, Moment(NOW - 10**6, trusted=True), Moment(0, trusted=False)):
        verdict = judged(raw, moment, memory)
        assert isinstance(verdict, Refusal)
        assert verdict.reason in (Refused.EXPIRED, Refused.FROM_THE_FUTURE)


def test_an_id_is_kept_until_its_command_has_expired_and_while_it_runs() -> None:
    memory = done(order(id="a"), Memory())
    assert commands.forget(memory, Moment(NOW + 600, trusted=True)).ids
    assert commands.forget(memory, Moment(NOW + 10**9, trusted=False)).ids
    running = done(order(id="b"), Memory(), JobPhase.RUNNING)
    assert commands.forget(running, Moment(NOW + 10**6, trusted=True)).ids


def test_the_memory_says_when_it_is_full() -> None:
    known = Known(digest="", command="ping", expires=NOW + 600, phase=JobPhase.SUCCEEDED)
    full = Memory(ids={str(number): known for number in range(IDS_MAX)})
    assert commands.is_full(full)
    assert not commands.is_full(commands.forget(full, Moment(NOW + 601, trusted=True)))


def test_without_a_clock_the_newest_signature_is_the_time() -> None:
    memory = done(order(issued=NOW, expires=NOW + 600, id="new"), Memory(), moment=LOST)
    assert memory.issued == NOW
    assert reason(order(issued=NOW - 900, expires=NOW - 1, id="old"), LOST, memory) is Refused.EXPIRED
    assert isinstance(judged(order(issued=NOW - 900, expires=NOW + 1, id="still"), LOST, memory), Order)
    assert isinstance(judged(order(issued=NOW + 10**6, expires=NOW + 10**6 + 1, id="ahead"), LOST, memory), Order)


def test_one_wrong_time_in_a_signature_does_not_lock_the_box_for_ever() -> None:
    memory = commands.heard(Memory(), NOW + 10**8)
    assert reason(order(), LOST, memory) is Refused.EXPIRED
    assert isinstance(judged(order(), TRUSTED, memory), Order)


def test_a_lost_database_takes_no_command_from_before_it() -> None:
    memory = commands.begun(Memory(), "0001-aa", TRUSTED)
    assert isinstance(judged(order(), TRUSTED, memory), Order)
    later = Moment(NOW + 60, trusted=True)
    restored = commands.begun(memory, "0002-bb", later)
    assert reason(order(), later, restored) is Refused.BEFORE_MEMORY
    assert isinstance(judged(order(issued=NOW + 60, expires=NOW + 99, id="n"), later, restored), Order)


def test_a_memory_begun_without_a_clock_begins_again_with_one() -> None:
    memory = commands.begun(Memory(), FIRST, LOST)
    assert isinstance(judged(order(), LOST, memory), Order)
    memory = commands.begun(memory, FIRST, Moment(NOW + 5, trusted=True))
    assert (memory.since, memory.since_trusted) == (NOW + 5, True)
    assert commands.begun(memory, FIRST, Moment(NOW + 50, trusted=True)) is memory


@pytest.mark.parametrize("before", [Memory(), Memory(epoch=FIRST, since=5, since_trusted=True)])
def test_a_lost_database_and_no_clock_is_no_way_to_play_old_commands_again(before: Memory) -> None:
    """Whoever owns the broker has them all. A clock that says 1970 makes none of them expired."""
    memory = commands.begun(before, "0002-bb", LOST)
    assert reason(order(), LOST, memory) is Refused.BEFORE_MEMORY
    assert commands.begun(memory, "0002-bb", LOST) is memory
    memory = commands.begun(memory, "0002-bb", TRUSTED)
    assert reason(order(issued=NOW - 1), TRUSTED, memory) is Refused.BEFORE_MEMORY
    assert isinstance(judged(order(), TRUSTED, memory), Order)


BITS = st.integers(0, len(order()) * 8 - 1)


@given(BITS, st.sampled_from([TRUSTED, LOST]))
def test_no_changed_bit_makes_a_command(bit: int, moment: Moment) -> None:
    verdict = judged(flipped(order(), bit), moment)
    assert isinstance(verdict, Refusal)
    assert not verdict.signed
    assert verdict.id == ""


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-50, 700), st.booleans()), max_size=40))
def test_in_any_order_and_at_any_time_each_id_is_done_once(deliveries: list[tuple[int, int, bool]]) -> None:
    raws = [order(id=f"c{number}", issued=NOW - number, expires=NOW + 100 * number + 1) for number in range(5)]
    memory, ran = Memory(), []
    for number, offset, trusted in deliveries:
        moment = Moment(NOW + offset, trusted)
        memory = commands.forget(memory, moment)
        if isinstance(judged(raws[number], moment, memory), Order):
            ran.append(number)
            memory = done(raws[number], memory, moment=moment)
    assert len(ran) == len(set(ran))


@pytest.mark.parametrize("kind", BundleKind)
def test_a_bundle_wants_the_same_role_as_its_command(kind: BundleKind) -> None:
    raw = bundle(kind, 1, {})
    for name, key in KEYS.items():
        verdict = commands.decide_bundle(signed(raw, name), KEYS, HERE, TRUSTED)
        assert isinstance(verdict, Offer) == (key.role >= ROLE_OF_BUNDLE[kind])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tenant": "x"}, Refused.NOT_FOR_US),
        ({"boxes": ("b9",)}, Refused.NOT_FOR_US),
        ({"issued": NOW + SKEW_S + 1}, Refused.FROM_THE_FUTURE),
        ({"v": 9}, Refused.VERSION),
    ],
)
def test_a_bundle_for_others_is_refused(fields: dict[str, Any], why: Refused) -> None:
    verdict = commands.decide_bundle(signed(bundle(BundleKind.RULES, 1, {}, **fields)), KEYS, HERE, TRUSTED)
    assert isinstance(verdict, Refusal)
    assert verdict.reason is why


@pytest.mark.parametrize("phase", JobPhase)
def test_nothing_comes_after_a_last_step(phase: JobPhase) -> None:
    for last in commands.FINAL:
        assert not commands.may_follow(last, phase)
    assert commands.may_follow(JobPhase.QUEUED, JobPhase.RUNNING)
    assert not commands.may_follow(JobPhase.RUNNING, JobPhase.QUEUED)
