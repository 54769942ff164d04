"""Why the page refuses: each reason once, with its HTTP status.

Owns: the table. Never: the words (edgebox/web/words/refusals.toml has a sentence for each, in each language; a test
holds the two together).
"""

from __future__ import annotations

from edgebox.errors import PageError

STATUS = {
    "signed_out": 401,
    "token": 401,  # none of ours
    "csrf": 403,  # sent by another page, or from one that was open too long
    "origin": 403,
    "peer": 403,  # not from the shop's network
    "role": 403,
    "read_only": 403,  # a token that may only ask
    "not_found": 404,
    "method": 405,
    "slow": 408,  # the body did not come
    "conflict": 409,
    "on_trial": 409,  # a change of settings
    "too_large": 413,
    "host": 421,
    "bad_input": 422,
    "too_many": 429,
    "locked": 429,
    "wrong_password": 403,
    "weak_password": 422,
    "name_taken": 409,
    "last_owner": 409,
    "pairing": 403,
    "pairing_over": 410,
    "setting": 422,  # it can't be had
    "read_only_box": 409,  # nobody may change settings on its page
    "no_printer": 503,
    "busy": 503,
    "store": 503,
    "fault": 500,
}
"""Reason → status. RFC 9110; 421 for a name that is not ours (section 15.5.20), 429 of RFC 6585."""


def refused(reason: str, hint: str = "") -> PageError:
    """The error to raise. `hint`: what exactly, for programs; people read the reason's sentence."""
    assert reason in STATUS, reason
    return PageError(reason, reason=reason, hint=hint)


def status_of(fault: PageError) -> int:
    """The HTTP status of a refusal."""
    return STATUS.get(fault.reason, 500)
