"""What a shop feels of an installed box, measured on it: `python3 -I feel.py`, as root, with nothing but the package.

Prints: cold start of the line to its first passed byte, kill -9 under a supervisor with no delay to the next passed
byte, and the memory of all processes together (proportional set size: shared pages counted once).
"""

from __future__ import annotations

import os
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROUNDS = 9
RECEIPT = b"\x1b@SHOP\nTOTAL 1.00\n\x1dV\x00"


class Printer(threading.Thread):
    """Takes everything, and says when."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.got = threading.Event()
        self.start()

    def run(self) -> None:
        while True:
            link, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        while link.recv(4096):
            self.got.set()


class Line:
    """Held as systemd holds it: the listening socket is ours, and it is started again at once."""

    def __init__(self, printer: int) -> None:
        self.till = socket.create_server(("127.0.0.1", 0))
        self._port = self.till.getsockname()[1]
        self._printer = printer
        self.process = self.begin()

    def begin(self) -> subprocess.Popen[bytes]:
        fd = self.till.fileno()
        script = 'exec 3<&"$0"; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
        ends = ["--till", f"tcp://0.0.0.0:{self._port}", "--printer", f"tcp://127.0.0.1:{self._printer}"]
        self.process = subprocess.Popen(["bash", "-c", script, str(fd), "edgebox-line", *ends], pass_fds=(fd,))
        return self.process

    def send(self) -> None:
        till = socket.create_connection(("127.0.0.1", self._port))
        till.sendall(RECEIPT)
        till.shutdown(socket.SHUT_WR)
        threading.Thread(target=lambda: (till.recv(10), till.close()), daemon=True).start()


def until_printed(printer: Printer, since: float) -> float:
    """Milliseconds."""
    if not printer.got.wait(10):
        raise SystemExit("nothing was printed")
    return (time.monotonic() - since) * 1000


def cold(printer: Printer) -> float:
    printer.got.clear()
    since = time.monotonic()
    line = Line(printer.port)
    line.send()
    took = until_printed(printer, since)
    line.process.terminate()
    line.process.wait()
    return took


def killed(printer: Printer, line: Line) -> float:
    printer.got.clear()
    os.kill(line.process.pid, signal.SIGKILL)
    since = time.monotonic()
    line.process.wait()
    line.begin()
    line.send()
    took = until_printed(printer, since)
    time.sleep(0.3)
    return took


def pss_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]


def memory() -> str:
    """Engine with page off, a line and a scanner, after they have settled."""
    with tempfile.TemporaryDirectory() as folder:
        sets = [f"engine.data={folder}/data", f"engine.socket={folder}/engine.sock"]
        sets += [f"engine.scan_socket={folder}/scan.sock"]
        command = ["edgebox", "run", *(word for one in sets for word in ("--set", one))]
        processes = [
            subprocess.Popen(command, stderr=subprocess.DEVNULL),
            subprocess.Popen(["edgebox-line", "--till", "tcp://127.0.0.1:0", "--printer", "file:/dev/null"]),
            subprocess.Popen(["edgebox-scan", "--scanner", "tcp://127.0.0.1:0", "--till", "file:/dev/null"]),
        ]
        time.sleep(4)
        gone = [process.args for process in processes if process.poll() is not None]
        if gone:
            raise SystemExit(f"ended: {gone}")
        sizes = [pss_kib(process.pid) for process in processes]
        for process in processes:
            process.terminate()
            process.wait()
    return (
        f"{sum(sizes) / 1024:.0f} MB (engine {sizes[0] // 1024}, line {sizes[1] // 1024}, scanner {sizes[2] // 1024})"
    )


def main() -> None:
    printer = Printer()
    cold(printer)
    starts = [cold(printer) for _ in range(ROUNDS)]
    line = Line(printer.port)
    line.send()
    until_printed(printer, time.monotonic())
    time.sleep(0.3)
    kills = [killed(printer, line) for _ in range(ROUNDS)]
    line.process.terminate()
    print(f"cold start to first passed byte: {statistics.median(starts):.0f} ms (most {max(starts):.0f})")
    print(f"kill -9 to next passed byte: {statistics.median(kills):.0f} ms (most {max(kills):.0f})")
    print(f"memory of all processes: {memory()}")


if __name__ == "__main__":
    main()
