"""What the engine does with bundles while it runs: receipt profiles and words.

Owns: how each is put to use and taken out of use again. Never: keeps or judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from edgebox import orders_content
from edgebox.orders_bundles import Checked, User
from edgebox.receipt.profiles import Profile
from sync.bundles import Kept
from sync.contract import BundleKind
from sync.contract_commands import Role


class Reads(Protocol):
    """The engine, as far as it reads receipts."""

    def use_profiles(self, more: Sequence[Profile]) -> None:
        """Besides those in files."""

    def use_words(self, more: Sequence[Mapping[str, Mapping[str, Sequence[str]]]]) -> None:
        """Besides those in files. ConfigError."""


class _Use:
    """A kind that is put to use at once, by one call."""

    def __init__(self, kind: BundleKind, use: Callable[[bytes | None], None]) -> None:
        self._kind = kind
        self._use = use

    def check(self, content: bytes, role: Role) -> Checked:
        """By the shape, and by the part itself."""
        return Checked(orders_content.rejected(self._kind, content))

    async def take(self, kept: Kept | None) -> bool:
        """In force when it returns."""
        self._use(bytes(kept.content) if kept is not None else None)
        return True


def users(engine: Reads) -> dict[BundleKind, User]:
    """Who uses what on this box."""

    def profiles(content: bytes | None) -> None:
        engine.use_profiles(orders_content.profiles(content) if content is not None else ())

    def words(content: bytes | None) -> None:
        tables: list[Any] = [orders_content.words(content)] if content is not None else []
        engine.use_words(tables)

    return {
        BundleKind.PROFILES: _Use(BundleKind.PROFILES, profiles),
        BundleKind.LEXICON: _Use(BundleKind.LEXICON, words),
    }
