"""What the box sends between documents: jobs, and questions about the printer's state.

Owns: when such a thing may go and what stands around it. Never: decides whether the line is free (core.py says so), or
answers a till. Both wait for as long as it takes: a receipt comes first.
"""

from __future__ import annotations

from edgebox.escpos.profile import PrinterProfile
from edgebox.line.frames import Frame, Job, JobCancel, JobState, Pong, WhoIs
from edgebox.line.identity import Identity
from edgebox.line.insertion import check, wrap, wrap_own
from edgebox.line.jobs import PROOF_JOB_S, Entry, JobQueue
from edgebox.line.outbox import Outbox
from edgebox.line.readiness import Readiness
from edgebox.line.replies import Replies
from edgebox.line.settings import LineSettings
from edgebox.line.spool import Spool
from edgebox.line.stream import TillStream


class Between:
    """Times are seconds of the line's clock.

    Quiet is counted from the last that was seen of a document, not from the till's last byte: many tills ask for the
    printer's state every second, all day.
    """

    def __init__(self, profile: PrinterProfile, settings: LineSettings, replies: Replies, spool: Spool) -> None:
        self.jobs = JobQueue()
        self._profile = profile
        self._settings = settings
        self._replies = replies
        self._spool = spool
        self._readiness = Readiness(profile, replies)
        self._identity = Identity(profile, replies)
        self._status_at = 0.0
        self._busy_at = 0.0  # when something of a document was last seen
        self._document = 0  # where the one on its way began

    @property
    def ready(self) -> bool:
        """Something is to go to the printer."""
        return self.jobs.ready or self._identity.is_wanted

    def take(self, frame: Frame, now: float) -> None:
        """A frame of the engine's about what stands between documents; others are none of ours."""
        if isinstance(frame, Job):
            self._add(frame, now)
        elif isinstance(frame, JobCancel):
            self._spool.note(self.jobs.cancel(frame.job))
        elif isinstance(frame, WhoIs):
            self._identity.ask(frame.nonce, now)

    def _add(self, job: Job, now: float) -> None:
        checked = check(job.body, self._profile, drawer=self._settings.job_drawer)
        self._spool.note(self.jobs.add(job, now, checked))

    def deadlines(self, *, free: bool) -> list[float]:
        """When `tick` has something to do, as things stand."""
        quiet_s = self._settings.job_quiet_ms / 1000
        times = self.jobs.next_at(max(self._busy_at, self._readiness.next_at - quiet_s), quiet_s, free=free)
        if free and self._settings.status_s:
            times.append(self._status_at)
        if self._identity.deadline is not None:
            times.append(self._identity.deadline)
        if free and self._identity.waits:
            times.append(max(self._busy_at + quiet_s, self._readiness.next_at, self._identity.next_at))
        return times

    def tick(self, now: float, stream: TillStream, outbox: Outbox, *, free: bool) -> None:
        """Drops jobs that are too old; sends what may go when the line is `free`."""
        scanner = stream.scanner
        if scanner.start != self._document or not (scanner.between and stream.at_boundary):
            self._busy_at, self._document = now, scanner.start
        proven = [self.jobs.proven(name) for name in self._replies.take_proven()]
        for note in (*proven, *self.jobs.unproven(now), *self.jobs.expire(now)):
            self._spool.note(note)
        told = self._identity.answered(now)
        if told is not None:
            self._spool.note(Pong(told[0], told[1] + stream.counters_text()))
        if not free:
            return
        if self._settings.status_s and now >= self._status_at:
            self._status_at = now + self._settings.status_s
            if self._profile.status:
                outbox.push_urgent(self._replies.ask_status(now))  # in line with the till's own real-time questions
        quiet_s = self._settings.job_quiet_ms / 1000
        is_quiet = now >= self._busy_at + quiet_s
        if is_quiet and self._identity.may_go(now) and self._readiness.is_ready(now, outbox):
            self._identity.send(now, outbox)
            return
        if not self.jobs.is_due(now, self._busy_at, quiet_s) or not self._readiness.is_ready(now, outbox):
            return
        started = self.jobs.start(now, self._busy_at, quiet_s)
        if started is not None:
            entry, note = started
            self._print(entry, note, stream, outbox, now)

    def _print(self, entry: Entry, note: JobState, stream: TillStream, outbox: Outbox, now: float) -> None:
        body, ending = entry.job.body, stream.scanner.ending()
        if "symbol" in entry.checked.touched and not ending.modes.symbol_ok:
            self._spool.note(self.jobs.refused("the till's stored symbol can't be restored"))
            return
        self._spool.note(note)
        if entry.checked.is_sound:
            outbox.push(body)
            return
        for _ in range(max(1, entry.job.copies)):  # all at once: what the till sends now comes behind the last of them
            if entry.job.cut:
                outbox.push(wrap_own(body, entry.checked, ending.modes_after, self._profile, stream.last_cut))
            else:
                outbox.push(wrap(body, entry.checked, ending, self._profile))
        if self._settings.proof_of_print and self._profile.gs_h:
            outbox.push(self._replies.proof(self.jobs.ask_proof(), now, PROOF_JOB_S))

    def written(self, now: float) -> None:
        """All of the outbox has been taken by the printer's end."""
        note = self.jobs.written(now)
        if note is not None:
            self._spool.note(note)

    def printer_lost(self) -> None:
        """The printer's link broke."""
        self._readiness.link_is_new()
        self._identity.link_is_new()
        for note in self.jobs.printer_lost():
            self._spool.note(note)
