"""May this command be carried out, now, here, by this key? And what of its id is remembered.

Owns: the order of the questions, the steps a command may take, and the memory of ids. Never: does anything, keeps
anything or reads a clock (jobs.py). The broker is not trusted: all it can do is lose messages, and learn nothing by it.

The order: size, shape, key, signature, shape of the command, addressee, times, id, expiry, name, authority, arguments.
What comes before the signature is held against whoever carried the message, and says nothing about a command.

Replays. An id that was carried out is remembered until its command has expired, so that it is answered and not done
again. When it is forgotten, its expiry is kept: whatever expires no later than that is refused, whatever the clock
says. So no clock, however wrong, can bring an old command back. A database that was lost, repaired or restored (a new
epoch) may have forgotten more: then commands issued before that are refused, too; and all of them until the clock can
be trusted, for only then it is known when that was.

Time. With a trusted clock, now is what it says. Without (no RTC, no network time yet), now is the later of the clock
and the newest time that a fleet key has signed here: commands that have expired by then are not carried out, others
are, also those that seem to come from the future. A mistaken time in one signature is put right when the clock is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from sync.contract import VERSION, Bundle, Command, JobPhase
from sync.contract_commands import COMMANDS, ROLE_OF_BUNDLE, WORDS, CommandKind, Refused
from sync.signing import FleetKey, NotSignedError, Purpose, open_signed

VALID_MAX_S = 31 * 86400  # from issued to expires: a box that was away for a month, and how long ids must be kept
SKEW_S = 300  # how far the sender's clock may be ahead of a trusted one
IDS_MAX = 1000  # remembered at once; 32 a day for a month. More wait until some have expired
EVERYONE = "*"
FIRST_LIFE = "0001-"  # epochs of the database are numbered (edgebox/store/places.py); before this one no command came
UNKNOWN = (1 << 63) - 1  # later than any command was issued
_DIGEST_HEX = 32  # 128 bits: nobody finds another command with the same

FINAL = frozenset((JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.REJECTED, JobPhase.EXPIRED, JobPhase.CANCELED))
_STEPS: dict[JobPhase, frozenset[JobPhase]] = {
    JobPhase.QUEUED: FINAL | {JobPhase.RUNNING},
    JobPhase.RUNNING: FINAL | {JobPhase.RUNNING},
}
_commands = msgspec.json.Decoder(Command)
_bundles = msgspec.json.Decoder(Bundle)
_M = TypeVar("_M", Command, Bundle)


def may_follow(now: JobPhase, then: JobPhase) -> bool:
    """Whether a command's step `then` may come after `now`; nothing comes after a final one."""
    return then in _STEPS.get(now, frozenset())


class Address(NamedTuple):
    """Who this box is."""

    tenant: str
    store: str
    box: str


class Moment(NamedTuple):
    """The box's clock: seconds since 1970, and whether it has been set right since the box came up."""

    at: int
    trusted: bool


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An id that was here. `to` and `correlation` (hex): where to answer, while it isn't final."""

    digest: str
    command: str
    expires: int
    phase: JobPhase
    reason: str = ""
    words: str = ""
    to: str = ""
    correlation: str = ""


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What outlives a restart. `forgotten`: latest expiry of an id no longer known. `issued`: newest time signed.

    `since`: when this memory began (UNKNOWN: there were others, and the clock wasn't right yet), and whether that is by
    a trusted clock; `epoch`: the database's life it is of.
    """

    ids: dict[str, Known] = {}
    forgotten: int = 0
    issued: int = 0
    since: int = 0
    since_trusted: bool = False
    epoch: str = ""


class Refusal(NamedTuple):
    """Not carried out. `signed`: by a key of ours, so `id`, `command` and `by` can be believed."""

    reason: Refused
    words: str
    signed: bool = False
    id: str = ""
    command: str = ""
    by: str = ""
    expires: int = 0
    digest: str = ""


class Again(NamedTuple):
    """It was here before: answer with what came of it."""

    id: str
    known: Known


class Order(NamedTuple):
    """To be carried out: the command, its arguments in their type, its row of the table and who signed it."""

    command: Command
    args: msgspec.Struct
    kind: CommandKind
    key: FleetKey
    digest: str


class Offer(NamedTuple):
    """A bundle that is signed, for this box, by one who may."""

    bundle: Bundle
    key: FleetKey


Verdict: TypeAlias = Refusal | Again | Order


def decide(raw: bytes, keys: Mapping[str, FleetKey], here: Address, moment: Moment, memory: Memory) -> Verdict:
    """What to do about a message on the topic of commands."""
    try:
        key, body = open_signed(raw, keys, Purpose.COMMAND)
        command = _decoded(_commands, body)
    except NotSignedError as fault:
        return Refusal(fault.reason, WORDS[fault.reason])
    digest = digest_of(body)
    reason = _of_another(command, here) or _ill_timed(command, moment)
    if not reason and command.issued < memory.since and command.id not in memory.ids:
        reason = Refused.BEFORE_MEMORY
    known = memory.ids.get(command.id)
    if not reason and known is not None:
        return Again(command.id, known) if known.digest == digest else _refusal(Refused.ID_REUSED, command, key, digest)
    if not reason and command.expires <= max(now(moment, memory), memory.forgotten):
        return _refusal(
            Refused.EXPIRED, command, key, digest, f"{WORDS[Refused.EXPIRED]}; the box's clock: {moment.at}"
        )
    if reason:
        return _refusal(reason, command, key, digest)
    return _permitted(command, key, digest)


def decide_bundle(raw: bytes, keys: Mapping[str, FleetKey], here: Address, moment: Moment) -> Refusal | Offer:
    """What to do about a message on the topic of bundles, as far as that can be said without those that came before."""
    try:
        key, body = open_signed(raw, keys, Purpose.BUNDLE)
        bundle = _decoded(_bundles, body)
    except NotSignedError as fault:
        return Refusal(fault.reason, WORDS[fault.reason])
    reason = _of_another(bundle, here)
    if not reason and moment.trusted and bundle.issued > moment.at + SKEW_S:
        reason = Refused.FROM_THE_FUTURE
    if not reason and key.role < ROLE_OF_BUNDLE[bundle.kind]:
        reason = Refused.AUTHORITY
    if reason:
        name = f"{bundle.kind} {bundle.revision}"
        return Refusal(reason, WORDS[reason], True, command=name, by=key.name, digest=digest_of(body))
    return Offer(bundle, key)


def now(moment: Moment, memory: Memory) -> int:
    """The time to decide by; see above."""
    return moment.at if moment.trusted else max(moment.at, memory.issued)


def digest_of(body: bytes) -> str:
    """What tells one command from another."""
    return hashlib.sha256(body).hexdigest()[:_DIGEST_HEX]


def remember(memory: Memory, name: str, known: Known) -> Memory:
    """The memory with this id as it stands now."""
    return msgspec.structs.replace(memory, ids={**memory.ids, name: known})


def heard(memory: Memory, issued: int) -> Memory:
    """The memory after something signed at `issued`."""
    return memory if issued <= memory.issued else msgspec.structs.replace(memory, issued=issued)


def begun(memory: Memory, epoch: str, moment: Moment) -> Memory:
    """The memory in this life of the database. Where it begins anew, the first trusted time counts as its beginning."""
    is_new = memory.epoch != epoch or not memory.since
    if not is_new and (memory.since_trusted or not moment.trusted):
        return memory
    since = moment.at
    if is_new and not moment.trusted and not epoch.startswith(FIRST_LIFE):
        since = UNKNOWN
    return msgspec.structs.replace(memory, epoch=epoch, since=since, since_trusted=moment.trusted)


def forget(memory: Memory, moment: Moment) -> Memory:
    """Without the ids whose time is over. Only a trusted clock, or a full memory, makes the box forget.

    A command that isn't final is never forgotten.
    """
    if not moment.trusted and len(memory.ids) < IDS_MAX:
        return memory
    at = now(moment, memory)
    over = {name for name, known in memory.ids.items() if known.expires < at and known.phase in FINAL}
    if not over:
        return memory
    forgotten = max(memory.forgotten, *(memory.ids[name].expires for name in over))
    left = {name: known for name, known in memory.ids.items() if name not in over}
    return msgspec.structs.replace(memory, ids=left, forgotten=forgotten)


def is_full(memory: Memory) -> bool:
    """No room for another id."""
    return len(memory.ids) >= IDS_MAX


def open_ids(memory: Memory) -> dict[str, Known]:
    """Commands that were accepted and have not come to an end."""
    return {name: known for name, known in memory.ids.items() if known.phase not in FINAL}


# -- inside


def _decoded(decoder: msgspec.json.Decoder[_M], body: bytes) -> _M:
    try:
        message = decoder.decode(body)
    except RecursionError:
        raise NotSignedError(Refused.TOO_DEEP) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise NotSignedError(Refused.MALFORMED) from None
    if message.v != VERSION:
        raise NotSignedError(Refused.VERSION)
    return message


def _of_another(message: Command | Bundle, here: Address) -> Refused | None:
    """Tenant; and the box by name, or all boxes of the stores named. Nothing named is nobody's."""
    if message.tenant != here.tenant:
        return Refused.NOT_FOR_US
    if message.stores and here.store not in message.stores and EVERYONE not in message.stores:
        return Refused.NOT_FOR_US
    if here.box in message.boxes or (EVERYONE in message.boxes and message.stores):
        return None
    return Refused.NOT_FOR_US


def _ill_timed(command: Command, moment: Moment) -> Refused | None:
    if not 0 < command.expires - command.issued <= VALID_MAX_S or command.issued < 0:
        return Refused.BAD_TIMES
    if moment.trusted and command.issued > moment.at + SKEW_S:
        return Refused.FROM_THE_FUTURE
    return None


def _permitted(command: Command, key: FleetKey, digest: str) -> Order | Refusal:
    kind = COMMANDS.get(command.command)
    if kind is None:
        return _refusal(Refused.UNKNOWN_COMMAND, command, key, digest)
    if key.role < kind.role:
        wanted, had = kind.role.name.lower(), key.role.name.lower()
        words = f"{command.command} wants the role {wanted}, and {key.name} has {had}"
        return _refusal(Refused.AUTHORITY, command, key, digest, words)
    try:
        args = msgspec.json.decode(command.args, type=kind.args)
    except RecursionError:
        return _refusal(Refused.TOO_DEEP, command, key, digest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        return _refusal(Refused.BAD_ARGS, command, key, digest, str(fault)[:400])
    return Order(command, args, kind, key, digest)


def _refusal(reason: Refused, command: Command, key: FleetKey, digest: str, words: str = "") -> Refusal:
    return Refusal(reason, words or WORDS[reason], True, command.id, command.command, key.name, command.expires, digest)
