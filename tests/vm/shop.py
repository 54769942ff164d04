"""A shop in the guest: set up as an installer would, with a printer on the network, and what tests ask of it.

Owns: the answers given to `edgebox setup`, the simulated printer's service, and receipts to print. Everything else in
the guest is as the package left it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from hw_sim import cloud_keys, layouts
from hw_sim.receipt_words import shop
from tests.vm.machine import Machine

PROGRAMS = Path(__file__).parent / "guest" / "programs"
PUT = "/usr/local/lib/edgebox-sim/programs"  # where the guest has them
TILL_PORT = 9100
LAYOUT = "crlf"  # of hw_sim/layouts.py: a plain sale, cut at the end
CLAIM = b"HTTPS://M.EXAMPLE.CN/C/"  # before every claim on paper (hw_sim/cloud_keys.py)
ANSWERS = """\
shop = "Corner Shop"
currency = "GBP"
language = "en"
till = "tcp://0.0.0.0:9100"
printer = "tcp://127.0.0.1:9101"
profile = "epson-tm-t88"
"""
PRINTER_UNIT = f"""\
[Unit]
Description=the shop's printer
DefaultDependencies=no
After=local-fs.target
Before=edgebox-line@line1.service
[Service]
ExecStart=/usr/local/sbin/sim-python {PUT}/printer.py
Restart=always
OOMScoreAdjust=-900
[Install]
WantedBy=sysinit.target
"""


def settle(guest: Machine) -> None:
    """Boot is over."""
    guest.sh("systemctl is-system-running --wait || true", timeout=180)
    guest.sh("modprobe loop; mkdir -p /data; python3 -c 'import sqlite3, socket, json, subprocess'")


def open_shop(guest: Machine) -> None:
    """`edgebox setup` with answers; keys as a cloud would give; one receipt printed, so that all is warm."""
    put_programs(guest)
    guest.put("/etc/systemd/system/sim-printer.service", PRINTER_UNIT.encode())
    guest.put("/root/answers.toml", ANSWERS.encode())
    with tempfile.TemporaryDirectory() as folder:
        now = int(float(guest.sh("date +%s")))
        out = Path(folder) / "keys.toml"
        cloud_keys.provision(Path(folder) / "cloud", out, store=4711, device=12, now=now)
        guest.put("/etc/edgebox/keys.toml", out.read_bytes())
    guest.sh("chown edgebox:edgebox /etc/edgebox/keys.toml; chmod 600 /etc/edgebox/keys.toml")
    guest.sh("systemctl enable -q --now sim-printer.service; edgebox setup --answers /root/answers.toml", timeout=180)
    guest.until("systemctl is-active edgebox.service edgebox-line@line1.service", 120)
    guest.until(f"[ -S /run/edgebox/engine.sock ] && ss -ltn | grep -q :{TILL_PORT}", 60)
    print_receipts(guest, 1)


def put_programs(guest: Machine) -> None:
    """Everything of tests/vm/guest/programs."""
    for path in sorted(PROGRAMS.glob("*.py")):
        guest.put(f"{PUT}/{path.name}", path.read_bytes())


def quick_printer(guest: Machine) -> None:
    """In place of the simulated printer one that only takes bytes, and says when (programs/sink.py)."""
    program = f"/usr/bin/python3 -I -S {PUT}/sink.py"
    drop_in = f"[Service]\nExecStart=\nExecStart={program}\n"
    guest.put("/etc/systemd/system/sim-printer.service.d/quick.conf", drop_in.encode())
    guest.sh("systemctl daemon-reload; systemctl restart sim-printer.service")
    guest.until("ss -ltn | grep -q 127.0.0.1:9101", 30)


def receipts(count: int, seed: int = 1) -> list[bytes]:
    """What a till sends for so many sales, each another one."""
    its = shop("en")
    return [layouts.compose(LAYOUT, its, seed * 1000 + number).raw for number in range(count)]


def print_receipts(guest: Machine, count: int, seed: int = 1, timeout: float = 90) -> None:
    """The till prints, and all of it has come out of the printer."""
    before = tickets(guest)
    files = []
    for number, raw in enumerate(receipts(count, seed)):
        files.append(f"/run/till-{seed}-{number}.bin")
        guest.put(files[-1], raw)
    guest.sh(f"python3 -I {PUT}/till.py --wait 30 {' '.join(files)}", timeout=timeout)
    wait_for_tickets(guest, before + count, timeout)


def prints_until_a_slip(guest: Machine, seconds: float) -> float:
    """Receipts, one after the other, until one has a slip; how long that took."""
    began = time.monotonic()
    seen, seed = len(paper(guest)), 500
    while time.monotonic() - began < seconds:
        print_receipts(guest, 1, seed=seed)
        if CLAIM in paper(guest)[seen:]:
            break
        seed += 1
    return time.monotonic() - began


def tickets(guest: Machine) -> int:
    """Papers cut since the printer was switched on."""
    return int(guest.sh("cat /run/sim/tickets 2>/dev/null || echo 0").strip() or 0)


def wait_for_tickets(guest: Machine, count: int, timeout: float = 60) -> None:
    """AssertionError with the printer's faults when they don't come."""
    end = time.monotonic() + timeout
    while (now := tickets(guest)) < count:
        assert time.monotonic() < end, f"{now} of {count} papers: {guest.run('cat /run/sim/faults')[1]!r}"
        time.sleep(0.2)


def paper(guest: Machine) -> bytes:
    """All that the printer was sent since it was switched on."""
    return guest.get("/run/sim/paper.bin")
