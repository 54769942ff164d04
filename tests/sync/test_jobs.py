"""Commands done: once, written down at every step, answered, whatever the broker and the power do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebox.errors import OrderError, StoreFull
from edgebox.store.events import AuditRecord, Event, JobRecord, Stream
from edgebox.store.store import Store
from sync.commands import Moment, Offer, Refusal
from sync.contract import BundleKind, JobPhase, Reply
from sync.contract_commands import PingResult, Refused
from sync.jobs import HEARING_MAX, LANE_MAX, REFUSALS_PER_HOUR, Doing, Jobs
from sync.steps import Ended
from tests.sync.fleet import HERE, KEYS, NOW, TRUSTED, bundle, command, flipped, order, signed

SECRET = "c2VhbGVkc2VhbGVkc2VhbGVkc2VhbGVkc2VhbGVkc2VhbGVk"


class Box:
    """Jobs over a real store, with handlers that note what they did."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.moment = TRUSTED
        self.replies: list[tuple[Reply, str, bytes]] = []
        self.ran: list[str] = []
        self.offers: list[Offer] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.jobs = Jobs(HERE, KEYS, store, self.send, lambda: self.moment)
        self.jobs.take_bundle = self.take
        self.jobs.handlers = dict.fromkeys(("ping", "keys.add", "backup"), self.work) | {
            "time.check": self.fail,
            "restart": self.restart,
            "diag.bundle": self.chunks,
        }

    def send(self, reply: Reply, to: str | None, correlation: bytes | None) -> None:
        self.replies.append((reply, to or "", correlation or b""))

    async def take(self, offer: Offer) -> Refusal | None:
        self.offers.append(offer)
        return Refusal(Refused.OLD_REVISION, "old", True) if offer.bundle.revision == 1 else None

    async def work(self, doing: Doing) -> Ended:
        self.ran.append(doing.order.command.id)
        await self.go_on.wait()
        return Ended(JobPhase.SUCCEEDED, result=PingResult(text="here"))

    async def fail(self, doing: Doing) -> Ended:
        raise RuntimeError("a secret in the words")

    async def restart(self, doing: Doing) -> None:
        self.ran.append(doing.order.command.id)

    async def chunks(self, doing: Doing) -> Ended:
        await doing.tell(0.5, "half")
        await doing.tell(0.5, result=PingResult(text="chunk"))
        return Ended(JobPhase.SUCCEEDED)

    def states(self, job: str = "c1") -> list[str]:
        return [reply.state.value for reply, _, _ in self.replies if reply.id == job]

    def last(self) -> Reply:
        return self.replies[-1][0]

    async def until(self, done: Callable[[], bool]) -> None:
        for _ in range(2000):
            if done():
                return
            await asyncio.sleep(0.001)
        raise AssertionError("it never came")

    async def until_state(self, state: str, job: str = "c1") -> None:
        await self.until(lambda: state in self.states(job))


@contextlib.asynccontextmanager
async def box(folder: Path, **opened: Any) -> AsyncIterator[Box]:
    store = await asyncio.to_thread(Store.open, folder)
    found = Box(store)
    await found.jobs.open(epoch=opened.pop("epoch", "e1"), **opened)
    try:
        yield found
    finally:
        await found.jobs.close()
        await store.close()


async def rows(store: Store, stream: Stream) -> list[str]:
    return [row.body.decode() for row in await store.rows(stream, None, limit_rows=1000, limit_bytes=1 << 24)]


def test_a_command_is_written_down_done_and_answered_at_every_step(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.command(order(), "fleet/answers", b"\x07")
            assert await shop.store.job("c1") is not None
            await shop.until_state("succeeded")
            assert shop.states() == ["queued", "running", "succeeded"]
            assert {(to, correlation) for _, to, correlation in shop.replies} == {("fleet/answers", b"\x07")}
            assert shop.last().result == {"text": "here"}
            states = [msgspec.json.decode(row, type=JobRecord).state for row in await rows(shop.store, Stream.JOBS)]
            assert states == ["queued", "running", "succeeded"]

    asyncio.run(play())


def test_the_same_command_again_is_answered_and_not_done_also_after_a_restart(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.command(order())
            await shop.until_state("succeeded")
            await shop.jobs.command(order())
        async with box(tmp_path) as later:
            later.moment = Moment(NOW + 10**6, trusted=True)
            await later.jobs.command(order(), "again", b"2")
            reply, to, correlation = later.replies[-1]
            assert (reply.state, reply.result, to, correlation) == (JobPhase.SUCCEEDED, {"text": "here"}, "again", b"2")
            assert (shop.ran, later.ran) == (["c1"], [])

    asyncio.run(play())


def test_messages_that_a_dying_disk_never_writes_down_do_not_pile_up(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            stuck = asyncio.Event()
            record = shop.store.record

            async def never(*events: Event) -> Any:
                await stuck.wait()
                return await record(*events)

            shop.store.record = never  # type: ignore[method-assign]
            for number in range(HEARING_MAX + 5):
                with contextlib.suppress(TimeoutError, OrderError):
                    async with asyncio.timeout(0.001):
                        await shop.jobs.command(order(id=f"c{number}"))
            assert shop.jobs.counters["not heard"] == 5
            assert len(shop.jobs._hearing) == HEARING_MAX
            stuck.set()
            await shop.until(lambda: not shop.jobs._hearing)

    asyncio.run(play())


def test_a_command_in_the_middle_of_a_power_cut_is_not_begun_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            shop.go_on.clear()
            await shop.jobs.command(order("backup"), "fleet/answers", b"9")
            await shop.until(lambda: shop.ran == ["c1"])
        async with box(tmp_path) as later:
            reply, to, correlation = later.replies[-1]
            assert (reply.state, reply.reason) == (JobPhase.FAILED, "interrupted")
            assert (to, correlation) == ("fleet/answers", b"9")
            await later.jobs.command(order("backup"))
            assert later.last().reason == "interrupted"
            assert later.ran == []

    asyncio.run(play())


def test_a_restart_has_succeeded_when_the_box_is_back(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.command(order("restart"))
            await shop.until(lambda: shop.ran == ["c1"])
        async with box(tmp_path) as later:
            assert later.states() == ["succeeded"]

    asyncio.run(play())


def test_a_command_that_goes_on_over_a_restart_ends_as_it_is_told(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.command(order("restart"))
            await shop.until(lambda: shop.ran == ["c1"])
        async with box(tmp_path, ends={"c1": None}) as later:
            assert later.states() == []
            await later.jobs.finish("c1", Ended(JobPhase.FAILED, "health"))
            await later.jobs.finish("c1", Ended(JobPhase.SUCCEEDED))
            assert later.states() == ["failed"]

    asyncio.run(play())


def test_a_fault_ends_the_command_and_quotes_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.command(order("time.check", {"at_ms": 1}))
            await shop.until_state("failed")
            assert (shop.last().reason, "secret" in shop.last().words) == ("fault", False)
            await shop.jobs.command(order(id="c2"))
            await shop.until_state("succeeded", "c2")

    asyncio.run(play())


def test_a_command_that_waited_too_long_is_not_done(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            shop.go_on.clear()
            await shop.jobs.command(order("backup", id="slow"))
            await shop.jobs.command(order("backup", id="late", expires=NOW + 5))
            await shop.until(lambda: shop.ran == ["slow"])
            shop.moment = Moment(NOW + 6, trusted=True)
            shop.go_on.set()
            await shop.until_state("expired", "late")
            assert shop.ran == ["slow"]

    asyncio.run(play())


def test_a_slow_command_keeps_no_question_waiting(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            shop.go_on.clear()
            await shop.jobs.command(order("backup", id="slow"))
            shop.jobs.handlers = {**shop.jobs.handlers, "ping": shop.chunks}
            await shop.jobs.command(order(id="quick"))
            await shop.until_state("succeeded", "quick")
            assert shop.states("slow")[-1] == "running"

    asyncio.run(play())


def test_chunks_are_sent_and_only_steps_are_written_down(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.command(order("diag.bundle"))
            await shop.until_state("succeeded")
            assert shop.states() == ["queued", "running", "running", "running", "succeeded"]
            assert not any("chunk" in row for row in await rows(shop.store, Stream.JOBS))

    asyncio.run(play())


def test_too_many_commands_are_refused_and_may_be_sent_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            shop.go_on.clear()
            for number in range(LANE_MAX + 1):
                await shop.jobs.command(order("backup", id=f"c{number}"))
                await shop.until(lambda: bool(shop.ran))
            await shop.jobs.command(order("backup", id="more"))
            assert (shop.last().id, shop.last().reason) == ("more", "busy")
            shop.go_on.set()
            await shop.until_state("succeeded", f"c{LANE_MAX}")
            await shop.jobs.command(order("backup", id="more"))
            await shop.until_state("succeeded", "more")

    asyncio.run(play())


def test_what_cannot_be_written_down_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*events: Event) -> None:
        raise StoreFull("no room", reason="disk")

    async def play() -> None:
        async with box(tmp_path) as shop:
            with monkeypatch.context() as patched:
                patched.setattr(shop.store, "record", full)
                await shop.jobs.command(order())
                assert (shop.last().state, shop.last().reason) == (JobPhase.REJECTED, "no_store")
            await shop.jobs.command(order())
            await shop.until_state("succeeded")
            assert shop.ran == ["c1"]

    asyncio.run(play())


def test_who_stops_listening_does_not_tear_a_command_apart(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            impatient = asyncio.create_task(shop.jobs.command(order()))
            await asyncio.sleep(0)
            impatient.cancel()
            await shop.until_state("succeeded")
            assert shop.ran == ["c1"]

    asyncio.run(play())


@pytest.mark.parametrize(
    ("raw", "why", "name"),
    [
        (signed(command(), "stranger", name="owner-1"), "signature", ""),
        (order(key="stranger"), "unknown_key", ""),
        (signed(command(tenant="other")), "not_for_us", "c1"),
        (signed(command(issued=NOW - 9, expires=NOW - 1)), "before_memory", "c1"),
        (order("format.disk"), "unknown_command", "c1"),
        (order("ping", {"text": 5}), "bad_args", "c1"),
        (order("rules.set", {"revision": 1, "content": {}}, "operator-1"), "authority", "c1"),
        (b"[" * 300_000, "too_large", ""),
    ],
)
def test_each_refusal_is_answered_and_stands_in_the_audit(tmp_path: Path, raw: bytes, why: str, name: str) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.command(raw, "topic/of/the/broker", b"1")
            ((reply, to, _),) = shop.replies
            assert (reply.id, reply.state, reply.reason) == (name, JobPhase.REJECTED, why)
            assert to == ("topic/of/the/broker" if name else "")
            (row,) = await rows(shop.store, Stream.AUDIT)
            assert msgspec.json.decode(row, type=AuditRecord).reason == why
            assert shop.ran == []
            assert shop.jobs.counters[f"refused {why}"] == 1

    asyncio.run(play())


def test_a_flood_of_forged_messages_fills_neither_disk_nor_wire_and_is_counted(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            for number in range(500):
                await shop.jobs.command(flipped(order(), number + 400))
            told = len(await rows(shop.store, Stream.AUDIT))
            assert told == len(shop.replies) <= REFUSALS_PER_HOUR + 1
            assert sum(count for word, count in shop.jobs.counters.items() if word.startswith("refused")) == 500
            shop.jobs._allowance._left = 1.0
            await shop.jobs.command(b"x")
            assert f"and {500 - told} more before it" in shop.last().words

    asyncio.run(play())


def test_sealed_arguments_and_texts_to_print_are_never_written_down(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.command(order("keys.add", {"sealed": SECRET}))
            await shop.until_state("succeeded")

    asyncio.run(play())
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_bundle_that_is_refused_is_told_like_a_command(tmp_path: Path) -> None:
    async def play() -> None:
        async with box(tmp_path) as shop:
            await shop.jobs.desired(signed(bundle(BundleKind.RULES, 2, {})))
            assert [offer.bundle.revision for offer in shop.offers] == [2]
            assert shop.replies == []
            await shop.jobs.desired(signed(bundle(BundleKind.RULES, 1, {})))
            await shop.jobs.desired(signed(command()))
            assert [reply.reason for reply, _, _ in shop.replies] == ["old_revision", "signature"]

    asyncio.run(play())


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(st.one_of(st.integers(0, 4), st.just("restart")), min_size=1, max_size=12))
def test_in_any_order_of_deliveries_and_restarts_each_id_runs_at_most_once(
    tmp_path_factory: pytest.TempPathFactory, deliveries: list[int | str]
) -> None:
    folder, ran, sent = tmp_path_factory.mktemp("box"), [], set()

    async def play() -> None:
        left = list(deliveries)
        while left:
            async with box(folder) as shop:
                while left and (what := left.pop(0)) != "restart":
                    await shop.jobs.command(order(id=f"c{what}"))
                    sent.add(f"c{what}")
                for _ in range(20):
                    await asyncio.sleep(0)
            ran.extend(shop.ran)

    asyncio.run(play())
    assert len(ran) == len(set(ran))
    assert set(ran) <= sent
