"""`led:///sys/class/leds/green?for=good,again`: a lamp on the box, by the kernel's LED class.

Owns: the lamp's two files. Never: when it is lit (edgebox/feedback.py). Writing `brightness` does not wait: drivers
that must wait for their bus do so in the kernel's work queue [Documentation/leds/leds-class.rst].
"""

from __future__ import annotations

from pathlib import Path

from drivers.base import Reason, Url, cannot_open

PURPOSES = ("good", "bad", "again")  # as edgebox/desk/answers.py Beep


class Lamp:
    """One lamp. DriverError when its URL is wrong; whether it is there shows when it is lit."""

    def __init__(self, url: Url) -> None:
        example = "write led:///sys/class/leds/NAME?for=good,bad,again"
        if url.scheme != "led":
            raise url.fault(Reason.UNKNOWN_SCHEME, f"{url.scheme}: is no lamp", example)
        url.takes("for")
        if url.host:
            raise url.fault(Reason.BAD_PATH, f"{url.host!r} is taken for a host", f"three slashes: {example}")
        if url.path in ("", "/"):
            raise url.fault(Reason.MISSING_PATH, "the lamp is missing", example)
        self.purposes = tuple(url.option("for").split(",")) if url.option("for") else PURPOSES
        for purpose in self.purposes:
            if purpose not in PURPOSES:
                raise url.fault(Reason.BAD_OPTION, f"for={purpose} means nothing", f"for is {', '.join(PURPOSES)}")
        self.url = url.text
        self._url = url
        self._folder = Path(url.path)
        self._most = ""

    def light(self, *, on: bool) -> None:
        """On as bright as it can be, or off, which also ends what the kernel had it do (its trigger). DriverError."""
        try:
            if not self._most:
                self._most = (self._folder / "max_brightness").read_text("ascii").strip()
            with (self._folder / "brightness").open("r+", encoding="ascii") as file:  # r+: never makes a file
                file.write(self._most if on else "0")
        except OSError as fault:
            raise cannot_open(self._url, fault) from fault
