"""Where the store's tests keep their databases: in memory, if there is such a place.

What a power cut leaves is made by the tests themselves, by breaking files; kill -9 leaves the page cache as it is, on a
disk or not. So nothing is lost by not waiting for thousands of fsyncs (2 ms each on a disk that others use, too), and
`make faults` and the bench use a real disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM_BYTES = 256 << 20  # the largest test takes 60 MB


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """As pytest's own."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="edgebox-test-", dir=MEMORY) as name:
        yield Path(name)
