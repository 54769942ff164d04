"""The whole way of a print job: cloud, a real mosquitto, the engine, the line, a printer; and kills at each state."""

from __future__ import annotations

import base64
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hw_sim.cloud.broker import PACKAGE, find_mosquitto
from hw_sim.cloud.cloud import Cloud
from hw_sim.receipt_words import shop
from hw_sim.scenario import BOX, Scenario
from sync.contract import Command, JobPhase, Reply
from sync.contract_commands import Role

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason=f"Debian's {PACKAGE} is not installed")
WAIT_S = 20.0
NAME = BOX.box
PICTURE = b"\x1dv0\x00\x48\x00\x30\x02" + b"\x80" * 72 * 560  # 70 mm, 40 KB
LONG = base64.b64encode(b"a long paper\n" + PICTURE).decode()
SLOW = 50_000.0  # bytes a second: two such papers take 1.6 s


class Shop(Scenario):
    """A shop whose processes are killed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, shop("en"), "epson-tm-t20")

    @property
    def head(self) -> Cloud:
        assert self.cloud is not None
        return self.cloud

    def kill(self, number: int) -> None:
        self._processes[number].send_signal(signal.SIGKILL)
        self._processes[number].wait(10)

    def kill_engine(self) -> None:
        """And what supervises it begins it anew."""
        self.kill(0)
        (self.folder / "engine.sock").unlink()
        self._start("engine", "edgebox.cli", "run", "--config", str(self.folder / "edgebox.toml"))
        self._processes[0] = self._processes.pop()
        self._wait_for(self.folder / "engine.sock")

    def kill_line(self) -> None:
        self.kill(1)
        self._start("line", "edgebox.line.daemon", "--config", str(self.folder / "edgebox.toml"))
        self._processes[1] = self._processes.pop()

    def give(self, name: str, args: dict[str, Any], expires_s: int = 300) -> Command:
        """Commands, and does not wait."""
        found = self.head.fleet.command(name, args, (self.head.registry.boxes[NAME],), expires_s=expires_s)
        self.head.publish(found, role=Role.OPERATOR)
        return found

    def states(self, command: Command) -> list[str]:
        return [reply.state.value for reply in self.head.fleet.replies(NAME, command.id)]

    def until(self, command: Command, state: str) -> None:
        fleet = self.head.fleet
        assert fleet.wait(lambda: state in self.states(command), WAIT_S), self.states(command)

    def end(self, command: Command) -> Reply:
        fleet = self.head.fleet
        assert fleet.wait(lambda: fleet.outcome(NAME, command.id) is not None, WAIT_S), self.states(command)
        reply = fleet.outcome(NAME, command.id)
        assert reply is not None
        return reply

    def paper(self, *, is_there: bool) -> None:
        assert self._printer is not None
        with self._printer.printer() as (printer, now):
            (printer.load_paper if is_there else printer.remove_paper)(now)

    def slow_wire(self) -> None:
        """The printer takes its time from here on."""
        assert self._printer is not None
        self._printer._bytes_per_s = SLOW

    def on_paper(self, words: str) -> int:
        """How often, on tickets that are cut."""
        return sum(words in ticket.text for ticket in self._printer_report().tickets)

    def until_printed(self, words: str, count: int) -> None:
        end = time.monotonic() + WAIT_S
        while self.on_paper(words) < count:
            assert time.monotonic() < end, f"{self.on_paper(words)} times {words}"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for all stories here: it takes two seconds to open."""
    with Shop(tmp_path_factory.mktemp("shop") / "demo") as found:
        assert found.head.wait(lambda: found.head.fleet.is_online(NAME), WAIT_S)
        yield found


@pytest.fixture(autouse=True)
def with_paper(running: Shop) -> Iterator[None]:
    """Whatever became of a story, the next one begins with paper in the printer."""
    yield
    running.paper(is_there=True)


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"blocks": [{"block": "text", "text": words}], **more}


def test_a_paper_is_printed_once_however_often_it_is_sent(running: Shop) -> None:
    commands = [running.give("print", text("hello", job_id="one", copies=2)) for _ in range(3)]
    assert [running.end(one).state for one in commands] == [JobPhase.SUCCEEDED] * 3
    running.until_printed("hello", 2)
    running.kill_engine()
    assert running.end(running.give("print", text("hello", job_id="one", copies=2))).state is JobPhase.SUCCEEDED
    assert running.on_paper("hello") == 2
    states = [b'"queued"', b'"running"', b'"succeeded"']
    mine = commands[0].id.encode()

    def recorded() -> bool:
        events = [event for event in running.head.ledger.events(NAME, "jobs") if mine in event]
        return all(any(state in event for event in events) for state in states)

    assert running.head.wait(recorded, WAIT_S)


def test_without_paper_a_job_expires_or_is_canceled_and_nothing_pours_out_with_the_next_roll(running: Shop) -> None:
    running.paper(is_there=False)
    late = running.give("print", text("too late", expires_at=int(time.time()) + 5))
    unwanted = running.give("order", {"order": "u", "number": "7", "items": [{"name": "Tea"}]})
    running.until(late, "queued")
    running.kill_engine()  # while the line has it, and waits for paper
    assert running.end(running.give("print.cancel", {"order": "u"})).state is JobPhase.SUCCEEDED
    assert running.end(unwanted).state is JobPhase.CANCELED
    assert running.end(late).state is JobPhase.EXPIRED
    wanted = running.give("print", text("still wanted"))
    running.until(wanted, "queued")
    running.paper(is_there=True)
    assert running.end(wanted).state is JobPhase.SUCCEEDED
    running.until_printed("still wanted", 1)
    assert (running.on_paper("too late"), running.on_paper("Order 7")) == (0, 0)


def test_a_printer_that_is_unplugged_prints_only_what_is_still_wanted(running: Shop) -> None:
    assert running._printer is not None
    running._printer.unplug()
    late = running.give("print", text("unplugged", expires_at=int(time.time()) + 2))
    wanted = running.give("order", {"order": "w", "number": "31", "items": [{"name": "Soup", "count": 3}]})
    assert running.end(late).state is JobPhase.EXPIRED
    running._printer.plug()
    assert running.end(wanted).state is JobPhase.SUCCEEDED
    running.until_printed("Soup", 1)
    assert (running.on_paper("unplugged"), running.on_paper("COPY")) == (0, 0)


def test_an_engine_killed_while_a_paper_is_printed_learns_from_the_line_that_it_was(running: Shop) -> None:
    running.slow_wire()
    long = running.give("print", {"raw": LONG, "copies": 2})
    running.until(long, "running")
    running.kill_engine()
    reply = running.end(long)
    assert (reply.state, reply.result.get("is_copy", False)) == (JobPhase.SUCCEEDED, False)
    running.until_printed("a long paper", 2)
    assert running.on_paper("COPY") == 0


def test_a_line_killed_while_a_paper_is_printed_leaves_it_unknown_or_a_copy(running: Shop) -> None:
    running.slow_wire()
    unknown = running.give("print", {"raw": LONG, "copies": 2})
    running.until(unknown, "running")
    running.kill_line()
    reply = running.end(unknown)
    assert (reply.state, reply.reason) == (JobPhase.FAILED, "unknown")
    again = running.give("print", {"raw": LONG, "again": "copy", "copies": 2, "job_id": "again"})
    running.until(again, "running")
    running.kill_line()
    reply = running.end(again)
    assert (reply.state, reply.result["is_copy"]) == (JobPhase.SUCCEEDED, True)
    running.until_printed("COPY", 2)
