"""The self-test slip on a line's printer, between two of the till's documents.

Owns: the way to the paper and waiting for it. Never: what the slip says (edgebox/slips/self_test.py).
"""

from __future__ import annotations

import asyncio

from edgebox.desk.paper import Paper, Sheet
from edgebox.errors import ConfigError, SlipError
from edgebox.escpos.compose import Press
from edgebox.paper.letters import text_raster
from edgebox.slips import qr
from edgebox.slips.self_test import self_test
from edgebox.web.office import Office
from edgebox.web.refusals import refused

WITHIN_MS = 60_000  # a slip that comes later would surprise whoever stands there


async def print_self_test(office: Office, line: str, language: str) -> None:
    """It is out when this returns. PageError `not_found`: there is no such line; `no_printer`."""
    if line not in {row.name for row in office.config.line} | set(office.host.lines):
        raise refused("not_found")
    session = office.host.lines.get(line)
    if session is None or session.hello is None:
        raise refused("no_printer")
    try:
        profile = office.host.profile(session.hello.profile)
        press = Press(profile, False, -1, session.hello.bytes_per_s, qr.matrix, text_raster)
        body = await asyncio.to_thread(self_test, press, (language,))
        printing = Paper(office.host).print(line, "", body.raw, expires_ms=WITHIN_MS)
        sheet = await asyncio.wait_for(printing, 2 * WITHIN_MS / 1000)
    except (SlipError, ConfigError, TimeoutError) as fault:
        raise refused("no_printer", type(fault).__name__) from fault
    if sheet in (Sheet.NOT, Sheet.GONE):
        raise refused("no_printer")
