"""The database's tables, in numbered steps from an empty file to today's.

Owns: every CREATE and ALTER. Never: changes a step that was released: a box somewhere has it. A change is a new step at
the end, a fixture of the version before it (tests/store/fixtures), and the test that brings that one up to date.

sqlite-utils applies the steps, each in a transaction of its own with the note that it was done. `user_version` says the
same in one number, so that a start with nothing to do doesn't pay for importing sqlite-utils (50 ms, 9 MB).

An update can be taken back, and the older edgebox then finds a database of the newer: it may use it, if every step
behind its own only adds. Each step says from which version on its tables can be used (`readable_from`), and writes that
down beside the version. A step that changes what was there says its own number: no update brings it, only a package
(docs/updates.md).

All tables are STRICT. `place` is a row of the journal as one integer (edgebox/store/places.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from edgebox.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database


READABLE = "readable_from"  # the fact that says it: "VERSION READABLE_FROM"


class Step(NamedTuple):
    """One version: its statements. `readable_from`: the oldest version that can use the tables behind it."""

    name: str
    statements: tuple[str, ...]
    readable_from: int


_FIRST = (
    # What is sent, in the order in which it was recorded. body: the event's JSON; crc: over all else (places.py).
    """CREATE TABLE journal (
        place INTEGER PRIMARY KEY, boot INTEGER NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,
        trusted INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL) STRICT""",
    # Runs of the machine: the kernel's boot ids.
    "CREATE TABLE boots (boot INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT",
    # Lives of the database: a repaired, restored or new one begins another. epoch: the ordinal.
    """CREATE TABLE epochs (
        epoch INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, begun_ms INTEGER NOT NULL, why TEXT NOT NULL) STRICT""",
    # How far the cloud has a stream without a gap, and how far its rows were removed: numbers are never given twice.
    """CREATE TABLE heads (
        stream INTEGER NOT NULL, epoch INTEGER NOT NULL, acknowledged INTEGER NOT NULL DEFAULT 0,
        removed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (stream, epoch)) STRICT, WITHOUT ROWID""",
    # Rows that were given up before the cloud had them: places first to last, of one stream and epoch.
    """CREATE TABLE lost (
        first INTEGER PRIMARY KEY, last INTEGER NOT NULL, why TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT""",
    # One row a document. claim_place: its claim's row in the journal.
    """CREATE TABLE receipts (
        place INTEGER PRIMARY KEY, session TEXT NOT NULL, document INTEGER NOT NULL, claim_place INTEGER NOT NULL,
        at INTEGER NOT NULL, line TEXT NOT NULL, kind TEXT NOT NULL, modifiers TEXT NOT NULL,
        qualifies INTEGER NOT NULL, amount_minor INTEGER, currency TEXT NOT NULL, decimals INTEGER NOT NULL,
        confidence TEXT NOT NULL, number TEXT NOT NULL, till TEXT NOT NULL, printed_date TEXT NOT NULL,
        printed_time TEXT NOT NULL, tenders TEXT NOT NULL, claim TEXT NOT NULL, points INTEGER NOT NULL,
        revision INTEGER NOT NULL, voided INTEGER NOT NULL, result TEXT NOT NULL, hold_us INTEGER NOT NULL,
        cashier TEXT NOT NULL, seat TEXT NOT NULL, z_check TEXT NOT NULL, z_equal INTEGER NOT NULL) STRICT""",
    "CREATE UNIQUE INDEX receipts_document ON receipts (session, document)",
    "CREATE INDEX receipts_at ON receipts (at)",
    "CREATE INDEX receipts_kind ON receipts (kind, at)",
    "CREATE INDEX receipts_number ON receipts (number) WHERE number <> ''",
    "CREATE INDEX receipts_amount ON receipts (amount_minor) WHERE amount_minor IS NOT NULL",
    # One row a claim: the newest state of its highest revision.
    """CREATE TABLE claims (
        claim TEXT PRIMARY KEY, place INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, url TEXT NOT NULL,
        amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, decimals INTEGER NOT NULL, points INTEGER NOT NULL,
        revision INTEGER NOT NULL, line TEXT NOT NULL, session TEXT NOT NULL,
        document INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    "CREATE INDEX claims_place ON claims (place)",
    """CREATE TABLE redemptions (
        place INTEGER PRIMARY KEY, at INTEGER NOT NULL, request TEXT NOT NULL, code TEXT NOT NULL, state TEXT NOT NULL,
        reason TEXT NOT NULL, coupon TEXT NOT NULL, stock TEXT NOT NULL, value_minor INTEGER NOT NULL,
        points INTEGER NOT NULL, number INTEGER NOT NULL, cashier TEXT NOT NULL, offline INTEGER NOT NULL) STRICT""",
    "CREATE INDEX redemptions_at ON redemptions (at)",
    "CREATE INDEX redemptions_code ON redemptions (code)",
    "CREATE INDEX redemptions_request ON redemptions (request)",
    """CREATE TABLE scans (
        place INTEGER PRIMARY KEY, at INTEGER NOT NULL, scanner TEXT NOT NULL, kind TEXT NOT NULL,
        code TEXT NOT NULL) STRICT""",
    "CREATE INDEX scans_at ON scans (at)",
    # One row a visit: its newest report. Sightings are in the journal alone.
    """CREATE TABLE visits (
        tag TEXT NOT NULL, at INTEGER NOT NULL, place INTEGER NOT NULL, until INTEGER NOT NULL, zone TEXT NOT NULL,
        role TEXT NOT NULL, nearest_cm INTEGER NOT NULL, PRIMARY KEY (tag, at)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX visits_at ON visits (at)",
    "CREATE INDEX visits_place ON visits (place)",
    # One row a part: its newest state.
    """CREATE TABLE health (
        part TEXT PRIMARY KEY, place INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, words TEXT NOT NULL,
        value REAL NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE audit (
        place INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, target TEXT NOT NULL,
        reason TEXT NOT NULL) STRICT""",
    "CREATE INDEX audit_at ON audit (at)",
    # One row a job: its newest step. begun: the place of its first.
    """CREATE TABLE jobs (
        job TEXT PRIMARY KEY, begun INTEGER NOT NULL, place INTEGER NOT NULL, at INTEGER NOT NULL,
        command TEXT NOT NULL, state TEXT NOT NULL, expires INTEGER NOT NULL, body BLOB NOT NULL) STRICT""",
    "CREATE INDEX jobs_open ON jobs (begun) WHERE state IN ('queued', 'running')",
    "CREATE INDEX jobs_at ON jobs (at)",
    # Small things that must survive a power cut.
    "CREATE TABLE facts (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
    # What is counted by the day (UTC, as 2026-11-18).
    """CREATE TABLE counters (
        day TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
        PRIMARY KEY (day, name)) STRICT, WITHOUT ROWID""",
)

_OFFERS = (
    # Codes that the cloud sent ahead, to be printed at most once each. state: free, reserved, printed, burnt, unknown
    # (its line died: it may be on paper), revoked. place: of the record that said so.
    """CREATE TABLE pool_codes (
        ref INTEGER PRIMARY KEY, pool TEXT NOT NULL, code TEXT NOT NULL, url TEXT NOT NULL, title TEXT NOT NULL,
        value_minor INTEGER NOT NULL, until TEXT NOT NULL, stock TEXT NOT NULL, state TEXT NOT NULL,
        place INTEGER NOT NULL DEFAULT 0, UNIQUE (pool, code)) STRICT""",
    "CREATE INDEX pool_codes_free ON pool_codes (pool, until) WHERE state = 'free'",
    "CREATE INDEX pool_codes_reserved ON pool_codes (ref) WHERE state = 'reserved'",
    # Comeback coupons that were printed, or may have been. spent_at 0: not used yet.
    """CREATE TABLE comebacks (
        serial INTEGER PRIMARY KEY, value_minor INTEGER NOT NULL, threshold_minor INTEGER NOT NULL,
        last_day INTEGER NOT NULL, at INTEGER NOT NULL, spent_at INTEGER NOT NULL DEFAULT 0) STRICT""",
)

_DESK = (
    # Written anew, not altered: rows in a table with added columns are shorter than it, and salvage knows one length.
    # reversed: the place of the record that took it back, 0: it stands. settled: that of the record with the cloud's
    # word on what was redeemed without it, 0: none yet.
    "DROP INDEX redemptions_at",
    "DROP INDEX redemptions_code",
    "DROP INDEX redemptions_request",
    "ALTER TABLE redemptions RENAME TO redemptions_of_v2",
    """CREATE TABLE redemptions (
        place INTEGER PRIMARY KEY, at INTEGER NOT NULL, request TEXT NOT NULL, code TEXT NOT NULL, state TEXT NOT NULL,
        reason TEXT NOT NULL, coupon TEXT NOT NULL, stock TEXT NOT NULL, value_minor INTEGER NOT NULL,
        points INTEGER NOT NULL, number INTEGER NOT NULL, cashier TEXT NOT NULL, offline INTEGER NOT NULL,
        source TEXT NOT NULL, channel TEXT NOT NULL, shift INTEGER NOT NULL, line TEXT NOT NULL, ref INTEGER NOT NULL,
        reversed INTEGER NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0) STRICT""",
    "INSERT INTO redemptions SELECT *, '', '', 0, '', 0, 0, 0 FROM redemptions_of_v2",
    "DROP TABLE redemptions_of_v2",
    "CREATE INDEX redemptions_at ON redemptions (at)",
    "CREATE INDEX redemptions_code ON redemptions (code)",
    "CREATE INDEX redemptions_request ON redemptions (request)",
    # One use of one code stands, whatever else goes wrong.
    """CREATE UNIQUE INDEX redemptions_spent ON redemptions (code)
        WHERE state = 'redeemed' AND reversed = 0 AND code <> ''""",
    "CREATE INDEX redemptions_number ON redemptions (number) WHERE number > 0",
    "CREATE INDEX redemptions_unsettled ON redemptions (number) WHERE offline = 1 AND settled = 0 AND number > 0",
    # Questions to the cloud without a final answer: asked again, they have the same id. bill_minor: as asked, -1: none.
    """CREATE TABLE asked (
        code TEXT PRIMARY KEY, request TEXT NOT NULL, bill_minor INTEGER NOT NULL,
        at INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    # Slips that may not be out yet. session: of the line that was to print it.
    """CREATE TABLE owed_slips (
        number INTEGER PRIMARY KEY, place INTEGER NOT NULL, line TEXT NOT NULL, session TEXT NOT NULL,
        at INTEGER NOT NULL) STRICT""",
)

# Not released yet: pick-ups, presence, papers, users.
_SHOP: tuple[str, ...] = (
    # Orders to be picked up: the list that came last, and what was handed out of earlier ones. code: as its redemption.
    """CREATE TABLE pick_ups (
        code TEXT PRIMARY KEY, number TEXT NOT NULL, shelf TEXT NOT NULL, what TEXT NOT NULL, day TEXT NOT NULL,
        until TEXT NOT NULL, box TEXT NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    # Who may use the managers' page. password: "scrypt$…" (edgebox/web/passwords.py). language "": as the browser says.
    """CREATE TABLE web_users (
        name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, language TEXT NOT NULL,
        made INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    # Who is signed in. id: SHA-256 of the cookie, in hex.
    """CREATE TABLE web_sessions (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, begun INTEGER NOT NULL, seen INTEGER NOT NULL,
        address TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    # Programs that use the API. id: SHA-256 of the token, in hex. writes 1: it may change things.
    """CREATE TABLE web_tokens (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, writes INTEGER NOT NULL,
        made INTEGER NOT NULL, made_by TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    # What the cloud did not agree with. place: of the redemption or reversal. seen_at 0: no person has looked at it.
    """CREATE TABLE conflicts (
        place INTEGER PRIMARY KEY, number INTEGER NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL,
        other TEXT NOT NULL, other_at INTEGER NOT NULL, seen_at INTEGER NOT NULL DEFAULT 0,
        seen_by TEXT NOT NULL DEFAULT '') STRICT""",
    # Reversals that the cloud has to carry out, and has not had a word on yet.
    """CREATE INDEX redemptions_unreturned ON redemptions (number)
        WHERE state = 'reversed' AND settled = 0 AND source <> 'comeback'""",
    # Questions that are asked no more, until their code has a final answer: the cloud may have said yes to one.
    """CREATE TABLE withdrawn (
        request TEXT PRIMARY KEY, at INTEGER NOT NULL, code TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    "CREATE INDEX withdrawn_code ON withdrawn (code)",
    # Steps of commit-and-save cards: each serial once. undone: another step takes it back.
    """CREATE TABLE card_steps (
        serial TEXT PRIMARY KEY, place INTEGER NOT NULL, at INTEGER NOT NULL, card TEXT NOT NULL, member TEXT NOT NULL,
        step TEXT NOT NULL, count INTEGER NOT NULL, amount_minor INTEGER NOT NULL, bill TEXT NOT NULL,
        undone INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID""",
    "CREATE INDEX card_steps_bill ON card_steps (bill)",
    "CREATE INDEX card_steps_member ON card_steps (member, at)",
    # A document's paper, redacted: for the page and for teaching, never sent. place: its receipt's. body: see
    # edgebox/store/receipt_papers.py.
    "CREATE TABLE receipt_papers (place INTEGER PRIMARY KEY, line TEXT NOT NULL, body BLOB NOT NULL) STRICT",
    # What a person read on the paper. receipt: its place; state: applied, requested.
    """CREATE TABLE corrections (
        place INTEGER PRIMARY KEY, at INTEGER NOT NULL, session TEXT NOT NULL, document INTEGER NOT NULL,
        state TEXT NOT NULL, was_minor INTEGER, amount_minor INTEGER NOT NULL, claim TEXT NOT NULL, who TEXT NOT NULL,
        reason TEXT NOT NULL) STRICT""",
    "CREATE INDEX corrections_document ON corrections (session, document)",
    # A tag may enter two zones in one second, so a visit is known by its zone, too; and says why it ended.
    "DROP INDEX visits_at",
    "DROP INDEX visits_place",
    "ALTER TABLE visits RENAME TO visits_of_v3",
    """CREATE TABLE visits (
        tag TEXT NOT NULL, at INTEGER NOT NULL, zone TEXT NOT NULL, place INTEGER NOT NULL, until INTEGER NOT NULL,
        role TEXT NOT NULL, nearest_cm INTEGER NOT NULL, why TEXT NOT NULL,
        PRIMARY KEY (tag, at, zone)) STRICT, WITHOUT ROWID""",
    "INSERT INTO visits SELECT tag, at, zone, place, until, role, nearest_cm, '' FROM visits_of_v3",
    "DROP TABLE visits_of_v3",
    "CREATE INDEX visits_at ON visits (at)",
    "CREATE INDEX visits_place ON visits (place)",
    "CREATE INDEX visits_open ON visits (at) WHERE until = 0",
    # How many came in an hour (its first second since 1970), without who. people: different tags.
    """CREATE TABLE visit_hours (
        hour INTEGER NOT NULL, zone TEXT NOT NULL, role TEXT NOT NULL, visits INTEGER NOT NULL, people INTEGER NOT NULL,
        dwell_s INTEGER NOT NULL, PRIMARY KEY (hour, zone, role)) STRICT, WITHOUT ROWID""",
    # Shifts of the desk that are closed. slips: behind `after`, through `last`. session: of the line that was to print
    # the tally; is_out 1: it is on paper, or nobody waits for it.
    """CREATE TABLE closed_shifts (
        number INTEGER PRIMARY KEY, begun INTEGER NOT NULL, ended INTEGER NOT NULL, after INTEGER NOT NULL,
        last INTEGER NOT NULL, who TEXT NOT NULL, line TEXT NOT NULL, session TEXT NOT NULL,
        is_out INTEGER NOT NULL) STRICT""",
    # Print jobs of the cloud. job: print/…, order/…, paid/…: one is printed once. session: of the line that has it.
    # commands: who wants to hear of it. body: what is printed, closed with the box's own secret, until it is over.
    """CREATE TABLE papers (
        number INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE, token TEXT NOT NULL, digest TEXT NOT NULL,
        line TEXT NOT NULL, priority INTEGER NOT NULL, copies INTEGER NOT NULL, again INTEGER NOT NULL,
        changed INTEGER NOT NULL, at INTEGER NOT NULL, expires INTEGER NOT NULL, state TEXT NOT NULL,
        phase TEXT NOT NULL, reason TEXT NOT NULL, words TEXT NOT NULL, session TEXT NOT NULL, attempt INTEGER NOT NULL,
        tries INTEGER NOT NULL, is_copy INTEGER NOT NULL, commands TEXT NOT NULL, body BLOB NOT NULL) STRICT""",
    # What another box of this name redeemed behind the backup that this one began with, as the cloud tells it.
    """CREATE TABLE told_uses (
        code TEXT PRIMARY KEY, at INTEGER NOT NULL, number INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
)

STEPS: tuple[Step, ...] = (
    Step("first", _FIRST, 1), Step("offers", _OFFERS, 2), Step("desk", _DESK, 3), Step("shop", _SHOP, 4),
)  # fmt: skip
NEWEST = len(STEPS)


def migrate(connection: sqlite3.Connection, steps: tuple[Step, ...] = STEPS) -> int:
    """Brings the database up to date; returns how many steps that took. StoreError `version`: a newer one wrote it,
    and changed what we would read. One that only added is used as it is, and keeps its version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps) and _readable_from(connection, version) <= len(steps):
        return 0
    if version > len(steps):
        raise StoreError(
            f"the database is of version {version}, this edgebox knows {len(steps)}",
            reason="version",
            hint="install the newer edgebox again, or restore a backup",
        )
    if version == len(steps):
        return 0
    from sqlite_utils import Database, Migrations

    migrations = Migrations("edgebox")
    for number, step in enumerate(steps, 1):
        readable = max(one.readable_from for one in steps[:number])
        migrations(name=f"{number:03d} {step.name}")(_apply(number, step, readable))
    migrations.apply(Database(connection, recursive_triggers=False, execute_plugins=False))
    return len(steps) - int(version)


def _readable_from(connection: sqlite3.Connection, version: int) -> int:
    """As the newer edgebox wrote it down with its version; where nothing is, only itself."""
    row = connection.execute("SELECT value FROM facts WHERE key = ?", (READABLE,)).fetchone()
    words = bytes(row[0]).split() if row is not None else []
    if len(words) == 2 and all(word.isdigit() for word in words) and int(words[0]) == version:
        return int(words[1])
    return int(version)


def _apply(number: int, step: Step, readable: int) -> Callable[[Database], None]:
    """A step as sqlite-utils calls it, inside a transaction."""

    def apply(db: Database, /) -> None:
        for statement in step.statements:
            db.execute(statement)
        db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (READABLE, b"%d %d" % (number, readable)))
        db.execute(f"PRAGMA user_version = {number}")  # in the file's header, and in the transaction with all else

    return apply
