"""A full disk as a receipt meets it: refused with a reason, then taken again without a new start."""

import asyncio
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgebox.errors import StoreFull
from edgebox.store.store import Store
from tests.faults.full_disk import SETTINGS
from tests.faults.ledger import Ledger, receipt
from tests.faults.small_disk import fill, free, small_disk, why_not
from tests.faults.trial import consume

LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from edgebox.errors import StoreError
from edgebox.store.store import Store
from tests.faults.ledger import receipt

async def play(folder):
    store = Store.open(folder)
    for number in range(1, 2000):
        try:
            await store.record(receipt(number))
        except StoreError as fault:
            print(number - 1, fault.reason)
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.record(receipt(9999))
    await store.close()

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
asyncio.run(play(Path(sys.argv[1])))
"""


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_receipt_is_refused_while_the_disk_is_full_and_taken_afterwards(tmp_path: Path) -> None:
    async def until_refused(store: Store) -> None:
        for number in range(2, 5000):
            await store.record(receipt(number))
            ledger.accept(receipt(number))

    async def play(disk: Path) -> None:
        store = Store.open(disk, SETTINGS)
        await store.record(receipt(1))
        ledger.accept(receipt(1))
        fill(disk)
        with pytest.raises(StoreFull) as caught:
            await until_refused(store)
        assert caught.value.reason == "disk"
        free(disk)
        await store.record(receipt(5000))
        ledger.accept(receipt(5000))
        await store.close()

    ledger = Ledger()
    with small_disk(tmp_path / "disk") as disk:
        asyncio.run(play(disk))
        consume(disk, ledger)
    row = ledger.row("")
    assert (row.lost, row.delivered) == (0, row.accepted)


def test_a_limit_of_the_system_refuses_and_loses_nothing(tmp_path: Path) -> None:
    """As a full disk, for those who may not mount one: no file may grow beyond 1.5 MB."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert signal.getsignal(signal.SIGXFSZ) is not None
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    accepted, reason = run.stdout.split()
    assert reason in ("disk", "io")
    assert int(accepted) > 20
    ledger = Ledger()
    for number in (*range(1, int(accepted) + 1), 9999):
        ledger.accept(receipt(number))
    consume(tmp_path, ledger)
    row = ledger.row("")
    assert (row.lost, row.delivered) == (0, row.accepted)
