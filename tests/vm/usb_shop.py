"""A shop on USB in the guest: till → the box's own port → line → printer, each cable a real one of the kernel's.

Owns: setting it up, and asking its till and its printer. dummy_hcd gives the guest three cables: on the first hangs the
box as a gadget, with the guest's own usblp as the till; on the second the shop's printer, on the third its scanner.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from tests.vm import shop
from tests.vm.machine import Machine
from tests.vm.shop import PROGRAMS, PUT

PRINTER = "usblp:///dev/edgebox/printer-platform-dummy_hcd.1-usb-0:1:1.0"
WEDGE = "evdev:///dev/input/by-id/usb-Honeywell_Xenon_1900_17304B2A5C-event-kbd"  # not plugged in yet
BOX_NODE = "/dev/g_printer1"  # the printer's is there first
TILL_PORT = "/sys/bus/usb/devices/usb1/1-0:1.0/usb1-port1/disable"  # the till's port, switched off and on
UNIT = f"""\
[Unit]
Description=the shop's USB printer
DefaultDependencies=no
After=local-fs.target systemd-modules-load.service sys-kernel-config.mount
Wants=sys-kernel-config.mount
Before=edgebox-gadget.service
[Service]
ExecStart=/usr/local/sbin/sim-python {PUT}/usb_printer.py serve
ExecStartPost=/usr/local/sbin/sim-python {PUT}/usb_printer.py ask told
[Install]
WantedBy=sysinit.target
"""
SET_UP = f"""
set -e
systemctl disable -q --now sim-printer.service
echo 'options dummy_hcd num=3' >/etc/modprobe.d/bench.conf
printf 'libcomposite\\ndummy_hcd\\n' >/etc/modules-load.d/bench.conf
modprobe -a libcomposite dummy_hcd
systemctl start sys-kernel-config.mount
systemctl daemon-reload
systemctl enable -q --now sim-usb-printer.service
udevadm settle
sed -i 's#^till = .*#till = "gadget://{BOX_NODE}"#' /etc/edgebox/edgebox.toml
sed -i 's#^printer = "tcp.*#printer = "{PRINTER}"#' /etc/edgebox/edgebox.toml
# Emulated, and beside others on the same two cores: 150 ms are too short to say anything about the cables.
sed -i 's#^engine = "/run.*#&\\nanswer_ms = 1500#' /etc/edgebox/edgebox.toml
printf '\\n[gadget]\\nprinter = true\\nkeyboard = true\\nserial = true\\n' >>/etc/edgebox/edgebox.toml
cat >>/etc/edgebox/edgebox.toml <<'END'
[[scanner]]
name = "scanner1"
scanner = "{WEDGE}"
till = "hidkbd:///dev/hidg0?layout=us"
coupons = ["VIP:"]
answer_ms = 2000
END
systemctl stop edgebox-line@line1.socket
systemctl enable -q edgebox-gadget.service
systemctl restart edgebox-gadget.service
systemctl restart edgebox.service edgebox-line@line1.service edgebox-scan@scanner1.service
"""


def key() -> str:
    """Of what a snapshot with this set-up depends on, besides the image."""
    parts = [UNIT, SET_UP, *(path.read_text("utf-8") for path in sorted(PROGRAMS.glob("usb_*.py")))]
    return "usb-" + hashlib.sha256("".join(parts).encode()).hexdigest()[:8]


def set_up(guest: Machine) -> None:
    """The shop of shop.py with its cables changed; a receipt has been printed."""
    shop.put_programs(guest)
    guest.put("/etc/systemd/system/sim-usb-printer.service", UNIT.encode())
    guest.put("/root/r.0", receipt())
    guest.sh(SET_UP, timeout=120)
    guest.until("[ -S /run/edgebox/engine.sock ] && [ -S /run/edgebox/scan.sock ]", 60)
    at_work(guest)
    before = told(guest)
    prints(guest)
    came(guest, len(before["tickets"]) + 1)


def receipt() -> bytes:
    """What the till prints: a sale."""
    return shop.receipts(1, seed=9)[0]


def at_work(guest: Machine, timeout_s: float = 30) -> None:
    """The line has both cables: the till hears that the printer is ready."""
    guest.until(f'[ "$(python3 {PUT}/usb_till.py status)" = 24 ]', timeout_s)


def prints(guest: Machine, file: str = "/root/r.0", listen_s: float = 0.0) -> dict[str, Any]:
    """The till prints a file: sent, seconds, replies (hex), fault."""
    return dict(json.loads(guest.sh(f"python3 {PUT}/usb_till.py print {file} {listen_s}", timeout=90)))


def prints_part(guest: Machine, first: int, last: int, file: str = "/root/r.0") -> dict[str, Any]:
    """The till prints some bytes of it, and stops."""
    return dict(json.loads(guest.sh(f"python3 {PUT}/usb_till.py part {file} {first} {last}", timeout=90)))


def till_status(guest: Machine) -> int:
    """The three bits of the port, as the till's driver is told."""
    return int(guest.sh(f"python3 {PUT}/usb_till.py status"))


def seen(guest: Machine) -> dict[str, Any]:
    """The box as the till sees it."""
    return dict(json.loads(guest.sh(f"python3 {PUT}/usb_till.py seen")))


def printer(guest: Machine, *words: str) -> str:
    """What the printer says to each of these, line by line."""
    return guest.sh(f"sim-python {PUT}/usb_printer.py ask {' '.join(words)}")


def told(guest: Machine) -> dict[str, Any]:
    """What it has printed."""
    return dict(json.loads(printer(guest, "told")))


def came(guest: Machine, tickets: int, timeout_s: float = 20) -> list[str]:
    """All papers, once there are so many of them."""
    end = time.monotonic() + timeout_s
    while len(found := told(guest)["tickets"]) < tickets:
        assert time.monotonic() < end, f"{len(found)} of {tickets} papers; {line_log(guest)}"
        time.sleep(0.2)
    return list(found)


def line_log(guest: Machine, lines: int = 12) -> str:
    """What the line said last."""
    return guest.sh(f"journalctl -u edgebox-line@line1.service -o cat --no-pager -n {lines}")
