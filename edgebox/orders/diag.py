"""What support needs to see of a box: `diag.bundle`, a tar.gz in chunks. And what nobody else may see, taken out.

Owns: what goes into the bundle, and that every line of it is redacted (edgebox/log_tail.py). Never: a file's text
(keys, certificates, the database), a receipt, or more than BUNDLE_BYTES.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import platform
import tarfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from edgebox.errors import OrderError
from edgebox.log_tail import LINE_CHARS, LogTail, redact
from edgebox.store.events import HealthRecord
from sync.contract import JobPhase
from sync.contract_commands import Chunk, DiagArgs, DiagResult
from sync.jobs import Doing
from sync.steps import Ended

BUNDLE_BYTES = 512 << 10  # packed: eight chunks, a quarter of the replies that wait at most
CHUNK_BYTES = 64 << 10  # 88 KB as base64; messages may have 256 KB


class DiagDesk(NamedTuple):
    """Where the bundle's parts come from. `about`, `counters`, `config`: as they are now; `health`: newest rows."""

    tail: LogTail
    about: Callable[[], Mapping[str, Any]]
    counters: Callable[[], Mapping[str, int]]
    config: Callable[[], Mapping[str, Any]]
    health: Callable[[int], Awaitable[list[HealthRecord]]]

    async def bundle(self, doing: Doing) -> Ended:
        """`diag.bundle`: chunks as steps, then how many there were."""
        args = doing.order.args
        assert isinstance(args, DiagArgs), "the table of commands says so"
        health = await self.health(args.health_rows)
        raw = await self._packed(args.log_lines, health)
        chunks = [raw[at : at + CHUNK_BYTES] for at in range(0, len(raw), CHUNK_BYTES)]
        for number, chunk in enumerate(chunks):
            data = base64.b64encode(chunk).decode("ascii")
            await doing.tell(number / len(chunks), result=Chunk(number=number, of=len(chunks), data=data))
        digest = hashlib.sha256(raw).hexdigest()
        return Ended(JobPhase.SUCCEEDED, result=DiagResult(chunks=len(chunks), size=len(raw), sha256=digest))

    async def _packed(self, log_lines: int, health: list[HealthRecord]) -> bytes:
        """Small enough: with half the log, and half of that, until it is."""
        while True:
            files = self._files(self.tail.newest(log_lines), health)
            raw = await asyncio.to_thread(pack, files)
            if len(raw) <= BUNDLE_BYTES:
                return raw
            if not log_lines:
                raise OrderError(f"{len(raw)} bytes even without a log", reason="too_large")
            log_lines //= 2

    def _files(self, log_lines: list[str], health: list[HealthRecord]) -> dict[str, str]:
        counters = "".join(f"{name} {count}\n" for name, count in sorted(self.counters().items()))
        return {
            "about.json": _json({**self.about(), "python": platform.python_version(), "system": platform.release()}),
            "config.json": _json(redacted(self.config())),
            "counters.txt": "".join(f"{redact(line)}\n" for line in counters.splitlines()),
            "health.txt": "".join(f"{_health_line(record)}\n" for record in health),
            "log.txt": "".join(f"{line}\n" for line in log_lines),
        }


def redacted(value: Any) -> Any:
    """The same with every text in it redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value


def pack(files: Mapping[str, str]) -> bytes:
    """A tar.gz; the same files give the same bytes. Blocks for some tens of milliseconds."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, text in files.items():
            raw = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"edgebox-diag/{name}")
            entry.size, entry.mode = len(raw), 0o600
            tar.addfile(entry, io.BytesIO(raw))
    return packed.getvalue()


def _health_line(record: HealthRecord) -> str:
    at = datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{at} {record.part[:40]} {record.state[:20]} {redact(record.words[:LINE_CHARS])}"


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode("utf-8") + "\n"
