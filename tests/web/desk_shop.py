"""A shop whose desk works: a printer, comeback coupons, a scanner; and the page in memory over it."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from edgebox.campaign_book import CampaignBook
from edgebox.web.accounts import User
from edgebox.web.addresses import Neighbours
from edgebox.web.app import application
from edgebox.web.part import make_office
from edgebox.web.passwords import Passwords
from edgebox.web.roles import PEOPLE
from edgebox.web.routes import rows
from tests.desk.fake_scanner import scan_desk
from tests.desk.shop import NOW, FakeLine, Job, JobPhase, JobState
from tests.desk.shop import shop as desk_shop
from tests.web.office import CHEAP, PASSWORD, Shop

Story = Callable[[Shop, FakeLine], Awaitable[None]]


def play(story: Story, *overrides: str) -> None:
    """A test's story, with a user of each role, a line that prints and the scanners' part."""

    async def told() -> None:
        with tempfile.TemporaryDirectory(prefix="eb") as folder:
            async with desk_shop(Path(folder), *overrides) as engine, scan_desk(engine):
                assert engine.store is not None
                book = CampaignBook(engine)
                engine.parts.append(book)
                await book.open(engine.store)
                office = await make_office(engine, engine.store, Passwords(CHEAP))
                found = Shop(engine, office, application(office, rows(), Neighbours()))
                kept = await office.passwords.made(PASSWORD)
                for role in PEOPLE:
                    await office.accounts.add(User(role.value, role, kept, "en", NOW))
                try:
                    await story(found, await FakeLine.connect(engine))
                finally:
                    await found.close()

    asyncio.run(told())


async def printed(line: FakeLine) -> bytes:
    """The next paper that the desk prints; the line says that it is out."""
    job = await line.next()
    assert isinstance(job, Job), job
    line.send(JobState(job.job, JobPhase.PRINTING, ""), JobState(job.job, JobPhase.SENT, ""))
    return job.body
