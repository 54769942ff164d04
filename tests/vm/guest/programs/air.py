"""The guest's radio: a Bluetooth LE controller behind /dev/vhci, and the air around it.

`air.py serve`: the controller, for as long as it runs. `air.py ask WORD…` asks the one that serves:

    said            as JSON: what the box sends (data in hex, kind, interval_ms, on), whether it listens and how, and
                    how often each began
    beacon HEX RSSI somebody else's advertisement, five times a second from now on
    quiet           nobody else is there

No Bluetooth chip is emulated further than Linux' LE host asks for [Core 5.3, vol 4 part E]: legacy advertising and
scanning, no connections. A command that it doesn't know is refused as "unknown".
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path

SOCKET = "/run/sim-air.sock"
EVERY_S = 0.2  # as a tag sends
COMMAND, EVENT, VENDOR = 0x01, 0x04, 0xFF  # H4 packets [vol 4 part A]; vhci's own
COMMAND_COMPLETE, LE_META, ADVERTISING_REPORT = 0x0E, 0x3E, 0x02
UNKNOWN_COMMAND = 0x01
ADDRESS = bytes.fromhex("001A7DDA7113")[::-1]
STRANGER = bytes.fromhex("C0FFEE000001")[::-1]
KINDS = {0: "connectable", 2: "scannable", 3: "broadcast"}  # Advertising_Type [vol 4 part E, 7.8.5]
UNIT_MS = 0.625


def supported_commands() -> bytes:
    """Octets and bits [vol 4 part E, 6.27]: reset, event mask, identity, and LE's legacy half."""
    octets = bytearray(64)
    octets[5] = 0xC0  # set event mask, reset
    octets[14] = 0x28  # local version, local features
    octets[15] = 0x02  # BD_ADDR
    octets[25] = 0xF7
    octets[26] = 0xFF
    octets[27] = 0x83  # accept list, random number
    octets[28] = 0x08  # supported states
    return bytes(octets)


ANSWERS = {
    0x0C03: b"",  # reset
    0x0C01: b"",  # event mask
    0x1001: struct.pack("<BHBHH", 9, 0, 9, 0xFFFF, 0),  # version 5.0
    0x1002: supported_commands(),
    0x1003: bytes([0, 0, 0, 0, 0x60, 0, 0, 0]),  # LE, and no BR/EDR
    0x1009: ADDRESS,
    0x2001: b"",
    0x2002: struct.pack("<HB", 251, 8),  # buffers
    0x2003: bytes(8),
    0x2005: b"",  # random address
    0x2006: b"",  # advertising: parameters, data, answer to a scan, on and off
    0x2007: b"\0",  # its power
    0x2008: b"",
    0x2009: b"",
    0x200A: b"",
    0x200B: b"",  # scanning: parameters, on and off
    0x200C: b"",
    0x200F: b"\x08",  # accept list
    0x2010: b"",
    0x2011: b"",
    0x2012: b"",
    0x2018: b"\x5a" * 8,  # random number
    0x201C: bytes(8),
}


class Controller:
    """What the host has set."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.data, self.kind, self.interval_ms, self.sends = b"", "", 0.0, False
        self.listens, self.is_active = False, False
        self.sends_begun = self.scans_begun = 0
        self.unknown: list[str] = []

    def take(self, packet: bytes) -> None:
        if not packet or packet[0] != COMMAND:
            return
        opcode, body = int.from_bytes(packet[1:3], "little"), packet[4:]
        if opcode not in ANSWERS:
            self.unknown.append(f"{opcode:04x}")
            self._complete(opcode, bytes([UNKNOWN_COMMAND]))
            return
        self._mind(opcode, body)
        self._complete(opcode, b"\0" + ANSWERS[opcode])

    def _mind(self, opcode: int, body: bytes) -> None:
        if opcode == 0x0C03:
            self.sends = self.listens = False
        elif opcode == 0x2006:
            self.interval_ms = int.from_bytes(body[2:4], "little") * UNIT_MS
            self.kind = KINDS.get(body[4], str(body[4]))
        elif opcode == 0x2008:
            self.data = body[1 : 1 + body[0]]
        elif opcode == 0x200A:
            self.sends = bool(body[0])
            self.sends_begun += self.sends
        elif opcode == 0x200B:
            self.is_active = body[0] == 1
        elif opcode == 0x200C:
            self.listens = bool(body[0])
            self.scans_begun += self.listens

    def _complete(self, opcode: int, parameters: bytes) -> None:
        self._event(COMMAND_COMPLETE, b"\x01" + opcode.to_bytes(2, "little") + parameters)

    def _event(self, code: int, parameters: bytes) -> None:
        os.write(self._fd, bytes([EVENT, code, len(parameters)]) + parameters)

    def hear(self, data: bytes, rssi: int) -> None:
        """A broadcast of a stranger's, if anybody listens."""
        if self.listens:
            head = bytes([ADVERTISING_REPORT, 1, 3, 1]) + STRANGER
            self._event(LE_META, head + bytes([len(data)]) + data + struct.pack("b", rssi))

    def said(self) -> str:
        told = {
            "data": self.data.hex(), "kind": self.kind, "interval_ms": self.interval_ms, "sends": self.sends,
            "listens": self.listens, "active": self.is_active, "sends_begun": self.sends_begun,
            "scans_begun": self.scans_begun, "unknown": self.unknown,
        }  # fmt: skip
        return json.dumps(told)


def serve() -> None:
    fd = os.open("/dev/vhci", os.O_RDWR | os.O_NONBLOCK)
    os.write(
        fd, bytes([VENDOR, 0])
    )  # HCI_VENDOR_PKT, HCI_PRIMARY: hci0 is there from now on (drivers/bluetooth/hci_vhci.c)
    controller, beacon, due = Controller(fd), (b"", 0), 0.0
    Path(SOCKET).unlink(missing_ok=True)
    with socket.create_server(SOCKET, family=socket.AF_UNIX) as door:
        while True:
            readable, _, _ = select.select([fd, door], [], [], EVERY_S / 4)
            if fd in readable:
                controller.take(os.read(fd, 4096))
            if door in readable:
                guest, _ = door.accept()
                with guest:
                    words = guest.recv(1000).decode().split()
                    if words[0] == "beacon":
                        beacon = bytes.fromhex(words[1]), int(words[2])
                    elif words[0] == "quiet":
                        beacon = b"", 0
                    guest.sendall(controller.said().encode())
            if beacon[0] and time.monotonic() >= due:
                controller.hear(*beacon)
                due = time.monotonic() + EVERY_S


def ask(words: list[str]) -> None:
    for _ in range(200):
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.connect(SOCKET)
                door.sendall(" ".join(words).encode())
                print(door.recv(65536).decode())
                return
        except OSError:
            time.sleep(0.05)
    sys.exit("the radio does not answer")


if __name__ == "__main__":
    ask(sys.argv[2:]) if sys.argv[1] == "ask" else serve()
