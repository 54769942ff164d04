"""The commands of the fleet: name, typed arguments and results, who may give them, and what they share a lane with.

Owns: COMMANDS, the one table of them. Never: decides (commands.py) or does (edgebox/orders/orders.py) anything.
docs/commands.md tells people the same; a test holds the two together.

A signing key has a role, and its name says which (signing.py). A role may do all that the lower ones may.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from sync.contract import BundleKind
from sync.contract_content import CouponSpec, Seconds, Word
from sync.contract_print import OrderArgs, OrderPaidArgs, PaperResult, PrintArgs, PrintCancelArgs

RESEND_MAX = 100_000  # rows that one `resend` may ask for; more in several


class Role(IntEnum):
    """Who signs. Each may do what the ones before it may."""

    OPERATOR = 1  # support: looks, prints, restarts
    OWNER = 2  # the merchant: what earns, what slips say, who is a member
    KEYMASTER = 3  # whose key lies in a safe: keys, certificates, and who else may command


class Lane(StrEnum):
    """Commands of one lane wait for each other; of several lanes, they don't."""

    ASK = "ask"  # answered at once
    CHANGE = "change"  # what the box is set to: one after the other, in order
    PAPER = "paper"  # may wait minutes for a till that is printing, or for paper
    BULK = "bulk"  # many bytes


class _Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What arguments and results have in common. Unknown fields are an error in arguments (commands.py sees to it)."""


class _Args(_Shape, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Arguments: a field that the box doesn't know may be the one that mattered."""


SEALED_MAX = 64 << 10
SEALED_OR_NONE = r"^$|^[A-Za-z0-9+/]{40,}={0,2}$"
Sealed = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{40,}={0,2}$", max_length=SEALED_MAX)]
Line = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


# -- arguments


class NoArgs(_Args, frozen=True, kw_only=True):
    """None."""


class PingArgs(_Args, frozen=True, kw_only=True):
    """`text` comes back."""

    text: Annotated[str, Meta(max_length=256)] = ""


class ConfigGetArgs(_Args, frozen=True, kw_only=True):
    """`keys`: `section.key` or `section`; none: all."""

    keys: Annotated[tuple[Word, ...], Meta(max_length=256)] = ()


class SetArgs(_Args, frozen=True, kw_only=True):
    """A bundle given as a command: the whole of its kind, as in Bundle."""

    revision: Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]
    content: msgspec.Raw
    activate_at: Seconds = 0


class RollbackArgs(_Args, frozen=True, kw_only=True):
    """Back to what was in force before `revision`, if that is what is in force now (0: whatever is)."""

    revision: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)] = 0


class CouponsAddArgs(_Args, frozen=True, kw_only=True):
    """Coupons by id; one that is known is replaced. `codes`: codes for slips, a JSON list of CodeGift, sealed to the
    box (edgebox/sealed.py): who holds one may use it."""

    coupons: Annotated[tuple[CouponSpec, ...], Meta(max_length=500)] = ()
    codes: Annotated[str, Meta(pattern=SEALED_OR_NONE, max_length=SEALED_MAX)] = ""

    def __post_init__(self) -> None:
        if not self.coupons and not self.codes:
            raise ValueError("expected coupons, or codes")


class CouponsRevokeArgs(_Args, frozen=True, kw_only=True):
    """`coupons`: whole coupons, by id. `codes`: single codes, as the keyed hashes that redemptions carry."""

    coupons: Annotated[tuple[Word, ...], Meta(max_length=500)] = ()
    codes: Annotated[tuple[Annotated[str, Meta(pattern=r"^[0-9a-f]{16,64}$")], ...], Meta(max_length=2000)] = ()


class Verdict(_Args, frozen=True, kw_only=True):
    """What the cloud says to one slip of this box, a redemption or a reversal.

    `request`, `code`, `number`: as in its record. `conflict`: of a redemption, another use of the code stands, that of
    `other` (a shop's name) at `other_at` (seconds since 1970); of a reversal, who issued the code does not take it
    back. `reason`: a word for it, or the channel's own (`weixin_busifavor:EXPIRED`). Another verdict to the same slip
    takes the place of the one before.
    """

    request: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
    code: Annotated[str, Meta(pattern=r"^[0-9a-f]{16,64}$")]
    number: Annotated[int, Meta(ge=1, le=1 << 53)]
    verdict: Literal["confirmed", "conflict"]
    reason: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{0,64}$")] = ""
    other: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""
    other_at: Seconds = 0

    @property
    def agrees(self) -> bool:
        """Nothing for a person to look at."""
        return self.verdict == "confirmed"


class CouponsSettleArgs(_Args, frozen=True, kw_only=True):
    """Verdicts; in any order, and as often as one likes."""

    verdicts: Annotated[tuple[Verdict, ...], Meta(min_length=1, max_length=200)]


class TallyArgs(_Args, frozen=True, kw_only=True):
    """`shift`: a closed one's number; 0: the open one."""

    shift: Annotated[int, Meta(ge=0, le=1 << 53)] = 0


class SealedArgs(_Args, frozen=True, kw_only=True):
    """What the broker must not read: sealed to the box (edgebox/sealed.py), base64."""

    sealed: Sealed


class KeysRevokeArgs(_Args, frozen=True, kw_only=True):
    """Epochs by index; the box signs with them no more."""

    epochs: Annotated[tuple[Annotated[int, Meta(ge=0, le=(1 << 32) - 1)], ...], Meta(min_length=1, max_length=520)]


class CancelArgs(_Args, frozen=True, kw_only=True):
    """The command that is not to be carried out, by its id."""

    id: Word


class ReprintArgs(_Args, frozen=True, kw_only=True):
    """The slip of a claim once more, with the token that it had. `line`: where; "": where it was printed."""

    claim: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
    line: Annotated[str, Meta(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")] = ""


class BypassArgs(_Args, frozen=True, kw_only=True):
    """`slips` false: this line prints no slips until it is told to again; receipts are read and recorded."""

    line: Line
    slips: bool


class DiagArgs(_Args, frozen=True, kw_only=True):
    """What to leave out of the bundle, to keep it small."""

    log_lines: Annotated[int, Meta(ge=0, le=2000)] = 1000
    health_rows: Annotated[int, Meta(ge=0, le=1000)] = 200


class LogLevelArgs(_Args, frozen=True, kw_only=True):
    """For `minutes`, then as configured again."""

    level: Annotated[str, Meta(pattern=r"^(debug|info|warning|error)$")]
    minutes: Annotated[int, Meta(ge=1, le=24 * 60)] = 60


class RestartArgs(_Args, frozen=True, kw_only=True):
    """The engine only: the lines are never restarted from afar."""

    why: Annotated[str, Meta(max_length=200)] = ""


class TimeCheckArgs(_Args, frozen=True, kw_only=True):
    """`at_ms`: the sender's clock when it sent, milliseconds since 1970."""

    at_ms: Annotated[int, Meta(ge=0, le=1 << 53)]


class ResendArgs(_Args, frozen=True, kw_only=True):
    """Rows `first` to `last` of a stream and epoch, once more."""

    stream: Word
    epoch: Word
    first: Annotated[int, Meta(ge=1, le=1 << 53)]
    last: Annotated[int, Meta(ge=1, le=1 << 53)]

    def __post_init__(self) -> None:
        if not 0 <= self.last - self.first < RESEND_MAX:
            raise ValueError(f"expected first <= last, and at most {RESEND_MAX} rows")


class UpdateArgs(_Args, frozen=True, kw_only=True):
    """The manifest of a release."""

    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+([.-][A-Za-z0-9.]{1,32})?$")]
    url: Annotated[str, Meta(pattern=r"^https://[^\s?#@]{1,512}$")]
    sha256: Digest
    size: Annotated[int, Meta(ge=1, le=1 << 30)]


# -- results


class PingResult(_Shape, frozen=True, kw_only=True):
    """Who answers. `seal`: its public key for sealed arguments, `seal_proof` says that it is the box's own."""

    text: str = ""
    version: str = ""
    up_s: int = 0
    seal: str = ""
    seal_proof: str = ""


class ConfigResult(_Shape, frozen=True, kw_only=True):
    """`values`: what is in force, secrets left out. `set_here`: keys that the overlay holds, by who set them."""

    values: dict[str, Any] = {}
    revision: int = 0
    set_here: dict[str, str] = {}


class SetResult(_Shape, frozen=True, kw_only=True):
    """What became of a bundle. `in_force` false: it waits for its time, or nothing on this box uses it yet."""

    kind: str
    revision: int
    in_force: bool
    state: str
    rejected: dict[str, str] = {}


class CountResult(_Shape, frozen=True, kw_only=True):
    """How many there are now. `in_force` false: nothing on this box uses them yet."""

    count: int
    changed: int = 0
    in_force: bool = True


class CouponsResult(CountResult, frozen=True, kw_only=True):
    """Of codes for slips: `new` ones are in their pools now, `known` ones were there before and stay as they are."""

    new: int = 0
    known: int = 0


class SettleResult(_Shape, frozen=True, kw_only=True):
    """`new`: written down now; `known`: the same was written down before; `unknown`: numbers of slips that this box
    has no record of, as after the loss of its database."""

    new: int
    known: int = 0
    unknown: tuple[int, ...] = ()


class TallyResult(_Shape, frozen=True, kw_only=True):
    """A shift's sums: how many, minor units, points. `first`, `last`: slips; `ended` 0: open. Lists: 100 at most."""

    shift: int
    begun: int
    ended: int
    first: int
    last: int
    total: tuple[int, int, int]
    by_cashier: dict[str, tuple[int, int, int]] = {}
    by_coupon: dict[str, tuple[int, int, int]] = {}
    by_batch: dict[str, tuple[int, int, int]] = {}
    taken_back: tuple[int, ...] = ()
    offline: tuple[int, ...] = ()


class KeysResult(_Shape, frozen=True, kw_only=True):
    """The epochs there are (indexes, no keys), and for how many days they last."""

    epochs: tuple[int, ...]
    days_left: int


class TimeResult(_Shape, frozen=True, kw_only=True):
    """The box's clock; `offset_ms`: how far it is ahead of the sender's, the message's way included."""

    at_ms: int
    offset_ms: int
    trusted: bool


class DiagResult(_Shape, frozen=True, kw_only=True):
    """All chunks have gone out before this: a tar.gz of `size` bytes."""

    chunks: int
    size: int
    sha256: str


class Chunk(_Shape, frozen=True, kw_only=True):
    """A piece of something long, in a Reply in state running. `number` counts from 0; `data` is base64."""

    number: int
    of: int
    data: str


class BackupResult(_Shape, frozen=True, kw_only=True):
    """A file on the box."""

    file: str
    size: int


class CommandKind(NamedTuple):
    """A row of the table. `role`: the least that may. `keeps_args`: they may be written down as they are.

    `waits`: it stays `queued` until its handler says that it has begun.
    """

    args: type[msgspec.Struct]
    result: type[msgspec.Struct]
    role: Role
    lane: Lane
    keeps_args: bool = True
    bundle: BundleKind | None = None
    waits: bool = False


def _bundle(kind: BundleKind, role: Role = Role.OWNER) -> CommandKind:
    return CommandKind(SetArgs, SetResult, role, Lane.CHANGE, keeps_args=False, bundle=kind)


_SAFE, _SHOP, _KEYS = Role.OPERATOR, Role.OWNER, Role.KEYMASTER

COMMANDS: dict[str, CommandKind] = {
    "ping": CommandKind(PingArgs, PingResult, _SAFE, Lane.ASK),
    "config.get": CommandKind(ConfigGetArgs, ConfigResult, _SAFE, Lane.ASK),
    "config.set": _bundle(BundleKind.CONFIG),
    "config.rollback": CommandKind(RollbackArgs, SetResult, _SHOP, Lane.CHANGE),
    "rules.set": _bundle(BundleKind.RULES),
    "slips.set": _bundle(BundleKind.SLIPS),
    "profiles.set": _bundle(BundleKind.PROFILES),
    "lexicon.set": _bundle(BundleKind.LEXICON),
    "members.set": _bundle(BundleKind.MEMBERS),
    "beacon.set": _bundle(BundleKind.BEACONS),
    "tags.set": _bundle(BundleKind.TAGS),
    "pick_ups.set": _bundle(BundleKind.PICK_UPS),
    "coupons.add": CommandKind(CouponsAddArgs, CouponsResult, _SHOP, Lane.CHANGE, keeps_args=False),
    "coupons.revoke": CommandKind(CouponsRevokeArgs, CountResult, _SHOP, Lane.CHANGE),
    "coupons.settle": CommandKind(CouponsSettleArgs, SettleResult, _SAFE, Lane.CHANGE, keeps_args=False),
    "desk.tally": CommandKind(TallyArgs, TallyResult, _SAFE, Lane.ASK),
    "keys.add": CommandKind(SealedArgs, KeysResult, _KEYS, Lane.CHANGE, keeps_args=False),
    "keys.revoke": CommandKind(KeysRevokeArgs, KeysResult, _KEYS, Lane.CHANGE),
    "tls.set": CommandKind(SealedArgs, SetResult, _KEYS, Lane.CHANGE, keeps_args=False),
    "print": CommandKind(PrintArgs, PaperResult, _SAFE, Lane.PAPER, keeps_args=False, waits=True),
    "print.cancel": CommandKind(PrintCancelArgs, CountResult, _SAFE, Lane.ASK),
    "order": CommandKind(OrderArgs, PaperResult, _SAFE, Lane.PAPER, keeps_args=False, waits=True),
    "order.paid": CommandKind(OrderPaidArgs, PaperResult, _SAFE, Lane.PAPER, keeps_args=False, waits=True),
    "cancel": CommandKind(CancelArgs, NoArgs, _SAFE, Lane.ASK),
    "receipt.reprint": CommandKind(ReprintArgs, PaperResult, _SAFE, Lane.PAPER),
    "line.bypass": CommandKind(BypassArgs, CountResult, _SAFE, Lane.CHANGE),
    "diag.bundle": CommandKind(DiagArgs, DiagResult, _SAFE, Lane.BULK),
    "log.level": CommandKind(LogLevelArgs, NoArgs, _SAFE, Lane.ASK),
    "restart": CommandKind(RestartArgs, NoArgs, _SAFE, Lane.CHANGE),
    "time.check": CommandKind(TimeCheckArgs, TimeResult, _SAFE, Lane.ASK),
    "resend": CommandKind(ResendArgs, CountResult, _SAFE, Lane.BULK),
    "backup": CommandKind(NoArgs, BackupResult, _SAFE, Lane.BULK),
    "update": CommandKind(UpdateArgs, NoArgs, _KEYS, Lane.BULK),
}

ROLE_OF_BUNDLE: dict[BundleKind, Role] = {row.bundle: row.role for row in COMMANDS.values() if row.bundle is not None}


class Refused(StrEnum):
    """Why a command or bundle was turned down before anything was done."""

    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    MALFORMED = "malformed"
    VERSION = "version"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    NOT_FOR_US = "not_for_us"
    FROM_THE_FUTURE = "from_the_future"
    BAD_TIMES = "bad_times"
    EXPIRED = "expired"
    BEFORE_MEMORY = "before_memory"
    ID_REUSED = "id_reused"
    AUTHORITY = "authority"
    UNKNOWN_COMMAND = "unknown_command"
    BAD_ARGS = "bad_args"
    OLD_REVISION = "old_revision"
    REVISION_REUSED = "revision_reused"
    BAD_CONTENT = "bad_content"
    BUSY = "busy"
    NO_STORE = "no_store"


WORDS: dict[Refused, str] = {
    Refused.TOO_LARGE: "the message is larger than any may be",
    Refused.TOO_DEEP: "the message is nested deeper than any may be",
    Refused.MALFORMED: "this is no message of ours",
    Refused.VERSION: "the message is of a version that this box does not know",
    Refused.UNKNOWN_KEY: "this box obeys no key of that name",
    Refused.SIGNATURE: "the signature is not the key's",
    Refused.NOT_FOR_US: "it is for another box, store or tenant",
    Refused.FROM_THE_FUTURE: "it was issued later than now; is a clock wrong?",
    Refused.BAD_TIMES: "it must expire after it was issued, and within 31 days",
    Refused.EXPIRED: "its time is over",
    Refused.BEFORE_MEMORY: "it was issued before this box's memory of commands begins; send it anew, or set its clock",
    Refused.ID_REUSED: "another command had that id",
    Refused.AUTHORITY: "the key's role may not do this",
    Refused.UNKNOWN_COMMAND: "this box does not know that command",
    Refused.BAD_ARGS: "the arguments are not as they should be",
    Refused.OLD_REVISION: "a higher revision was here already",
    Refused.REVISION_REUSED: "other content had that revision",
    Refused.BAD_CONTENT: "some of its content can't be had",
    Refused.BUSY: "too many commands wait",
    Refused.NO_STORE: "it can't be written down, so it is not done",
}
