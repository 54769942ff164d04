"""systemd hears when a process is ready and that its work goes on; a hung one is silent. Real datagrams."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebox.alive import Alive
from tests.dataplane import Process, until


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """systemd's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(manager: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


def told(manager: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.getsockname(), **more}


def test_it_is_told_as_often_as_the_watchdog_wants_and_no_more(manager: socket.socket) -> None:
    alive = Alive(told(manager, WATCHDOG_USEC="6000000"))
    assert alive.every_s == 2.0
    for tick in range(100):
        alive.worked(1000.0 + tick / 10)
    assert heard(manager) == ["WATCHDOG=1"] * 5
    alive.ready("two lines")
    alive.stopping()
    assert heard(manager) == ["READY=1\nSTATUS=two lines", "STOPPING=1"]
    alive.close()
    alive.worked(5000.0)
    assert heard(manager) == []


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}, {"WATCHDOG_USEC": "1000000"}],
)
def test_without_systemd_nothing_happens(environment: dict[str, str]) -> None:
    alive = Alive(environment)
    alive.ready()
    alive.worked(1e9)
    assert alive.every_s == 0.0


@pytest.mark.parametrize("more", [{"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_for_somebody_else_is_not_ours(manager: socket.socket, more: dict[str, str]) -> None:
    alive = Alive(told(manager, **more))
    alive.worked(1e9)
    assert heard(manager) == []
    alive.close()


def test_a_manager_that_has_gone_stops_nobody(tmp_path: Path) -> None:
    alive = Alive({"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "3000000"})
    alive.ready()
    alive.worked(10.0)
    assert alive.due_at == 11.0, "it goes on as if somebody listened"
    alive.close()


@pytest.mark.parametrize("module", ["edgebox.line.daemon", "edgebox.scan.daemon"])
def test_a_data_plane_says_that_it_is_ready_and_alive_and_a_stopped_one_is_silent(
    manager: socket.socket, module: str
) -> None:
    environment = {**os.environ, **told(manager, WATCHDOG_USEC="300000")}
    said: list[str] = []
    first, last = ("--till", "--printer") if "line" in module else ("--scanner", "--till")
    with Process(module, first, "tcp://127.0.0.1:0", last, "file:/dev/null", env=environment) as line:
        until(lambda: bool(said.extend(heard(manager)) or said.count("WATCHDOG=1") >= 3), "three signs of life")
        assert said[0].startswith("READY=1")
        os.kill(line.pid, signal.SIGSTOP)
        time.sleep(0.05)
        heard(manager)
        time.sleep(0.3)
        assert heard(manager) == [], "a hung line would be started anew"
        os.kill(line.pid, signal.SIGCONT)
        line.terminate()
    assert "STOPPING=1" in heard(manager)
