"""Where each kind of bundle stands: desired, staged until its time, on trial, in force, or rolled back.

Owns: the steps of one kind (`Held`) and that revisions only go up. Never: keeps, applies or times anything
(edgebox/orders/bundles.py), or knows what a bundle holds.

    desired ─▶ refused (older, or the same number with other content)
       │
       ├─▶ rejected (its content can't be had: what is in force stays)
       ▼
    staged ── activate_at ──▶ trial ──▶ in force, or stored where nothing on this box uses it yet
                                └─────▶ rolled back to what was in force before

A revision that was rejected or rolled back is used up: the next try has a higher one. Nothing but a failed trial or a
signed `config.rollback` ever brings back an earlier content, and then only the one right before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from sync.contract import BundleState
from sync.contract_commands import Refused, Role

REJECTED_MAX = 100  # keys reported of one bundle; the rest as a number
_REST = "…"
UNKNOWN = ""


class BundlePhase(StrEnum):
    """What became of the revision desired last."""

    NONE = ""
    STAGED = "staged"
    TRIAL = "trial"
    IN_FORCE = "in_force"
    STORED = "stored"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A revision and its content. `job`: the command that brought it, or "". `role`: the signer's."""

    revision: int
    content: msgspec.Raw
    activate_at: int = 0
    by: str = ""
    job: str = ""
    role: int = Role.OPERATOR.value


class Held(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One kind. `seen`, `digest`: the highest revision that came, and its content (UNKNOWN: it is not remembered)."""

    seen: int = 0
    digest: str = UNKNOWN
    phase: BundlePhase = BundlePhase.NONE
    ready: int = 0
    rejected: dict[str, str] = {}
    reason: str = ""
    staged: Kept | None = None
    force: Kept | None = None
    before: Kept | None = None


class Desired(NamedTuple):
    """What became of an offer. `refused`: nothing changed. `is_new` false: this very revision is known."""

    held: Held
    refused: Refused | None
    is_new: bool


def desire(held: Held, kept: Kept, rejected: Mapping[str, str], now: int, *, partial: bool = False) -> Desired:
    """Takes a revision in: staged, or rejected for its keys. `partial`: the rest is taken without these."""
    digest = hashlib.sha256(bytes(kept.content) + b"\0%d" % kept.activate_at).hexdigest()
    if held.phase is BundlePhase.TRIAL:
        return Desired(held, Refused.BUSY, False)
    if kept.revision < held.seen:
        return Desired(held, Refused.OLD_REVISION, False)
    if kept.revision == held.seen:
        return Desired(held, None if held.digest in (digest, UNKNOWN) else Refused.REVISION_REUSED, False)
    told = _bounded(rejected)
    seen = msgspec.structs.replace(held, seen=kept.revision, digest=digest, rejected=told, reason="", ready=0)
    if rejected and not partial:
        new = msgspec.structs.replace(seen, phase=BundlePhase.REJECTED, reason=Refused.BAD_CONTENT.value, staged=None)
    else:
        new = msgspec.structs.replace(seen, phase=BundlePhase.STAGED, staged=kept, ready=now)
    return Desired(new, None, True)


def is_due(held: Held, now: int) -> bool:
    """A revision waits, and its time has come."""
    return held.staged is not None and held.staged.activate_at <= now


def activate(held: Held) -> Held:
    """On trial. To be kept before anything is applied: if the box dies now, it finds itself in the middle."""
    assert held.staged is not None, "something is due"
    return msgspec.structs.replace(
        held, phase=BundlePhase.TRIAL, staged=None, force=held.staged, before=held.force or held.before
    )


def confirm(held: Held, *, is_used: bool = True) -> Held:
    """The trial was good. `is_used` false: kept for a part that this box doesn't have yet."""
    return msgspec.structs.replace(held, phase=BundlePhase.IN_FORCE if is_used else BundlePhase.STORED)


def fail(held: Held, reason: str) -> Held:
    """The trial was not: what was in force before is so again, as far as there was anything."""
    return msgspec.structs.replace(held, phase=BundlePhase.ROLLED_BACK, reason=reason, force=held.before, before=None)


def step_back(held: Held, job: str) -> Held | None:
    """On trial with what was in force before, because somebody who may has said so. None: there is nothing before."""
    if held.before is None or held.phase is BundlePhase.TRIAL:
        return None
    back = msgspec.structs.replace(held.before, job=job)
    return msgspec.structs.replace(
        held, phase=BundlePhase.TRIAL, reason="", rejected={}, staged=None, force=back, before=held.force
    )


def state_of(held: Held) -> BundleState:
    """What is reported."""
    return BundleState(
        revision=held.force.revision if held.force else 0,
        desired=held.seen,
        state=held.phase.value,
        ready=held.ready if held.phase is BundlePhase.STAGED else 0,
        rejected=dict(held.rejected),
        reason=held.reason,
    )


def _bounded(rejected: Mapping[str, str]) -> dict[str, str]:
    told = {key[:80]: why[:200] for key, why in list(rejected.items())[:REJECTED_MAX]}
    if len(rejected) > REJECTED_MAX:
        told[_REST] = f"and {len(rejected) - REJECTED_MAX} more"
    return told
