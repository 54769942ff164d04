"""A message bus of one's own: a private dbus-daemon on a Unix socket, taken for the system's by dbus-fast and bleak.

Owns: the daemon's process and its folder. It listens nowhere else, needs no root, and is ended by its process id.
Whoever wants it sets DBUS_SYSTEM_BUS_ADDRESS to `address`, for himself and for nobody else.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    {more}
  </policy>
  {leave}
</busconfig>
"""
# What Debian's own bus says to those who are in no group that may: dbus-daemon(1), "policy".
CLOSED = '<deny send_destination="org.bluez"/>'


class MessageBus:
    """Not running until `start`. The same address each time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "bus"
        self.address = f"unix:path={self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_installed() -> bool:
        """Debian's package dbus is there."""
        return shutil.which("dbus-daemon") is not None

    @property
    def pid(self) -> int:
        """Of the daemon; 0: none."""
        return self._process.pid if self._process is not None else 0

    def start(self, *, closed: bool = False, leave: str = "") -> None:
        """Returns when it takes connections. `closed`: nobody may speak to org.bluez, but whom `leave` names: a policy
        as files of system.d have it."""
        self._socket.unlink(missing_ok=True)
        config = self._folder / "bus.conf"
        config.write_text(_CONFIG.format(socket=self._socket, more=CLOSED if closed else "", leave=leave), "utf-8")
        self._process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog", "--print-address=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None, "piped"
        if not self._process.stdout.readline():
            raise OSError("dbus-daemon did not start")

    def stop(self) -> None:
        """As a crash of it: every connection ends."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdout is not None, "piped"
            process.stdout.close()
            self._socket.unlink(missing_ok=True)
