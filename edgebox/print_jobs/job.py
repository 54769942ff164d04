"""A print job of the cloud: what is known of it, the states it goes through, and which comes next on a line.

Owns: states and the order of jobs. Never: prints, or keeps anything (edgebox/store/papers.py does).

    queued ──▶ handed to a line ──▶ printing ──▶ printed
       ▲            │    │              └──────▶ failed: nobody knows whether it was printed
       └─withdrawn──┘    └─────▶ expired, canceled, failed: not a dot of it is on paper

`handed` is `queued` to the cloud: the line has it and waits for a quiet till and a printer that is ready.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class What(StrEnum):
    """The command it came with."""

    PRINT = "print"
    ORDER = "order"
    PAID = "paid"


class State(StrEnum):
    """Where it stands; the last four are final."""

    QUEUED = "queued"
    HANDED = "handed"
    PRINTING = "printing"
    PRINTED = "printed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"


FINAL = frozenset({State.PRINTED, State.FAILED, State.EXPIRED, State.CANCELED})
PRIORITIES = {"urgent": 0, "normal": 1, "low": 2}
UNKNOWN = "unknown"  # why a job failed of which nobody knows whether it was printed
COMMANDS_MAX = 8  # that wait for one job; a cloud that sends one oftener has lost count


class PrintJob(NamedTuple):
    """One job. `job`: print/…, order/<order>/<revision>, paid/<order>/<payment>. `token`: random, names it to a line.

    `digest`: of what is to be printed; `at`, `expires`: seconds since 1970; `phase`: of a printed one, sent or printed;
    `session`: of the line that has it or had it last; `attempt`: how often it was handed over; `tries`: how often it
    went wrong in the middle; `is_copy`: it has COPY on it; `again`: it may; `changed`: of an order whose ticket was
    printed before; `commands`: ids of the commands that wait for it.
    """

    number: int
    job: str
    token: str
    digest: str
    line: str
    priority: int
    copies: int
    again: bool
    changed: bool
    at: int
    expires: int
    state: State = State.QUEUED
    phase: str = ""
    reason: str = ""
    words: str = ""
    session: str = ""
    attempt: int = 0
    tries: int = 0
    is_copy: bool = False
    commands: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """It has come to an end."""
        return self.state in FINAL

    @property
    def is_untouched(self) -> bool:
        """It is over, and certainly not a dot of it is on paper: the same again is to be printed."""
        return self.state in (State.EXPIRED, State.CANCELED) or (self.state is State.FAILED and self.reason != UNKNOWN)

    @property
    def what(self) -> What:
        """What is on it."""
        return What(self.job.partition("/")[0])

    @property
    def id(self) -> str:
        """As the cloud knows it: its job_id, or its order."""
        return self.job.split("/")[1]

    @property
    def name(self) -> str:
        """What a line knows it by: a line prints one name once."""
        return f"p-{self.token}.{self.attempt}"

    @property
    def may_be_out(self) -> bool:
        """A line had it, and has not said what became of it."""
        return self.state in (State.HANDED, State.PRINTING)


def next_of(jobs: Iterable[PrintJob], line: str) -> PrintJob | None:
    """The job that this line prints next: what it may have already, then by priority, then in order of arrival."""
    waiting = [job for job in jobs if job.line == line and not job.is_over]
    return min(waiting, key=lambda job: (not job.may_be_out, job.priority, job.number), default=None)


def overdue(jobs: Iterable[PrintJob], now: int) -> list[PrintJob]:
    """Those that have waited too long and that no line has."""
    return [job for job in jobs if job.state is State.QUEUED and job.expires <= now]


def tickets_of(jobs: Iterable[PrintJob], order: str) -> list[PrintJob]:
    """All tickets of one order, and its notices of payment."""
    return [job for job in jobs if job.id == order and job.what is not What.PRINT]


def revision_of(job: PrintJob) -> int:
    """Of an order's ticket."""
    return int(job.job.rpartition("/")[2])
