"""The one error root, and the reasons a support agent can act on.

Owns: `EdgeboxError` and its few children. Each carries a `reason` (a short, stable word for logs, metrics and
tests) and a `hint` (what a person can do about it). Never: raised for bad bytes on the wire. Those are data: the
parser yields `Unknown` and goes on. Standard library only, because the line imports it.
"""

from __future__ import annotations


class EdgeboxError(Exception):
    """Root of every error this product raises on purpose.

    `reason` is a stable word (`bad_url`, `port_busy`); `hint` says in a sentence what to do.
    """

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(EdgeboxError):
    """The configuration can't be used; the message lists every fault with file, line, key and what was expected."""


class DriverError(EdgeboxError):
    """An end of the wire can't be opened or has failed."""


class ClaimError(EdgeboxError):
    """A claim's token or URL is refused; `reason` says why (version, epoch, mac, expired, store, format)."""


class SlipError(EdgeboxError):
    """A slip can't be composed for this printer (too wide, too long, script missing)."""


class StoreError(EdgeboxError):
    """Something is not recorded, or can't be asked for.

    Reasons: `locked` (another engine has the database), `io` (the system's words follow), `corrupt`, `version` (a newer
    edgebox wrote it), `refused` (SQLite takes no such row), `slow` (a question took too long), `ack` (beyond what is
    recorded), `epoch` (no such epoch), `size` (a fact too large), `closed`.
    """


class StoreFull(StoreError):  # noqa: N818 - what callers and the house plan call it
    """There is no room. Reasons: `disk` (the card is full), `budget` ([store] max_mb), `queue` (too many wait)."""


class SyncError(EdgeboxError):
    """The cloud can't be reached or won't have us; `reason` says why (url, credentials, tls, clock, refused …)."""


class OrderError(EdgeboxError):
    """A command of the fleet can't be carried out; `reason` says why (docs/commands.md lists them)."""


class UpdateError(EdgeboxError):
    """A new version is not taken; `reason` says why (docs/updates.md lists them)."""


class PageError(EdgeboxError):
    """The managers' page refuses; `reason` says why (edgebox/web/refusals.py lists them with their HTTP status)."""


class ReportError(EdgeboxError):
    """The managers' page asks for what can't be: `bad_cursor`, `bad_text`, `no_receipt`, `no_paper`, `amount`, `same`,
    `revision`, `kind`, `no_keys`, `reprint`, `taps`, `no_profile`, `month`."""
