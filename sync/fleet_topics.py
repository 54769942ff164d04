"""The topics of a whole fleet, from one template: whose message this is, and where a box listens.

Owns: filters with wildcards, and a topic taken apart into store, box and what it is about. Never: one box's own topics
(topics.py), or anything outside of one tenant: an operator's tool is one merchant's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edgebox.errors import SyncError

_NAMES = re.compile(r"\{(\w+)\}")
_NO_NAME = re.compile(r"[+#/\x00-\x1f\x7f]")


class Place(NamedTuple):
    """A box's names in topics. `store` "": the template has no stores."""

    store: str
    box: str


class FleetTopics:
    """The template of one tenant. SyncError (`topics`) when it can't be used."""

    def __init__(self, template: str, tenant: str) -> None:
        used = _NAMES.findall(template)
        if "box" not in used or set(used) - {"tenant", "store", "box"} or len(used) != len(set(used)):
            raise SyncError(f"{template!r} must hold {{box}} once", reason="topics", hint="topics in fleet.toml")
        if "tenant" in used and not tenant:
            raise SyncError("no name for the tenant", reason="topics", hint="tenant in fleet.toml, or --tenant")
        if _NO_NAME.search(tenant):
            raise SyncError(f"{tenant!r} is no name for topics", reason="topics")
        self.has_stores = "store" in used
        self._template = template.strip("/").replace("{tenant}", tenant)
        pieces = _NAMES.split(self._template)  # text, name, text, name, …
        pattern = "".join(
            f"(?P<{piece}>[^/]+)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)
        )
        self._pattern = re.compile(f"{pattern}/(?P<rest>.+)")
        self._filter = "/".join("+" if _NAMES.search(level) else level for level in self._template.split("/"))

    def everybody(self, rest: str) -> str:
        """The filter of one kind of message from or to every box."""
        return f"{self._filter}/{rest}"

    def one(self, place: Place, rest: str) -> str:
        """A topic of one box. SyncError: no such name can stand in a topic."""
        for name in place:
            if _NO_NAME.search(name):
                raise SyncError(f"{name!r} is no name for topics", reason="topics")
        if not place.box or (self.has_stores and not place.store):
            raise SyncError(f"no store for {place.box}", reason="topics", hint="name it as STORE/BOX")
        return f"{self._template.format(store=place.store, box=place.box)}/{rest}"

    def read(self, topic: str) -> tuple[Place, str] | None:
        """Whose it is and what it is about; None: no box's of this tenant."""
        match = self._pattern.fullmatch(topic)
        if match is None:
            return None
        return Place(match["store"] if self.has_stores else "", match["box"]), match["rest"]
