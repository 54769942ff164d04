"""The newest lines of the log, in memory, with what nobody else may see taken out.

Owns: the tail, and the redaction of a line. Never: a file, or a line that was not redacted as it came.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from datetime import UTC, datetime

from edgebox.receipt.redact import mask
from edgebox.store.store import Store

TAIL_LINES = 2000
LINE_CHARS = 400  # of one log line; a traceback's last lines say the most, each is a line
MASKED = "***"

_url = re.compile(r"(?i)\b((?:https?|mqtts?|wss?|tcp)://)([^\s/\"'<>]+)([^\s\"'<>]*)")
_secret = re.compile(r"[A-Za-z0-9+/_=-]{32,}")  # claims' tokens (58), keys in hex (64) and base64 (44)
_ip4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_ip6 = re.compile(r"(?i)(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w+)?(?![\w:])")
_mac = re.compile(r"(?i)(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])")
_clock = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?").fullmatch


def redact(text: str) -> str:
    """A line without addresses, tokens, keys, telephones, cards and names."""
    text = _url.sub(lambda found: f"{found[1].lower()}{MASKED}", text)
    text = _secret.sub(MASKED, text)
    text = _ip4.sub(MASKED, _mac.sub(MASKED, text))
    text = _ip6.sub(lambda found: found[0] if _clock(found[0]) else MASKED, text)
    return mask(text)


class LogTail(logging.Handler):
    """The newest lines of the log, redacted as they come. A part of the engine: it hears from open to stop."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)

    async def open(self, store: Store) -> None:
        """Hears the log from now on."""
        logging.getLogger().addHandler(self)

    async def look(self) -> None:
        """Nothing to do: old lines go as new ones come."""

    async def stop(self) -> None:
        """Hears no more."""
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a line, and a traceback line by line."""
        try:
            text = self.format(record)
            at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for line in text.splitlines()[:100]:
                self._lines.append(f"{at} {record.levelname.lower()} {redact(line[:LINE_CHARS])}")
        except Exception:  # a log line that can't be made must not stop what it tells of
            self.handleError(record)

    def newest(self, lines: int) -> list[str]:
        """So many, oldest first."""
        return list(self._lines)[-lines:] if lines else []
