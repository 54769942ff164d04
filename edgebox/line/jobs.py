"""Things to print between documents: own slips, cloud prints.

Owns: the queue of jobs and their phases. Never: decides whether the line is free (core.py) or what a job may contain
(insertion.check does). A job is printed once: the same id again is answered with the phase it is in.
"""

from __future__ import annotations

from typing import NamedTuple

from edgebox.line.frames import NO_PROOF, PROOF_ASKED, Job, JobPhase, JobState
from edgebox.line.insertion import Checked

QUEUE_MAX = 64  # jobs waiting; more are refused, the sender keeps them
PROOF_JOB_S = 30.0  # several copies of 400 mm at 100 mm/s take 16 s; a printer without paper says it only with paper
REMEMBERED = 256  # ids of finished jobs, so that a repeated send prints nothing


class Entry(NamedTuple):
    """A queued job. `expires_at` 0: never."""

    job: Job
    checked: Checked
    expires_at: float


class JobQueue:
    """First in, first out."""

    def __init__(self) -> None:
        self._queue: list[Entry] = []
        self._printing = ""
        self._is_proof_asked = False  # of the one that is printing
        self._proofs: dict[str, float] = {}  # sent, and until when the printer may say that it is on paper
        self._phases: dict[str, JobPhase] = {}

    @property
    def ready(self) -> bool:
        """Something waits to be printed."""
        return bool(self._queue)

    def add(self, job: Job, now: float, checked: Checked) -> JobState:
        """Queues a job; says in which phase it is now."""
        known = self._phases.get(job.job)
        if known is not None:
            return JobState(job.job, known, "already known")
        if checked.reason:
            return self._phase(job.job, JobPhase.FAILED, checked.reason)
        if len(self._queue) >= QUEUE_MAX:
            return JobState(job.job, JobPhase.FAILED, "queue full")
        self._queue.append(Entry(job, checked, now + job.expires_ms / 1000 if job.expires_ms else 0.0))
        return self._phase(job.job, JobPhase.QUEUED, "")

    def cancel(self, name: str) -> JobState:
        """Forgets a queued job."""
        for index, entry in enumerate(self._queue):
            if entry.job.job == name:
                del self._queue[index]
                return self._phase(name, JobPhase.CANCELED, "")
        return JobState(name, self._phases.get(name, JobPhase.FAILED), "not queued")

    def expire(self, now: float) -> list[JobState]:
        """Drops what has waited too long; old tickets must not pour out when the paper is back."""
        late = [entry for entry in self._queue if entry.expires_at and now >= entry.expires_at]
        self._queue = [entry for entry in self._queue if entry not in late]
        return [self._phase(entry.job.job, JobPhase.EXPIRED, "") for entry in late]

    def next_at(self, last_till: float, quiet_s: float, *, free: bool) -> list[float]:
        """When the first job may start, if the line is `free`, and when the next one expires."""
        times = [entry.expires_at for entry in self._queue if entry.expires_at]
        times += self._proofs.values()
        if free and self._queue and not self._printing:
            times.append(max(last_till, 0.0) + quiet_s)
        return times

    def is_due(self, now: float, last_till: float, quiet_s: float) -> bool:
        """One waits, none is printing, and the till has been quiet long enough."""
        return bool(self._queue) and not self._printing and now >= last_till + quiet_s

    def start(self, now: float, last_till: float, quiet_s: float) -> tuple[Entry, JobState] | None:
        """The job to print now, if the till has been quiet long enough."""
        if not self.is_due(now, last_till, quiet_s):
            return None
        entry = self._queue.pop(0)
        self._printing = entry.job.job
        return entry, self._phase(entry.job.job, JobPhase.PRINTING, "")

    def ask_proof(self) -> str:
        """The job that is printing; the printer is asked to say when it is on paper."""
        self._is_proof_asked = True
        return self._printing

    def written(self, now: float = -1.0) -> JobState | None:
        """All bytes have been taken by the printer's end."""
        name, self._printing = self._printing, ""
        if not name:
            return None
        if self._is_proof_asked:
            self._is_proof_asked = False
            self._proofs[name] = now + PROOF_JOB_S
            return self._phase(name, JobPhase.SENT, PROOF_ASKED)
        return self._phase(name, JobPhase.SENT, "")

    def proven(self, name: str) -> JobState:
        """The printer says that it is on paper."""
        self._proofs.pop(name, None)
        return self._phase(name, JobPhase.PRINTED, "")

    def unproven(self, now: float) -> list[JobState]:
        """Jobs whose proof has not come in time."""
        late = [name for name, until in self._proofs.items() if now >= until]
        for name in late:
            del self._proofs[name]
        return [JobState(name, JobPhase.SENT, NO_PROOF) for name in late]

    def refused(self, reason: str) -> JobState:
        """The job just started can't be printed here and now."""
        name, self._printing, self._is_proof_asked = self._printing, "", False
        return self._phase(name, JobPhase.FAILED, reason)

    def printer_lost(self) -> list[JobState]:
        """The printer's link broke under the job: nobody knows how much of it is on paper, so it isn't repeated."""
        unproven = self.unproven(float("inf"))
        name, self._printing, self._is_proof_asked = self._printing, "", False
        return unproven + ([self._phase(name, JobPhase.FAILED, "printer lost while printing")] if name else [])

    def _phase(self, name: str, phase: JobPhase, reason: str) -> JobState:
        self._phases[name] = phase
        while len(self._phases) > REMEMBERED:
            del self._phases[next(iter(self._phases))]
        return JobState(name, phase, reason)
