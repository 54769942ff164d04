"""Asking a printer who it is: through the line that has it, or over a port that nobody has. Nothing is printed.

Owns: the two ways, and reading the answers. Never: opens a port that a line holds (the drivers' locks say so), or asks
unless a person wants to know.
"""

from __future__ import annotations

import select
import socket
import time
from pathlib import Path

from drivers.base import Port, parse_url
from drivers.registry import printer_end
from edgebox.errors import EdgeboxError
from edgebox.line.frames import Decoder, FrameError, Pong, WhoIs, encode

ASK = b"\x10\x04\x01\x1dI\x42\x1dI\x43"  # DLE EOT 1: on-line; GS I 66 and 67: maker and model, if it tells them
PATIENCE_S = 1.0
ANSWER_BYTES = 256
ENGINE_S = 8.0  # the line waits 5 s for a quiet moment and 1 s for the answer
FILES = ("file",)  # nobody is there to answer, and what was asked would stand in the file
_NONCE = 1


def told_by_line(engine: Path, line: str, patience_s: float = ENGINE_S) -> dict[str, str] | None:
    """What the line says: `maker`, `model`, `firmware`, its counters; None: no engine, no such line, or no answer.

    `asked`: why the printer said nothing (`silent`, `not_now`, `not_allowed`).
    """
    until = time.monotonic() + patience_s
    decoder = Decoder()
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(patience_s)
            link.connect(str(engine))
            link.sendall(encode(WhoIs(_NONCE, line)))
            while (left_s := until - time.monotonic()) > 0:
                link.settimeout(left_s)
                data = link.recv(65536)
                if not data:
                    return None
                for frame in decoder.feed(data):
                    if isinstance(frame, Pong) and frame.nonce == _NONCE:
                        return words_of(frame.text) or None
    except (OSError, FrameError):
        return None
    return None


def words_of(text: str) -> dict[str, str]:
    """`name value` lines as a table."""
    return {name: value for name, _, value in (line.partition(" ") for line in text.splitlines()) if value}


def told_by_printer(url: str) -> dict[str, str] | None:
    """The same from the printer itself, with a port of our own; None: it can't be opened. EdgeboxError never."""
    try:
        if parse_url(url).scheme in FILES:
            return None
        port = printer_end(url).connect()
    except EdgeboxError:
        return None
    try:
        said = answer(port)
    except OSError:
        return None
    finally:
        port.abort()
    names = [block.partition(b"\0")[0].decode("ascii", "replace") for block in said.split(b"\x5f")[1:]]
    if not names:
        return {"asked": "silent"}
    return {"maker": names[0], "model": names[-1]} if len(names) > 1 else {"model": names[0]}


def answer(port: Port, patience_s: float = PATIENCE_S) -> bytes:
    """What a printer says to ASK within `patience_s`. OSError: it can't be reached, or is gone."""
    data, said, until = ASK, b"", time.monotonic() + patience_s
    while (left_s := until - time.monotonic()) > 0 and len(said) < ANSWER_BYTES:
        readable, writable, _ = select.select([port], [port] if data else [], [], min(left_s, 0.05))
        if writable and port.ready():
            data = data[port.write(data) :]
        if readable:
            said += port.read(ANSWER_BYTES) or b""
        if said.endswith(b"\0") and said.count(b"\x5f") >= 2:
            break
    return said
