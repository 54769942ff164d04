"""Papers of the fleet: `print`, `order`, `order.paid`, `print.cancel`; and `cancel` of any command that waits.

Owns: a command as a print job, and a job's states as a command's steps. Never: keeps or prints a job
(edgebox/print_jobs). A command stays `queued` until its paper begins, is `running` while it is printed, and ends as its
job does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from edgebox.errors import OrderError
from edgebox.print_jobs.job import PrintJob, State
from edgebox.print_jobs.print_jobs import New, PrintJobs
from sync.commands import FINAL
from sync.contract import JobPhase
from sync.contract_commands import COMMANDS, CancelArgs, CountResult
from sync.contract_print import OrderArgs, OrderPaidArgs, PaperResult, PrintArgs, PrintCancelArgs
from sync.jobs import Doing, Jobs
from sync.steps import Ended

_PHASES = {
    State.QUEUED: JobPhase.QUEUED,
    State.HANDED: JobPhase.QUEUED,
    State.PRINTING: JobPhase.RUNNING,
    State.PRINTED: JobPhase.SUCCEEDED,
    State.FAILED: JobPhase.FAILED,
    State.EXPIRED: JobPhase.EXPIRED,
    State.CANCELED: JobPhase.CANCELED,
}


def ended(job: PrintJob) -> Ended:
    """A job's state as a command's step."""
    phase = job.phase or ("printing" if job.state is State.PRINTING else "")
    result = PaperResult(line=job.line, phase=phase, job=job.id, copies=job.copies, is_copy=job.is_copy)
    has_result = job.state in (State.PRINTING, State.PRINTED)
    return Ended(_PHASES[job.state], job.reason, job.words, result if has_result else None)


class PrintDesk(NamedTuple):
    """`jobs`: the commands', once they are there."""

    prints: PrintJobs
    jobs: Callable[[], Jobs]

    async def print(self, doing: Doing) -> Ended | None:
        """`print`."""
        args = doing.order.args
        assert isinstance(args, PrintArgs), "the table of commands says so"
        return await self._taken(doing, f"print/{args.job_id or doing.order.command.id}", args)

    async def order(self, doing: Doing) -> Ended | None:
        """`order`."""
        args = doing.order.args
        assert isinstance(args, OrderArgs), "the table of commands says so"
        return await self._taken(doing, f"order/{args.order}/{args.revision}", args)

    async def paid(self, doing: Doing) -> Ended | None:
        """`order.paid`."""
        args = doing.order.args
        assert isinstance(args, OrderPaidArgs), "the table of commands says so"
        return await self._taken(doing, f"paid/{args.order}/{args.payment}", args)

    async def _taken(self, doing: Doing, key: str, args: PrintArgs | OrderArgs | OrderPaidArgs) -> Ended | None:
        command = doing.order.command
        job = await self.prints.submit(New(key, command.id, args, command.expires))
        if job.is_over:
            return ended(job)
        if job.state is State.PRINTING:  # it came with another command, and has begun
            await self.told(command.id, job)
        return None

    async def told(self, command: str, job: PrintJob) -> None:
        """A job has begun, or is over."""
        await self.jobs().finish(command, ended(job))

    def open_commands(self) -> dict[str, Ended | None]:
        """For commands of an earlier run: how they ended, or None where they go on."""
        return {name: ended(job) if job.is_over else None for name, job in self.prints.commands().items()}

    async def cancel_print(self, doing: Doing) -> Ended:
        """`print.cancel`."""
        args = doing.order.args
        assert isinstance(args, PrintCancelArgs), "the table of commands says so"
        wanted = [f"print/{args.job}"] if args.job else [job.job for job in self.prints.of_order(args.order)]
        if not wanted:
            raise OrderError("no such order is remembered here", reason="no_such_job")
        before = {name for name in wanted if (job := self.prints.find(name)) is not None and job.is_over}
        after = await asyncio.gather(*map(self.prints.cancel, wanted))
        canceled = [job for job in after if job.state is State.CANCELED]
        if not canceled:
            return Ended(JobPhase.FAILED, "too_late", f"it is {after[0].state.value}")
        changed = sum(job.job not in before for job in canceled)
        return Ended(JobPhase.SUCCEEDED, result=CountResult(count=len(canceled), changed=changed))

    async def cancel(self, doing: Doing) -> Ended:
        """`cancel`: of a command that has not begun, by whom might have given it."""
        args = doing.order.args
        assert isinstance(args, CancelArgs), "the table of commands says so"
        known = self.jobs().known(args.id)
        if known is None:
            raise OrderError("no such command is remembered here", reason="no_such_command")
        kind = COMMANDS.get(known.command)
        if kind is None or doing.order.key.role < kind.role:
            raise OrderError(f"{known.command} is not for this role to cancel", reason="authority")
        job = self.prints.commands().get(args.id)
        if job is not None and not job.is_over:
            job = await self.prints.cancel(job.job)
            return (
                Ended(JobPhase.SUCCEEDED)
                if job.state is State.CANCELED
                else Ended(JobPhase.FAILED, "too_late", f"it is {job.state.value}")
            )
        if known.phase is not JobPhase.QUEUED:
            words = "it is over" if known.phase in FINAL else "it has begun"
            return Ended(JobPhase.FAILED, "too_late", words)
        await self.jobs().finish(args.id, Ended(JobPhase.CANCELED, "canceled", f"by {doing.by}"))
        return Ended(JobPhase.SUCCEEDED)
