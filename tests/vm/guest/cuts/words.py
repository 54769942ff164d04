"""What the host says to the guest's clerk and hears from it: lines of JSON on a virtio-serial port."""

from __future__ import annotations

import msgspec


class Accepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="accepted"):
    """Recorded for good, as far as anybody in the shop knows. `names`: as names.py; `number`, `claim`, `url`: of a
    receipt that the till printed; `code`: of a coupon that was redeemed."""

    names: list[str]
    number: int = 0
    claim: str = ""
    url: str = ""
    code: str = ""


class Next(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of printing on after the cut. `result`, `paper_in_order`: of the next receipt: its slip stands before
    its cut; `answers`: to coupons that had been redeemed; `again`: claim and URL of a receipt's reprint."""

    result: str
    paper_in_order: bool
    answers: list[str] = []
    again: tuple[str, str] = ("", "")
    names: list[str] = []


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="found"):
    """A box after a cut. `names`: of all that is recorded; `holes`: in the journal's numbers; `news`: what the store
    had to say of its start; `epochs`: lives of the database; `follows`: the next record got the next number;
    `fault`: it could not be looked at."""

    names: list[str] = []
    holes: list[str] = []
    news: list[str] = []
    epochs: int = 0
    follows: bool = False
    next: Next | None = None
    fault: str = ""
    mount_ms: int = 0
    open_ms: int = 0


class Stopped(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="stopped"):
    """The shop was closed by force. `fault`: it had ended by itself."""

    fault: str = ""


class Look(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="look"):
    """Mount the disk, open the store, say what is there. `prints`: also start line and engine and print on.

    `codes`: of redeemed coupons, to be presented once more; `reprint`: the number of a receipt that has its claim;
    `seed`: hex, for the guest's chance, which is that of the frozen one else.
    """

    prints: int = 0
    codes: list[str] = []
    reprint: int = 0
    seed: str = ""


class Work(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="work"):
    """Mount the disk and let a shop work on it, from receipt `first` on. `synchronous`: another word than the store's
    own, for the control; `seed`: as of Look."""

    first: int = 1
    seed: str = ""
    synchronous: str = ""


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    """Kill the shop and let go of the disk."""


Order = Look | Work | Stop
Word = Accepted | Found | Stopped
