"""A line that can't start says why, in one line, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--till", "tcp://127.0.0.1:0"], "--printer is missing"),
        (["--till", "carrier-pigeon:", "--printer", "tcp://127.0.0.1:9"], "carrier-pigeon"),
        (["--till", "tcp://127.0.0.1:0", "--printer", "tcp://127.0.0.1:9", "--set", "answer_ms=soon"], "answer_ms"),
        (["--till", "tcp://127.0.0.1:0", "--printer", "tcp://127.0.0.1:9", "--set", "window_bytes=0"], "window_bytes"),
        (["--till", "tcp://127.0.0.1:0", "--printer", "tcp://127.0.0.1:9", "--profile", "none-such"], "none-such"),
        (["--config", "/nowhere.toml"], "/nowhere.toml"),
        (["--frobnicate"], "--frobnicate"),
        (["--till"], "needs a value"),
        (["--till", "serial:///dev/nowhere?baud=9600&flow=none", "--printer", "tcp://127.0.0.1:9"], "/dev/nowhere"),
    ],
)
def test_bad_arguments_are_said_plainly(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "edgebox.line.daemon", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert run.returncode == 2
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_line_without_its_till_does_not_keep_a_core_busy_under_systemd(tmp_path: Path) -> None:
    """RestartSec=0 begins anew at once: so it ends a second later."""
    command = [sys.executable, "-m", "edgebox.line.daemon", "--till", "gadget:///dev/nowhere"]
    began = time.monotonic()
    run = subprocess.run(
        [*command, "--printer", "tcp://127.0.0.1:9"], capture_output=True, text=True, timeout=10, check=False,
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "nobody")},
    )  # fmt: skip
    assert run.returncode == 2
    assert time.monotonic() - began >= 1.0


def test_help_shows_every_flag() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "edgebox.line.daemon", "--help"], capture_output=True, text=True, timeout=10, check=True
    )
    assert all(f"--{flag}" in run.stdout for flag in ("till", "printer", "engine", "name", "config", "profile", "set"))


def test_a_line_goes_on_without_a_receipt_profile_that_is_not_there(tmp_path: Path) -> None:
    capture, paper = tmp_path / "till.bin", tmp_path / "paper.bin"
    capture.write_bytes(b"HELLO\n\n\n\x1dV\x00")
    command = [sys.executable, "-m", "edgebox.line.daemon", f"--till=file:{capture}", f"--printer=file:{paper}"]
    process = subprocess.Popen([*command, "--set=receipts=none-such"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert "goes on without its receipt profile" in process.stderr.readline()
        deadline = time.monotonic() + 10
        while not (paper.exists() and paper.read_bytes() == capture.read_bytes()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()
