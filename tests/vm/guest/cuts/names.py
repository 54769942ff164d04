"""What an event is known by, on both sides of a power cut.

Owns: one name for each thing that must be there once, and only once. Two events with one name are a thing that was
claimed, redeemed or recorded twice.
"""

from __future__ import annotations

from edgebox.store.events import (
    ClaimRecord,
    ClaimState,
    Event,
    ReceiptRecord,
    RedemptionRecord,
    RedemptionState,
)


def names_of(*events: Event) -> list[str]:
    """None for what the box writes of itself, and for what may stand there twice."""
    found: list[str] = []
    for event in events:
        match event:
            case ReceiptRecord():
                found.append(f"receipt {event.session} {event.document}")
            case ClaimRecord(state=ClaimState.GRANTED):
                found.append(f"claim {event.claim} {event.revision}")
            case RedemptionRecord(state=RedemptionState.REDEEMED):
                found += [f"coupon {event.ref}", f"slip {event.number}"]
    return found
