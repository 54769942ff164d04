"""The guest's scanners, and the keys that its till gets.

usb_scanner.py plug KIND            a scanner on the third cable (dummy_udc.2): `wedge` types, `pos` reports codes
usb_scanner.py unplug
usb_scanner.py scan CODE            the wedge types it, and Enter; the HID POS scanner reports it
usb_scanner.py beside CODE [NODE]   another keyboard (uinput) types it; prints what came out of it to any program
usb_scanner.py till S               listens at the till's end of the box's keyboard for S seconds; prints the text
"""

from __future__ import annotations

import json
import os
import select
import struct
import sys
import time
from pathlib import Path

import evdev
from evdev import UInput
from evdev import ecodes as e

from drivers.evdev_keys import Wedge
from drivers.keymaps import ENTER, USAGES, Layout

GADGET = Path("/sys/kernel/config/usb_gadget/bench-scanner")
CONTROLLER = "dummy_udc.2"
TILL_KEYS = "/dev/input/by-path/platform-dummy_hcd.0-usb-0:1:1.1-event-kbd"
US = Layout("us")
# A boot keyboard [HID 1.11, appendix E.6] and a scanner in HID POS mode as hw_sim/scanner.py has it.
KEYBOARD = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810195057501050819012905910295017503910195067508150025650507"
    "190029658100c0"
)
POS = bytes.fromhex(
    "058C0902A1010912A1028502150026FF00750895010501093B81029503058C09FB09FC09FD8102953809FE"
    "820201750195 0109FF810295078103C0C0".replace(" ", "")
)
POS_DATA, POS_REPORT = 56, 62
SHIFT = 0x02
EVENT = struct.Struct("llHHi")  # struct input_event, linux/input.h
ENTER_DOWN = struct.pack("HHi", e.EV_KEY, ENTER, 1)
LINGER_S = 0.5


def plug(kind: str) -> None:
    unplug()
    for folder in ("strings/0x409", "configs/c.1", "functions/hid.9"):
        (GADGET / folder).mkdir(parents=True)
    about = {
        "idVendor": "0x0c2e", "idProduct": "0x0b61", "strings/0x409/manufacturer": "Honeywell",
        "strings/0x409/product": "Xenon 1900", "strings/0x409/serialnumber": "17304B2A5C",
        "functions/hid.9/report_length": "8" if kind == "wedge" else str(POS_REPORT),
    }  # fmt: skip
    for path, text in about.items():
        (GADGET / path).write_text(text)
    (GADGET / "functions/hid.9/report_desc").write_bytes(KEYBOARD if kind == "wedge" else POS)
    if kind == "wedge":
        (GADGET / "functions/hid.9/protocol").write_text("1")
        (GADGET / "functions/hid.9/subclass").write_text("1")
    (GADGET / "configs/c.1/hid.9").symlink_to(GADGET / "functions/hid.9")
    (GADGET / "UDC").write_text(CONTROLLER)


def unplug() -> None:
    if not GADGET.exists():
        return
    if (GADGET / "UDC").read_text().strip():
        (GADGET / "UDC").write_text("\n")
    (GADGET / "configs/c.1/hid.9").unlink(missing_ok=True)
    for folder in ("functions/hid.9", "configs/c.1", "strings/0x409", "."):
        if (GADGET / folder).exists():
            (GADGET / folder).rmdir()


def node() -> str:
    major_minor = (GADGET / "functions/hid.9/dev").read_text().strip()
    return "/dev/hidg" + major_minor.partition(":")[2]


def scan(code: str) -> None:
    fd = os.open(node(), os.O_RDWR)
    if (GADGET / "functions/hid.9/report_length").read_text().strip() == "8":
        for character in code:
            for stroke in US.strokes(character):
                os.write(fd, bytes([SHIFT * stroke.shift, 0, USAGES[stroke.code], 0, 0, 0, 0, 0]))
                os.write(fd, bytes(8))
        os.write(fd, bytes([0, 0, USAGES[ENTER], 0, 0, 0, 0, 0]))
        os.write(fd, bytes(8))
    else:
        raw = code.encode()
        for at in range(0, len(raw), POS_DATA):
            part = raw[at : at + POS_DATA]
            more = at + POS_DATA < len(raw)
            os.write(fd, bytes([2, len(part)]) + b"]Q1" + part.ljust(POS_DATA, b"\0") + bytes([more]))
    os.close(fd)


def beside(code: str) -> None:
    """Nobody has grabbed it: what it types is heard by who listens."""
    keys = list(range(1, 120))
    with UInput({e.EV_KEY: keys}, name="the office's keyboard") as keyboard:
        time.sleep(1.0)
        path = next(one for one in evdev.list_devices() if evdev.InputDevice(one).name == "the office's keyboard")
        device = evdev.InputDevice(path)
        for character in code:
            for stroke in US.strokes(character):
                for value in (1, 0):
                    keyboard.write(e.EV_KEY, stroke.code, value)
                    keyboard.syn()
        print(heard(device, 1.0))


def heard(device: evdev.InputDevice, seconds: float, ends: int = 0) -> str:
    """What is typed there, and what comes within LINGER_S behind the last Enter that is waited for.

    Taken first and read after, before all else in the guest: the kernel keeps ten keys for who is slow.
    """
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    raw, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([device.fd], [], [], left)[0]:
            raw += os.read(device.fd, 64 * EVENT.size)
            if ends and raw.count(ENTER_DOWN) >= ends:
                ends, end = 0, time.monotonic() + LINGER_S
    wedge, text = Wedge(US), ""
    for _, _, kind, code, value in EVENT.iter_unpack(raw):
        if kind == e.EV_SYN and code == e.SYN_DROPPED:
            text += "<keys lost>"
        if kind == e.EV_KEY and value in (0, 1):
            text += (wedge.press if value else wedge.release)(code)
    return text


def till(ends: int, seconds: float) -> None:
    device = evdev.InputDevice(TILL_KEYS)
    device.grab()  # else the console would type it
    Path("/run/till-listens").touch()
    print(json.dumps(heard(device, seconds, ends)))


def main() -> None:
    what, rest = sys.argv[1], sys.argv[2:]
    if what == "plug":
        plug(rest[0])
    elif what == "unplug":
        unplug()
    elif what == "scan":
        for code in rest:
            scan(code)
    elif what == "beside":
        beside(rest[0])
    elif what == "till":
        till(int(rest[0]), float(rest[1]))


main()
