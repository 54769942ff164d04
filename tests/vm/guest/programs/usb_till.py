"""The guest's till on USB: what it sees on its port (dummy_hcd.0), and what it prints through its own usblp.

usb_till.py seen                    as JSON: ids, strings, device id, interfaces
usb_till.py status                  the three bits of the port, as its driver asks
usb_till.py print FILE [S]          all of it, one transfer behind the other; then listens for S seconds.
                                    JSON: sent, seconds until the box had taken all, replies (hex)
usb_till.py part FILE FROM TO       the same for some bytes of it
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import struct
import sys
import time
from pathlib import Path

PORT = "dummy_hcd.0"
LPGETSTATUS = 0x060B  # linux/lp.h
GET_DEVICE_ID = 2 << 30 | 1024 << 16 | ord("P") << 8 | 1
PATIENCE_S = 30.0


def device() -> Path:
    """The box in /sys, waited for."""
    return found(lambda: [path for path in Path("/sys/bus/usb/devices").iterdir() if is_box(path)])


def is_box(path: Path) -> bool:
    return (
        f"/{PORT}/" in str(path.resolve())
        and (path / "idVendor").exists()
        and ":" not in path.name
        and "-" in path.name
    )


def node() -> str:
    """/dev/usb/lpN, waited for."""
    return "/dev/usb/" + found(lambda: list(device().glob("*/usbmisc/lp*"))).name


def found(look) -> Path:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if paths := look():
            return paths[0]
        time.sleep(0.05)
    sys.exit("the till sees no printer")


def opened() -> int:
    path, end = node(), time.monotonic() + PATIENCE_S
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as fault:  # udev has not made it yet
            if time.monotonic() > end:
                raise
            if fault.errno not in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EACCES):
                raise
            time.sleep(0.05)


def seen() -> dict:
    box, fd = device(), opened()
    answer = bytearray(1024)
    fcntl.ioctl(fd, GET_DEVICE_ID, answer)
    os.close(fd)
    length = int.from_bytes(answer[:2], "big")
    names = ("idVendor", "idProduct", "bcdDevice", "manufacturer", "product", "serial")
    about = {name: (box / name).read_text().strip() for name in names}
    about["device_id"] = bytes(answer[2:length]).decode("ascii").rstrip()
    about["interfaces"] = sorted(path.read_text().strip() for path in box.glob("*:*/bInterfaceClass"))
    return about


def status() -> int:
    fd = opened()
    word = bytearray(4)
    fcntl.ioctl(fd, LPGETSTATUS, word)
    os.close(fd)
    return struct.unpack("i", word)[0] & 0x38


def printed(data: bytes, listen_s: float) -> dict:
    fd, began, sent, replies, fault = opened(), time.monotonic(), 0, b"", ""
    end = began + PATIENCE_S
    try:
        while sent < len(data) and time.monotonic() < end:
            readable, writable, _ = select.select([fd], [fd], [], 1.0)
            if readable:
                replies += heard(fd)
            if writable:
                sent += os.write(fd, data[sent : sent + 4096])
        while time.monotonic() < end and not select.select([], [fd], [], 1.0)[1]:
            pass  # the last transfer is on its way
        took = time.monotonic() - began
        end = time.monotonic() + listen_s
        while (left := end - time.monotonic()) > 0:
            if select.select([fd], [], [], left)[0]:
                replies += heard(fd)
    except OSError as broken:
        fault, took = errno.errorcode.get(broken.errno, str(broken)), time.monotonic() - began
    os.close(fd)
    return {"sent": sent, "seconds": round(took, 3), "replies": replies.hex(), "fault": fault}


def heard(fd: int) -> bytes:
    try:
        data = os.read(fd, 4096)
    except BlockingIOError:
        return b""
    if not data:
        time.sleep(0.01)
    return data


def main() -> None:
    what, rest = sys.argv[1], sys.argv[2:]
    if what == "seen":
        print(json.dumps(seen()))
    elif what == "status":
        print(status())
    elif what == "print":
        print(json.dumps(printed(Path(rest[0]).read_bytes(), float(rest[1]) if len(rest) > 1 else 0.0)))
    elif what == "part":
        data = Path(rest[0]).read_bytes()[int(rest[1]) : int(rest[2])]
        print(json.dumps(printed(data, 0.0)))


main()
