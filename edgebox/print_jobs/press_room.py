"""Where print jobs become sheets: the lines there are, their printers, and a job's way to one.

Owns: the choice of the line, and what a sheet is made with. Never: when a job is printed (print_jobs.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from edgebox.decisions import Decisions
from edgebox.errors import ConfigError, OrderError, SlipError
from edgebox.escpos.compose import Press
from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import Job, JobState
from edgebox.lines import LineSession
from edgebox.paper.letters import text_raster
from edgebox.print_jobs.job import PrintJob
from edgebox.print_jobs.sheets import Around, Content, Mark, body
from edgebox.settings import Config, LineSettings
from edgebox.slips import qr


class Printers(Protocol):
    """The engine, as far as it prints."""

    config: Config
    decisions: Decisions
    lines: dict[str, LineSession]

    def profile(self, name: str) -> PrinterProfile:
        """A printer's profile. ConfigError."""


class PressRoom:
    """`now`: seconds since 1970."""

    def __init__(self, printers: Printers, now: Callable[[], int]) -> None:
        self._printers = printers
        self._now = now

    def line(self, wanted: str) -> str:
        """The line that is to print; it need not be there yet. OrderError `no_such_line`."""
        known = dict.fromkeys((*self._settings(), *sorted(self._printers.lines)))
        name = wanted or self._printers.config.desk.line or next(iter(known), "")
        if name not in known:
            raise OrderError(f"there is no line {name}" if name else "there is no line", reason="no_such_line")
        return name

    def session(self, line: str) -> str | None:
        """The process that has the line, in hex; None: it is not there."""
        session = self._printers.lines.get(line)
        return session.session if session is not None and session.hello is not None else None

    @property
    def is_quiet(self) -> bool:
        """No document is on its way: making a sheet must not hold up an answer."""
        return not any(one.is_reading for one in self._printers.lines.values())

    def is_free(self, line: str) -> bool:
        """It is there, and the shop is quiet."""
        return line in self._printers.lines and self.is_quiet

    def sheet(self, line: str, content: Content, mark: Mark) -> bytes:
        """The body for that line's printer. SlipError, OrderError."""
        config, now = self._printers.config, self._now()
        local = datetime.fromtimestamp(now, ZoneInfo(config.shop.tz))
        around = Around(
            config.shop.name, config.shop.currency, config.shop.decimals, local.strftime("%Y-%m-%d"),
            local.strftime("%H:%M"),
        )  # fmt: skip
        settings = self._settings().get(line)
        drawer = settings is not None and settings.job_drawer
        return body(content, self._press(line), self._printers.decisions, around, mark, drawer=drawer)

    def hand_over(
        self, job: PrintJob, raw: bytes, expires_ms: int, *, cut: bool
    ) -> tuple[asyncio.Queue[JobState], Callable[[], None]]:
        """The line's words on the job, and how to take it back."""
        session = self._printers.lines[job.line]
        states = session.send_job(Job(job.name, raw, cut, expires_ms, job.copies))
        return states, lambda: session.cancel_job(job.name)

    def _settings(self) -> Mapping[str, LineSettings]:
        return {line.name: line for line in self._printers.config.line if line.printer}

    def _press(self, line: str) -> Press:
        session, settings = self._printers.lines.get(line), self._settings().get(line)
        hello = session.hello if session is not None else None
        name = hello.profile if hello is not None else settings.profile if settings is not None else ""
        try:
            profile = self._printers.profile(name)
        except ConfigError as fault:
            raise SlipError(str(fault), reason="printer") from fault
        # The till's stored symbol and code page are the line's to know: a QR as a picture is right in any case.
        return Press(profile, False, -1, hello.bytes_per_s if hello is not None else 0, qr.matrix, text_raster)
