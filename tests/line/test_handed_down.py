"""The till's socket is held by whoever starts the line: a line that dies costs no till its connection."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.line.box import until

RECEIPT = b"\x1b@SHOP\nTOTAL 12.00\n\x1dV\x00"


class Supervisor:
    """systemd's part: holds the listener, starts the line, and again at once when it ends."""

    def __init__(self, paper: Path, till: str = "") -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.starts = 0
        self.pid = 0
        self._url = till or f"tcp://0.0.0.0:{self.port}?allow=127.0.0.1"
        self._paper = paper
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        script = 'exec 3<&"$0"; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
        fd = self.listener.fileno()
        line = [sys.executable, "-m", "edgebox.line.daemon", "--till", self._url, "--printer", f"file:{self._paper}"]
        while self._running:
            process = subprocess.Popen(["bash", "-c", script, str(fd), *line], pass_fds=(fd,), stderr=subprocess.PIPE)
            self.pid, self.starts = process.pid, self.starts + 1
            assert process.stderr is not None
            self.said = process.stderr.read().decode()
            process.stderr.close()
            process.wait()

    def stop(self) -> None:
        self._running = False
        os.kill(self.pid, signal.SIGTERM)
        self._thread.join(5)
        self.listener.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "paper")
    yield made
    made.stop()


def send(port: int) -> None:
    """A receipt, as a till sends it: the box takes it, and closes behind it."""
    with socket.create_connection(("127.0.0.1", port), 5) as till:
        till.sendall(RECEIPT)
        till.shutdown(socket.SHUT_WR)
        till.settimeout(5)
        assert till.recv(1) == b""


def printed(paper: Path) -> int:
    return paper.read_bytes().count(RECEIPT) if paper.exists() else 0


def test_a_till_that_comes_while_the_line_is_dead_waits_and_prints(supervisor: Supervisor, tmp_path: Path) -> None:
    paper = tmp_path / "paper"
    send(supervisor.port)
    for kills in range(1, 4):
        os.kill(supervisor.pid, signal.SIGKILL)
        began = time.monotonic()
        send(supervisor.port)  # not refused, not reset
        until(lambda wanted=kills + 1: printed(paper) == wanted, "printed")  # type: ignore[misc]
        assert time.monotonic() - began < 5.0
    assert supervisor.starts == 4


def test_another_ports_socket_is_left_alone_and_said(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    supervisor = Supervisor(tmp_path / "paper", f"tcp://127.0.0.1:{free}")
    until(lambda: supervisor.pid > 0 and _listens(free), "its own port")
    send(free)
    supervisor.stop()
    assert printed(tmp_path / "paper") == 1
    assert f"is of port {supervisor.port}, not of {free}" in supervisor.said


def _listens(port: int) -> bool:
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text(encoding="ascii")
