"""What is known of each box of a fleet: its last word, when it was heard, what troubles it.

Owns: `Book`, `Known`, and a box's fields as `--where` and tables see them. Pure: the clock is handed in. Never:
connects (fleet_link.py) or draws (edgebox/fleet_tables.py).

A box is online as long as its last sign of life is good, by the time when it was heard here. A broker's will only makes
it known sooner; without wills and retained messages all of this works, one heartbeat later. A message that the broker
had kept is as old as the box's clock says, if that clock is to be believed; if not, brokers drop it with its expiry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sync.contract import BundleState, Reported, State
from sync.fleet_topics import Place
from sync.where import Value

BOXES_MAX = 200_000  # twice the fleet of docs/scale.md; about 2 KB each
# What a box says of a certificate that has time, and of a part that has nothing to say (edgebox/notices.py, uplink.py).
_FINE = ("ok", "", "good for ")

_UNRECORDED = " not recorded"  # behind a stream's name in State.refused: the box's own trouble (sync/uplink.py)

FIELDS: Mapping[str, str] = {
    "box": "its name",
    "store": "its shop",
    "online": "its last sign of life is still good",
    "age": "seconds since its last sign of life",
    "up": "seconds since its machine was started",
    "version": "of edgebox",
    "trusted": "its clock is right",
    "epoch": "of its store",
    "boot": "this run of its machine",
    "backlog": "rows that the cloud has not got",
    "oldest": "seconds since the oldest of them was recorded",
    "refused": "messages that the broker refused, and tries to record that failed",
    "healthy": "nothing troubles it",
    "health.": "a part's state in words, as health.sync",
    "line.": "a line's state",
    "bundle.": "the revision in force, as bundle.rules",
    "desired.": "the newest revision it has seen",
    "state.": "what became of that, as state.rules = rolled_back",
    "waiting.": "rows of one stream that the cloud has not got, as waiting.receipts",
}


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A box. `heard`: seconds since 1970 when its State was true; 0: never. `gone`: it or its broker said so."""

    store: str
    box: str
    state: State | None = None
    reported: Reported | None = None
    heard: int = 0
    gone: int = 0

    @property
    def place(self) -> Place:
        return Place(self.store, self.box)

    def is_online(self, now: float) -> bool:
        """Its last sign of life is still good."""
        return self.state is not None and not self.gone and now - self.heard <= self.state.expires_s

    def bundle(self, kind: str) -> BundleState:
        """Where a kind of bundle stands; from a sign of life that is newer than the report, if that says otherwise.

        A report comes once, and perhaps while nobody listened.
        """
        found = self.reported.bundles.get(kind, BundleState()) if self.reported else BundleState()
        state = self.state
        if state is None or (self.reported is not None and state.at <= self.reported.at):
            return found
        revision = state.bundles.get(kind, 0)
        return found if revision == found.revision else BundleState(revision=revision)

    def kinds(self) -> list[str]:
        """The kinds of bundles that it has any of."""
        said = set(self.state.bundles) if self.state else set()
        return sorted(said | (set(self.reported.bundles) if self.reported else set()))


class Book:
    """All boxes that were heard. More than BOXES_MAX are counted in `too_many`, and not kept."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self.boxes: dict[Place, Known] = {one.place: one for one in known}
        self.unreadable = self.too_many = 0

    def heard(self, place: Place, rest: str, payload: bytes, now: int, *, kept: bool = False) -> Known | None:
        """A message of a box; what is known then, None if it said nothing of use. `kept`: the broker had it."""
        known = self.boxes.get(place) or Known(store=place.store, box=place.box)
        try:
            new = self._state(known, payload, now, kept) if rest == "state" else _reported(known, payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.unreadable += 1
            return None
        if place not in self.boxes and len(self.boxes) >= BOXES_MAX:
            self.too_many += 1
            return None
        self.boxes[place] = new
        return new

    def named(self, name: str) -> list[Known]:
        """Boxes called so: BOX or STORE/BOX."""
        store, slash, box = name.rpartition("/")
        return [one for one in self.boxes.values() if one.box == box and (not slash or one.store == store)]

    def _state(self, known: Known, payload: bytes, now: int, kept: bool) -> Known:
        state = _states.decode(payload)
        if state.box != known.box:
            raise msgspec.ValidationError("it speaks for another")
        heard = min(now, state.at) if kept and state.trusted else now
        if not state.online:
            # A will has no more to say than that; what was known of the box stays.
            return msgspec.structs.replace(known, gone=heard, state=known.state or state, heard=known.heard)
        return msgspec.structs.replace(known, state=state, heard=heard, gone=0)


_states = msgspec.json.Decoder(State)
_reports = msgspec.json.Decoder(Reported)


def _reported(known: Known, payload: bytes) -> Known:
    reported = _reports.decode(payload)
    if reported.box != known.box:
        raise msgspec.ValidationError("it speaks for another")
    return msgspec.structs.replace(known, reported=reported)


def troubles(state: State) -> dict[str, str]:
    """Part → words, for each that isn't well."""
    return {part: words for part, words in sorted(state.health.items()) if not _is_fine(words)}


def _is_fine(words: str) -> bool:
    return words in _FINE or words.startswith(_FINE[2])


def refusals(state: State) -> list[str]:
    """In words: what the broker refused, and what the box could not record; neither is the other's fault."""
    counts = sorted((what, count) for what, count in state.refused.items() if count)
    box = [f"{what.removesuffix(_UNRECORDED)} {count:,} times" for what, count in counts if what.endswith(_UNRECORDED)]
    broker = [f"the broker refused {count:,} of {what}" for what, count in counts if not what.endswith(_UNRECORDED)]
    return [*([f"could not record {', '.join(box)}: no room, or a bad card"] if box else []), *broker]


def backlog(state: State, now: float) -> tuple[int, int]:
    """Rows that the cloud has not got, and for how many seconds the oldest has waited."""
    rows = sum(one.rows for one in state.backlog.values())
    oldest = min((one.oldest for one in state.backlog.values() if one.oldest), default=0)
    return rows, max(0, int(now) - oldest) if oldest else 0


def fields(known: Known, now: float) -> dict[str, Value]:
    """What `--where` may ask about."""
    found: dict[str, Value] = {"box": known.box, "store": known.store, "online": known.is_online(now)}
    for kind in known.kinds():
        bundle = known.bundle(kind)
        found |= {f"bundle.{kind}": bundle.revision, f"desired.{kind}": bundle.desired, f"state.{kind}": bundle.state}
    state = known.state
    if state is None:
        return found
    rows, oldest = backlog(state, now)
    found |= {
        "age": max(0, int(now) - known.heard),
        "up": state.up_s,
        "version": state.version,
        "trusted": state.trusted,
        "epoch": state.epoch,
        "boot": state.boot,
        "backlog": rows,
        "oldest": oldest,
        "refused": sum(state.refused.values()),
        "healthy": not troubles(state),
    }
    for prefix, words in (("health", state.health), ("line", state.lines)):
        found |= {f"{prefix}.{part}": said for part, said in words.items()}
    return found | {f"waiting.{stream}": one.rows for stream, one in state.backlog.items()}
