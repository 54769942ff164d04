"""The keys of one box, as the cloud sent them: what it may sign with, and when.

Owns: `Keyring` and `EpochKey`, whose repr never shows a key. Never: reads a file (edgebox/keys.py does), derives keys
(derivation.py, for the cloud's side) or holds a store's master.

A signing key belongs to one box and one epoch. An epoch's number in a token is one byte, so it comes round; the index
it is taken from never does. Keys for at least 30 days are there ahead: a box without network keeps signing.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgebox.errors import ClaimError

KEY_BYTES = 32  # HMAC-SHA256: as long as the digest (RFC 2104, section 3)
STORE_MAX = (1 << 24) - 1  # three bytes in the token
DEVICE_MAX = (1 << 16) - 1  # two


@dataclass(frozen=True, slots=True, repr=False)
class EpochKey:
    """The key of one epoch. `index` counts epochs for ever; `valid_from` in seconds since 1970."""

    index: int
    valid_from: int
    key: bytes

    @property
    def number(self) -> int:
        """The epoch as a token names it: the index's low byte."""
        return self.index & 0xFF

    def __repr__(self) -> str:
        return f"EpochKey(index={self.index}, valid_from={self.valid_from}, key=<secret>)"


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """All that a box needs to sign claims. `epochs`, one at least, in order of time; the last one ends at `until`.

    `prefix`: what stands before a token in the URL, upper case, e.g. `HTTPS://M.EXAMPLE.CN/C/`.
    """

    store: int
    device: int
    prefix: str
    id_key: bytes
    epochs: tuple[EpochKey, ...]
    until: int

    def __repr__(self) -> str:
        indexes = [epoch.index for epoch in self.epochs]
        where = f"store={self.store}, device={self.device}, prefix={self.prefix!r}"
        return f"Keyring({where}, epochs={indexes}, keys=<secret>)"

    def signing(self, now: int, *, clock_trusted: bool) -> EpochKey:
        """The key in force at `now` (seconds since 1970).

        A box that doesn't know the time signs with the nearest key it has; the token says that the clock isn't to be
        trusted. With a trusted clock, ClaimError `epoch`: the keys are used up, or not valid yet.
        """
        if clock_trusted and not self.epochs[0].valid_from <= now < self.until:
            raise ClaimError(
                "no key for this time",
                reason="epoch",
                hint="the cloud has to send newer keys" if now >= self.until else "the keys are for a later time",
            )
        begun = [epoch for epoch in self.epochs if epoch.valid_from <= now]
        return begun[-1] if begun else self.epochs[0]

    def span(self, number: int, now: int) -> tuple[EpochKey, int] | None:
        """The epoch that tokens call `number` and when it ends; of two that share the number, the one nearer `now`."""
        ends = [epoch.valid_from for epoch in self.epochs[1:]] + [self.until]
        found = [pair for pair in zip(self.epochs, ends, strict=True) if pair[0].number == number]
        return min(found, key=lambda pair: abs(pair[0].valid_from - now), default=None)

    def days_left(self, now: int) -> int:
        """Whole days for which there are still keys; 0 when they are used up."""
        return max(0, (self.until - now) // 86400)
