"""A box in good health, in a folder: its /sys, /proc, /dev and configuration. A test makes it ill."""

from __future__ import annotations

import socket
import termios
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from drivers.serial import Flow
from edgebox.appliance.doctor.cables import Cable, Counts
from edgebox.appliance.doctor.finding import Check, Finding, Grade, Machine
from edgebox.appliance.doctor.rounds import CHECKS, rounds
from edgebox.config import load
from hw_sim.cloud_keys import key_file, keyring
from tests.appliance.test_plugged import Machine as Tree

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


class Patient:
    """`root` is its file system. `services`: unit → what systemctl shows."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.tree = Tree(self.root)
        self.now = NOW
        self.line_says: dict[str, str] | None = {"maker": "ACME", "model": "No-Name 5000", "printer_xoffs": "0"}
        self.printer_says: dict[str, str] | None = None
        self.cable = Cable(Flow.NONE, termios.TIOCM_CTS | termios.TIOCM_DSR, Counts(rx=100, tx=90000))
        self.commands: dict[str, str | None] = {"timedatectl": "yes\n", "is-active": "active\n"}
        self.services = {"LoadState": "loaded", "ActiveState": "active", "NRestarts": "0"}
        self.write("proc/meminfo", "MemTotal: 500000 kB\nMemAvailable: 300000 kB\n")
        self.write("sys/class/thermal/thermal_zone0/temp", "51000\n")
        self.write("sys/class/rtc/rtc0/name", "ds3231")
        self.write("dev/ttyS0", "")
        (self.root / "data").mkdir()
        keys = self.root / "etc/keys.toml"
        keys.parent.mkdir()
        keys.write_text(key_file(keyring(bytes(32), 4711, 12, int(NOW))), "utf-8")
        keys.chmod(0o600)
        self._listener = socket.create_server(("127.0.0.1", 0))  # a network printer
        self.printer = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._engine = socket.socket(socket.AF_UNIX)
        self._engine.bind(str(self.root / "engine.sock"))
        shipped = load()
        self.config = self.set(
            engine={"data": "/data", "socket": "/engine.sock"}, claims={"keys": "/etc/keys.toml"}, base=shipped
        )
        line = msgspec.structs.replace(
            shipped.line[0], till="tcp://0.0.0.0:9100", printer=self.printer, engine="/engine.sock"
        )
        self.config = msgspec.structs.replace(self.config, line=(line,), scanner=())

    def set(self, *, base: msgspec.Struct | None = None, **sections: dict[str, object]):  # type: ignore[no-untyped-def]
        """The configuration with other values; it is this patient's from now on."""
        config = base or self.config
        for name, values in sections.items():
            section = msgspec.structs.replace(getattr(config, name), **values)
            config = msgspec.structs.replace(config, **{name: section})
        self.config = config
        return config

    def line(self, **values: object) -> None:
        """Its line, with other values."""
        line = msgspec.structs.replace(self.config.line[0], **values)
        self.config = msgspec.structs.replace(self.config, line=(line,))

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def _run(self, command: list[str]) -> str | None:
        if command[:2] == ["systemctl", "show"]:
            return "".join(f"{key}={value}\n" for key, value in self.services.items()) or None
        return self.commands["is-active" if "is-active" in command else command[0]]

    def findings(self, *checks: Check) -> list[Finding]:
        """What the doctor finds, but for what is well."""
        machine = Machine(
            self.config, self.root / "etc", self.root, lambda: self.now, self._run,
            who=lambda line: self.line_says, ask=lambda url: self.printer_says, cable=lambda path: self.cable,
        )  # fmt: skip
        return [one for one in rounds(machine, checks or CHECKS) if one.grade is not Grade.OK]

    def close(self) -> None:
        self._listener.close()
        self._engine.close()


Illness = Callable[[Patient], object]
