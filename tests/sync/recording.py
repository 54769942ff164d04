"""A box in a process of its own, so that it can be killed: `python -m tests.sync.recording URL FOLDER FIRST`.

It records receipts from number FIRST on as fast as a busy shop, prints the number of each once it is recorded, and its
uplink runs beside that, until somebody ends it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sync.session.window import Limits
from tests.sync.box import receipt, running

PAUSE_S = 0.002


async def record(url: str, folder: Path, first: int) -> None:
    async with running(url, folder, limits=Limits(batch_rows=20)) as box:
        for number in range(first, sys.maxsize):
            await box.store.record(receipt(number))
            print(number, flush=True)
            await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
