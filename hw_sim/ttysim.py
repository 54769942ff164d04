"""A serial port made of a pty, with modem lines: the other side of the shim in `ttysim.c`.

Owns: building the shim, the pair of ends, the lines both sides see, and a printer's receive buffer behind the wire.
Never: imported by production code. Real programs, pyserial included, run on `path` unchanged, if they are started with
`environment()`. A plain pty says ENOTTY to every modem ioctl, so flow control by DSR could not be tried at all.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import subprocess
import tempfile
import termios
import tty
from enum import IntFlag
from pathlib import Path

from edgebox.errors import DriverError

_SOURCE = Path(__file__).with_suffix(".c")
_CACHE = _SOURCE.parent.parent / "var" / "ttysim"  # git ignores var/


class Line(IntFlag):
    """Modem lines, as named at the program's end of the cable (TIOCM_ bits)."""

    DTR = termios.TIOCM_DTR
    RTS = termios.TIOCM_RTS
    CTS = termios.TIOCM_CTS
    DCD = termios.TIOCM_CAR
    DSR = termios.TIOCM_DSR


# Words of `struct lines` in ttysim.c.
_WORDS = ("shown", "driven", "dropped", "opens", "breaks", "counting", "written", "taken", "overruns", "frames")
_WORD_BYTES = 4


def shim(cache: Path = _CACHE) -> Path:
    """The built shim, as `built`."""
    return built(_SOURCE, cache)


def built(code: Path, cache: Path) -> Path:
    """A shim's library; compiles it when its source has changed. DriverError (`no_compiler`) where gcc is missing."""
    source = code.read_bytes()
    library = cache / f"{code.stem}-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if library.exists():
        return library
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        hint = "apt install gcc libc6-dev"
        raise DriverError(f"no C compiler to build {code.name} with", reason="no_compiler", hint=hint)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        made = Path(folder) / library.name
        command = [compiler, "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", str(made), str(code), "-ldl"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise DriverError(f"{code.name}: {result.stderr}", reason="no_compiler", hint="see the compiler")
        made.replace(library)  # in one step: test workers build side by side
    return library


class ModemTty:
    """One serial port. `path` is what the program opens; `master` is the far end of its cable, non-blocking."""

    def __init__(self, folder: Path, shown: Line = Line.CTS | Line.DSR | Line.DCD) -> None:
        self._folder = folder
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        tty.setraw(self.slave, termios.TCSANOW)
        attributes = termios.tcgetattr(self.slave)
        attributes[2] |= termios.HUPCL  # as serial drivers have it at first, and a pty has not
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self.path = os.ttyname(self.slave)
        state = folder / f"pts-{Path(self.path).name}"
        state.write_bytes(bytes(_WORD_BYTES * len(_WORDS)))
        with state.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        # One store a word: struct.pack_into writes zeros first, and the program would see every line drop.
        self._words = memoryview(self._memory).cast("I")
        self.show(shown)

    def environment(self) -> dict[str, str]:
        """The environment in which a program sees the lines."""
        return {**os.environ, "LD_PRELOAD": str(shim()), "TTYSIM_DIR": str(self._folder)}

    def _get(self, word: str) -> int:
        return self._words[_WORDS.index(word)]

    def _put(self, word: str, value: int) -> None:
        self._words[_WORDS.index(word)] = value & 0xFFFFFFFF

    def show(self, lines: Line) -> None:
        """Show the program these of CTS, DSR and DCD. With CRTSCTS set, CTS stops its output, as in a UART."""
        self._put("shown", lines)
        if termios.tcgetattr(self.slave)[2] & termios.CRTSCTS:
            termios.tcflow(self.slave, termios.TCOON if lines & Line.CTS else termios.TCOOFF)

    @property
    def shown(self) -> Line:
        """What the program sees."""
        return Line(self._get("shown"))

    @property
    def driven(self) -> Line:
        """DTR and RTS as the program drives them."""
        return Line(self._get("driven"))

    @property
    def dropped(self) -> Line:
        """Lines that the program ever let fall, however briefly: DTR and RTS after a pulse."""
        return Line(self._get("dropped"))

    @property
    def opens(self) -> int:
        """How often it was opened."""
        return self._get("opens")

    @property
    def breaks(self) -> int:
        """How often it sent a BREAK."""
        return self._get("breaks")

    @property
    def flags(self) -> tuple[int, int]:
        """termios iflag and cflag that the program has set."""
        attributes = termios.tcgetattr(self.slave)
        return attributes[0], attributes[2]

    def count_queue(self) -> None:
        """From now on TIOCOUTQ tells the program what `take` has not yet taken, as a UART's driver would."""
        self._put("written", 0)
        self._put("taken", 0)
        self._put("counting", 1)

    def spoil(self, *, overruns: int, frames: int) -> None:
        """So many bytes were lost on arrival, and so many came broken, since the machine began."""
        self._put("overruns", overruns)
        self._put("frames", frames)

    def take(self, limit: int) -> bytes:
        """At most `limit` bytes off the cable; b"" when none are there."""
        try:
            data = os.read(self.master, limit)
        except BlockingIOError:
            return b""
        self._put("taken", self._get("taken") + len(data))
        return data

    def close(self) -> None:
        """Unplug: the program gets EIO."""
        os.close(self.master)
        os.close(self.slave)
        self._words.release()
        self._memory.close()


class ReceiveBuffer:
    """A printer's buffer at the end of the cable: it fills at the wire's speed and empties at the printer's.

    The printer drops its line when `busy_at` bytes are left and raises it at `ready_at`; what comes when none is left
    is lost, and counted. A TM-T88III: 4096, 128, 256; or 45, 16, 26. [TM-T88III manual]
    """

    def __init__(
        self, port: ModemTty, wire_bytes_per_s: int, print_bytes_per_s: int, size: int, busy_at: int, ready_at: int
    ) -> None:
        self.printed = bytearray()
        self.lost_bytes = 0
        self.busy_times = 0
        self._port = port
        self._speeds = (wire_bytes_per_s, print_bytes_per_s)
        self._size, self._busy_at, self._ready_at = size, busy_at, ready_at
        self._held = bytearray()
        self._due = [0.0, 0.0]  # bytes that may come, and be printed, not yet whole

    def pass_time(self, elapsed_s: float) -> None:
        """Let `elapsed_s` go by, a wire's byte at a time."""
        wire, printer = self._speeds
        for _ in range(self._whole(0, elapsed_s * wire)):
            self._receive(self._port.take(1))
            self._print(self._whole(1, printer / wire))
            self._signal()

    def _whole(self, which: int, more: float) -> int:
        whole = int(self._due[which] + more)
        self._due[which] += more - whole
        return whole

    def _receive(self, byte: bytes) -> None:
        if len(self._held) < self._size:
            self._held += byte
        else:
            self.lost_bytes += len(byte)

    def _print(self, count: int) -> None:
        self.printed += self._held[:count]
        del self._held[:count]

    def _signal(self) -> None:
        left, lines = self._size - len(self._held), self._port.shown
        if left <= self._busy_at and Line.DSR in lines:
            self._port.show(lines & ~(Line.DSR | Line.CTS))
            self.busy_times += 1
        elif left >= self._ready_at and Line.DSR not in lines:
            self._port.show(lines | Line.DSR | Line.CTS)
