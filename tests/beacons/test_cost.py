"""What the air costs, scaled: twenty minutes of the bench's day (python -m tests.bench presence plays 24 hours)."""

import asyncio
from pathlib import Path

from tests.bench.presence import CPU_MS, air, day

SECONDS = 1200


def test_an_advert_costs_next_to_nothing_and_the_disk_little(tmp_path: Path) -> None:
    cost = asyncio.run(day(tmp_path, air(), SECONDS))
    assert cost.adverts == 100 * SECONDS
    assert cost.cpu_ms <= CPU_MS
    assert cost.grew_mb <= 8, "a leak of one object each would be more"
    assert 100 <= cost.rows <= 1000, "visits of ten customers, twice, and nothing of the other 119,000 adverts"
