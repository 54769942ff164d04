"""Asking a USB printer's port: in a thread, so that a printer that answers late holds up nobody."""

import threading
import time
from collections.abc import Callable

import pytest

from drivers import port_status
from drivers.port_status import SILENT_MAX, PortStatus, StatusWatch

PATIENCE_S = 5.0


def until(wanted: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not wanted():
        assert time.monotonic() < end, what
        time.sleep(0.001)


class Port:
    """`lets_answer`: set, it answers at once. `closed`: it was let go, while it was (`in_use`) or wasn't asked."""

    def __init__(self) -> None:
        self.lets_answer = threading.Event()
        self.lets_answer.set()
        self.answer: PortStatus | None = PortStatus.SELECTED
        self.asked = 0
        self.is_asked = False
        self.closed: list[bool] = []

    def ask(self) -> PortStatus | None:
        assert not self.closed, "asked after it was closed"
        self.is_asked, self.asked = True, self.asked + 1
        self.lets_answer.wait(PATIENCE_S)
        self.is_asked = False
        return self.answer

    def close(self) -> None:
        self.closed.append(self.is_asked)


def test_what_it_says_is_heard_and_what_it_says_next() -> None:
    port = Port()
    watch = StatusWatch(port.ask, 0.001)
    until(lambda: watch.last is PortStatus.SELECTED, "heard")
    port.answer = PortStatus.PAPER_EMPTY
    until(lambda: watch.last is PortStatus.PAPER_EMPTY, "heard again")
    watch.end(port.close)
    assert port.closed == [False], "at once"


def test_a_question_that_is_out_is_never_closed_under() -> None:
    port = Port()
    port.lets_answer.clear()
    watch = StatusWatch(port.ask, 0.001)
    until(lambda: port.is_asked, "a question is out")
    begun = time.monotonic()
    watch.end(port.close)
    assert time.monotonic() - begun < 0.5, "nobody waits for it"
    assert port.closed == []
    port.lets_answer.set()
    until(lambda: port.closed == [False], "closed by the thread, behind the answer")


def test_a_printer_without_that_request_is_not_asked_for_ever() -> None:
    port = Port()
    port.answer = None
    watch = StatusWatch(port.ask, 0.001)
    until(lambda: port.asked == SILENT_MAX, "asked")
    time.sleep(0.02)
    assert (port.asked, watch.last) == (SILENT_MAX, None)
    watch.end(port.close)
    assert port.closed == [False]


def test_a_printer_that_was_slow_once_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is asked, the kernel makes the till's bytes wait."""
    monkeypatch.setattr(port_status, "SLOW_S", 0.1)
    port = Port()
    watch = StatusWatch(port.ask, 0.001)
    until(lambda: watch.last is PortStatus.SELECTED, "heard")
    port.lets_answer.clear()
    until(lambda: port.is_asked, "a question is out")
    time.sleep(0.11)
    port.lets_answer.set()
    until(lambda: watch.last is None, "what it said is too old to be told")
    asked = port.asked
    time.sleep(0.02)
    assert port.asked == asked
    watch.end(port.close)
    assert port.closed == [False]


def test_however_it_ends_it_is_closed_once() -> None:
    for number in range(200):
        port = Port()
        watch = StatusWatch(port.ask, 0.0)
        until(lambda asked=port, least=number % 3: asked.asked > least, "asked")
        watch.end(port.close)
        until(lambda closed=port.closed: closed, "closed")
        assert port.closed == [False]
