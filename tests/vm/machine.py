"""A virtual machine: started, asked, and its power cut.

Owns: QEMU's command line, the way in (a TCP port that QEMU passes to the guest's agent), and the guest's end. Always
software emulation (TCG), never /dev/kvm: the tier must run anywhere, and be as slow everywhere. Never: knows edgebox.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

MEMORY_MB = 512  # what a box has
CPUS = 2
AGENT_PORT = 7777
CPU = "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"  # `max` costs a quarter more under emulation
# Less of what only real hardware needs; expedited RCU saves seconds of waiting for a grace period.
KERNEL_WORDS = (
    "console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on tsc=reliable cryptomgr.notests "
    "no_timer_check audit=0 apparmor=0 net.ifnames=0 8250.nr_uarts=1 nowatchdog rcupdate.rcu_expedited=1 "
    "systemd.show_status=0 rw"
)
LISTENS = b"GUEST-LISTENS"


class GuestError(AssertionError):
    """A command in the guest failed, or the guest did."""


@dataclass(frozen=True)
class Parts:
    """What a machine is made of. `root`: a qcow2 overlay; `data`: a disk image or an nbd URL, or None; `state`: RAM."""

    image: Path
    root: Path
    folder: Path
    data: str | None = None
    data_cache: str = "none"
    state: Path | None = None
    root_cache: str = "writeback"
    extra: tuple[str, ...] = field(default=())


def overlay(path: Path, base: Path) -> Path:
    """A disk that holds what differs from `base`."""
    path.unlink(missing_ok=True)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base.resolve()), "-F", "qcow2", str(path)], check=True
    )
    return path


_ports = itertools.count()


def free_port() -> int:
    """Of loopback, and below those that the kernel gives to whoever dials: QEMU takes it a moment later."""
    while True:
        port = 20000 + os.getpid() % 100 * 100 + next(_ports) % 100
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Machine:
    """One guest. `acks` is a virtio-serial port: what a program in the guest writes there is out at once."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.folder = parts.folder
        self.port = free_port()
        self._qmp: TextIO | None = None
        self.console = self.folder / "console.log"
        self.console.unlink(missing_ok=True)
        for name in ("qmp", "acks"):
            (self.folder / name).unlink(missing_ok=True)
        self.started_at = time.monotonic()
        with (self.folder / "qemu.log").open("wb") as log:
            # It dies with the tests, however they end.
            command = ["setpriv", "--pdeathsig", "KILL", *self._command_line()]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _command_line(self) -> list[str]:
        parts, folder = self.parts, self.folder
        line = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "pc", "-cpu", CPU, "-smp", str(CPUS)]
        line += ["-m", str(MEMORY_MB), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        line += ["-serial", f"file:{self.console}", "-qmp", f"unix:{folder}/qmp,server=on,wait=off"]
        line += ["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        line += ["-chardev", f"socket,id=acks,path={folder}/acks,server=on,wait=off"]
        line += ["-device", "virtserialport,chardev=acks,name=acks"]
        line += ["-kernel", str(parts.image / "vmlinux"), "-initrd", str(parts.image / "ramdisk.gz")]
        line += ["-append", KERNEL_WORDS]
        line += ["-drive", f"if=none,id=root,file={parts.root},format=qcow2,cache={parts.root_cache}"]
        line += ["-device", "virtio-blk-pci,drive=root"]
        line += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:{AGENT_PORT}"]
        line += ["-device", "virtio-net-pci,netdev=net,romfile="]
        if parts.data:
            line += ["-drive", f"if=none,id=data,file={parts.data},format=raw,cache={parts.data_cache}"]
            line += ["-device", "virtio-blk-pci,drive=data,serial=data"]
        if parts.state:
            line += ["-incoming", f"exec:cat {parts.state}"]
        return line + list(parts.extra)

    # --- asked -----------------------------------------------------------------------------------------------------

    def run(self, script: str, stdin: bytes = b"", timeout: float = 60) -> tuple[int, bytes]:
        """Exit status and output (stderr too) of a bash script in the guest, as root. Seconds are the host's."""
        said = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as way_in:
            text = script.encode()
            way_in.sendall(b"%d\n%b" % (len(text), text) + stdin)
            way_in.shutdown(socket.SHUT_WR)
            while part := way_in.recv(1 << 16):
                said += part
        ended = re.search(rb"\0rc=(\d+)\n\Z", said)
        if ended is None:
            raise GuestError(f"the guest hung up: {said[-500:]!r}")
        return int(ended[1]), said[: ended.start()]

    def sh(self, script: str, stdin: bytes = b"", timeout: float = 60) -> str:
        """What it printed. GuestError if it failed."""
        status, said = self.run(script, stdin, timeout)
        text = said.decode("utf-8", "replace")
        if status:
            raise GuestError(f"exit {status}\n$ {script}\n{text[-4000:]}")
        return text

    def session(self, script: str, timeout: float = 60) -> TextIO:
        """A program in the guest that is talked to line by line; closing it ends the talk."""
        way_in = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        way_in.sendall(b"%d\n%b" % (len(script.encode()), script.encode()))
        with way_in:
            return way_in.makefile("rw")

    def put(self, path: str, data: bytes) -> None:
        """A file into the guest, with the folders it needs."""
        self.sh(f"mkdir -p \"$(dirname '{path}')\"; cat > '{path}'", stdin=data)

    def get(self, path: str) -> bytes:
        """A file out of the guest. GuestError if it isn't there."""
        status, content = self.run(f"cat '{path}'")
        if status:
            raise GuestError(f"no {path} in the guest: {content!r}")
        return content

    def until(self, script: str, timeout: float = 60, every_s: float = 0.2) -> str:
        """Asks in the guest, again and again, until the script succeeds; what it printed then. GuestError."""
        return self.sh(
            f"end=$(($(date +%s) + {int(timeout)})); while :; do said=$({{ {script}\n}} 2>&1) && break; "
            f'[ $(date +%s) -lt $end ] || {{ echo "$said"; exit 1; }}; sleep {every_s}; done; echo "$said"',
            timeout=timeout + 30,
        )

    # --- looked after ----------------------------------------------------------------------------------------------

    def monitor(self, command: str, **arguments: Any) -> Any:
        """QEMU's own answers (QMP)."""
        if self._qmp is None:
            self._qmp = self._greet()
        self._qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._qmp.flush()
        for line in self._qmp:
            said = json.loads(line)
            if "return" in said:
                return said["return"]
            if "error" in said:
                raise GuestError(f"{command}: {said['error']}")
        raise GuestError(f"QEMU went away: {self.log()}")

    def _greet(self) -> TextIO:
        plug = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 20
        while True:
            try:
                plug.connect(str(self.folder / "qmp"))
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise GuestError(f"QEMU did not start: {self.log()}") from None
                time.sleep(0.02)
        with plug:
            talk = plug.makefile("rw")
        talk.readline()
        talk.write('{"execute": "qmp_capabilities"}\n')
        talk.flush()
        talk.readline()
        return talk

    def listens(self, timeout: float = 120) -> float:
        """Waits until the guest can be asked; seconds since its start. A connection made too early would hang."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and not self._is_up():
            if self.process.poll() is not None:
                raise GuestError(f"QEMU ended with {self.process.returncode}: {self.log()}")
            time.sleep(0.02)
        while time.monotonic() < deadline:
            try:
                if self.run("true", timeout=5)[0] == 0:
                    return time.monotonic() - self.started_at
            except (OSError, GuestError):
                time.sleep(0.1)
        raise GuestError(f"no answer in {timeout:.0f} s\n{self.log()}")

    def _is_up(self) -> bool:
        if self.parts.state:
            return bool(self.monitor("query-status")["status"] == "running")
        return self.console.exists() and LISTENS in self.console.read_bytes()

    def acks(self) -> socket.socket:
        """The host's end of the virtio-serial port `acks` (in the guest /dev/virtio-ports/acks, opened once)."""
        plug = socket.socket(socket.AF_UNIX)
        plug.connect(str(self.folder / "acks"))
        return plug

    def log(self) -> str:
        """The last words of QEMU and of the guest's console."""
        files = (self.folder / "qemu.log", self.console)
        return "\n".join(path.read_text("utf-8", "replace")[-2000:] for path in files if path.exists())

    def cut(self) -> None:
        """The power goes, now."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._qmp is not None:
            self._qmp.close()
            self._qmp = None

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.cut()
