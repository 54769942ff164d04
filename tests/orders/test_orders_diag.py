"""What support may see of a box, and what nobody may."""

import asyncio
import base64
import hashlib
import io
import logging
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebox.log_tail import TAIL_LINES, LogTail, redact
from edgebox.orders.diag import BUNDLE_BYTES, pack
from sync.contract import JobPhase, Reply
from tests.box_of_orders import Box, box
from tests.line_of_engine import verified

SECRETS = [
    "13800138000",
    "HTTPS://M.EXAMPLE.CN/C/AEAAAEBPABUAAGQ5JX2FYTS7VBGZ2WQAAB5BD4DAAAAHF2EAAAXQ7CH4WBKVU",
    "AEAAAEBPABUAAGQ5JX2FYTS7VBGZ2WQAAB5BD4DAAAAHF2EAAAXQ7CH4WBKVU",
    "192.168.7.12",
    "fe80::1ff:fe23:4567:890a",
    "00:1B:44:11:3A:B7",
    "ab" * 32,
    "4111 1111 1111 1111",
    "jane.roe@example.com",
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a Unix socket's path may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix="eb") as path:
        yield Path(path)


async def bundle(shop: Box, **args: int) -> tuple[dict[str, str], Reply]:
    """The command's files, put together from its chunks."""
    reply = await shop.give("diag.bundle", args, "operator-1")
    chunks = [r.result for r in shop.way.replies if r.id == reply.id and "data" in r.result]
    raw = b"".join(base64.b64decode(chunk["data"]) for chunk in chunks)
    assert [chunk["number"] for chunk in chunks] == list(range(reply.result["chunks"]))
    assert {chunk["of"] for chunk in chunks} == {len(chunks)}
    assert (len(raw), hashlib.sha256(raw).hexdigest()) == (reply.result["size"], reply.result["sha256"])
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        files = {entry.name.rpartition("/")[2]: tar.extractfile(entry) for entry in tar}
        return {name: file.read().decode() for name, file in files.items() if file is not None}, reply


@pytest.mark.parametrize("secret", SECRETS)
def test_a_line_keeps_no_secret(secret: str) -> None:
    told = redact(f"line1: something with {secret} in it")
    assert secret not in told
    assert told.startswith("line1: something with ")


@pytest.mark.parametrize(
    "line",
    [
        "line1: sale 33.90 CNY, 33 points, slip printed, held 0.41 ms",
        "started at 10:20:33 on 2026-11-18",
        "line1: connected, printer generic-80",
        "sync: refused 0x87, again in 12 s",
    ],
)
def test_what_support_needs_stays_readable(line: str) -> None:
    assert redact(line) == line


@given(st.text(max_size=120))
def test_any_line_is_redacted_in_one_pass(text: str) -> None:
    assert isinstance(redact(text), str)


@pytest.mark.parametrize("piece", ["1.", "a:", "::", "ab", "://", "https://", "1-", ("x" * 31) + " ", "@a."])
def test_no_line_makes_redaction_slow(piece: str) -> None:
    loop = asyncio.new_event_loop()
    began = loop.time()
    redact((piece * 400)[:400])
    assert loop.time() - began < 0.05
    loop.close()


def test_the_tail_has_a_length_and_its_lines_too() -> None:
    tail = LogTail()
    for number in range(TAIL_LINES + 5):
        tail.handle(logging.makeLogRecord({"msg": f"n{number} " + "word " * 500, "levelno": 20, "levelname": "INFO"}))
    lines = tail.newest(10**6)
    assert len(lines) == TAIL_LINES
    assert " info n5 " in lines[0]
    assert max(map(len, lines)) < 500
    assert tail.newest(0) == []


def test_the_bundle_holds_log_settings_counters_and_health_and_no_secret(folder: Path) -> None:
    async def play() -> None:
        async with box(folder, "line.till=tcp://192.168.7.12:9100") as shop:
            line = await shop.line()
            answer = await line.print_receipt(1)
            token = answer.ref.decode()
            for secret in (*SECRETS, token):
                shop.tail.handle(logging.makeLogRecord({"msg": f"said {secret}", "levelname": "ERROR"}))
            files, reply = await bundle(shop)
            assert reply.state is JobPhase.SUCCEEDED
            assert set(files) == {"about.json", "config.json", "counters.txt", "health.txt", "log.txt"}
            assert '"lines"' in files["about.json"]
            assert "sale inserted 1" in files["counters.txt"]
            assert "engine ok started" in files["health.txt"]
            assert files["log.txt"].count("error said") == len(SECRETS) + 1
            assert '"spend_per_point": 100' in files["config.json"]
            keys = shop.engine.awards.keys
            assert keys is not None
            everything = "\n".join(files.values())
            for secret in (*SECRETS, token, verified(answer).claim_id.hex() * 2, keys.id_key.hex()):
                assert secret not in everything

    asyncio.run(play())


def test_a_log_that_is_too_long_is_halved_until_the_bundle_fits(folder: Path) -> None:
    async def play() -> None:
        async with box(folder) as shop:
            import random

            chance = random.Random(1)
            for _ in range(TAIL_LINES):
                words = " ".join("".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(9)) for _ in range(39))
                shop.tail._lines.append(words)
            files, reply = await bundle(shop, log_lines=2000)
            assert reply.result["size"] <= BUNDLE_BYTES
            assert 100 < len(files["log.txt"].splitlines()) < TAIL_LINES

    asyncio.run(play())


def test_the_same_files_give_the_same_bytes() -> None:
    assert pack({"a": "x", "b": "y"}) == pack({"a": "x", "b": "y"})
