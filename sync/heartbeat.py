"""The sign of life: what a State says, and for how long it is good.

Owns: State's fields. Never: sends it (uplink.py).

Many large clouds keep no retained messages and no wills, so neither is needed: each State says when it goes stale.
Where the broker has them, `[sync] retain` shows the last State to whoever looks later, and `[sync] will` says "offline"
sooner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from sync.contract import Backlog, State

BEATS = 3  # so many signs of life may get lost before a box counts as offline
WILL_DELAY_S = 10  # a connection that breaks and comes back is not worth an alarm


class About(NamedTuple):
    """What the engine says of itself. `boot`, `up_s`: of the machine. `trusted`: its clock is right."""

    version: str = ""
    boot: str = ""
    up_s: int = 0
    trusted: bool = False
    health: Mapping[str, str] = {}
    lines: Mapping[str, str] = {}
    bundles: Mapping[str, int] = {}


def expires_s(heartbeat_s: int) -> int:
    """How long a sign of life is good."""
    return BEATS * heartbeat_s


def state(
    box: str,
    about: About,
    *,
    at: int,
    heartbeat_s: int,
    epoch: str,
    backlog: Mapping[str, Backlog],
    acknowledged: Mapping[str, int],
    refused: Mapping[str, int],
    health: Mapping[str, str],
    online: bool = True,
) -> bytes:
    """The message. `health` of the connection goes before what the engine says under the same name."""
    return msgspec.json.encode(
        State(
            box=box,
            online=online,
            at=at,
            trusted=about.trusted,
            expires_s=expires_s(heartbeat_s),
            boot=about.boot,
            up_s=about.up_s,
            version=about.version,
            epoch=epoch,
            backlog={stream: waiting for stream, waiting in backlog.items() if waiting.rows},
            acknowledged=dict(acknowledged),
            refused=dict(refused),
            health={**about.health, **health},
            lines=dict(about.lines),
            bundles=dict(about.bundles),
        )
    )


def short(full: bytes) -> bytes:
    """The same for a broker that takes only short messages: who is there and how much waits, without words."""
    known = msgspec.json.decode(full, type=State)
    return msgspec.json.encode(
        msgspec.structs.replace(known, acknowledged={}, refused={}, health={}, lines={}, bundles={})
    )


def will(box: str) -> bytes:
    """What the broker says when the box is gone without a word. It has no time: nobody knows when it is sent."""
    return msgspec.json.encode(State(box=box, online=False))
