"""What every process on a wire needs of the system: command line, log, urgency, settings' reader, a socket handed down,
and patience.

Owns: these six. Never: the wire. Standard library only and little of it: what is imported here stays in a process that
may have 16 MB. argparse, logging and tomllib would cost one each.
"""

from __future__ import annotations

import marshal
import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from edgebox.errors import ConfigError, EdgeboxError

LISTEN_FDS_START = 3  # SD_LISTEN_FDS_START [sd_listen_fds(3)]
AGAIN_S = 1.0  # as often as a port that has gone is tried again (edgebox/line/tillside.py)


def options_of(argv: Sequence[str], flags: Sequence[str], program: str) -> tuple[dict[str, str], list[str]]:
    """`--key value` and `--key=value`; `--set` may come again: (key → value, what was set). ConfigError."""
    found: dict[str, str] = {}
    sets: list[str] = []
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        key, equals, value = word.partition("=")
        key = key.removeprefix("--")
        if not word.startswith("--") or key not in flags:
            raise ConfigError(f"{word!r} is not an option", reason="bad_option", hint=f"{program} --help lists them")
        if not equals:
            if not queue:
                raise ConfigError(f"--{key} needs a value", reason="bad_option")
            value = queue.pop(0)
        if key == "set":
            sets.append(value)
        else:
            found[key] = value
    return found, sets


def say(text: str) -> None:
    """One line for a person, if stderr takes it at once: a log that hangs or has gone must not stop the wire."""
    ready = select.poll()
    ready.register(sys.stderr.fileno(), select.POLLOUT)
    try:
        if ready.poll(0):
            os.write(sys.stderr.fileno(), text.encode("utf-8", "replace")[: select.PIPE_BUF - 1] + b"\n")
    except OSError:
        return  # nobody is there to hear that nobody is there


def wait_to_be_begun_again() -> None:
    """Before an end at the start, under systemd: with RestartSec=0 a port that isn't there would keep a core busy.

    It ends nevertheless: only a new start may open what DeviceAllow= did not find at this one.
    """
    if os.environ.get("NOTIFY_SOCKET"):
        time.sleep(AGAIN_S)


def become_urgent(priority: int) -> None:
    """Runs this process before ordinary ones; without permission it runs as it is, only not before everything else.

    Where the kernel groups processes by session (sched_autogroup, on in Debian), a nice value counts within a session
    only, and the session has one of its own; it is changed where it is ours alone, as a service's is. [sched(7)]
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, priority)
        if os.getsid(0) != os.getpid():
            return
        with open("/proc/self/autogroup", "w", encoding="ascii") as group:
            group.write(str(priority))
    except (PermissionError, FileNotFoundError):
        return


def handed_down(url: str) -> str:
    """The till's URL, with the listening socket that systemd holds for us in place of an address to bind.

    `tcp://0.0.0.0:9100?allow=…` → `tcp://fd:3?allow=…` if descriptor 3 listens on that port: then a till's connection
    waits while the line begins anew, instead of being refused. Another port's socket is left alone. [sd_listen_fds(3)]
    """
    head, question, options = url.partition("?")
    port = head.rpartition(":")[2]
    is_for_us = os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1"
    if not is_for_us or not head.startswith("tcp://") or head.startswith("tcp://fd:"):
        return url
    import socket

    with socket.socket(fileno=os.dup(LISTEN_FDS_START)) as listener:
        bound = listener.getsockname()[1] if listener.family in (socket.AF_INET, socket.AF_INET6) else 0
    if str(bound) != port:
        say(f"the socket that was handed down is of port {bound}, not of {port}: check ListenStream=")
        return url
    return f"tcp://fd:{LISTEN_FDS_START}{question}{options}"


def told_by_child(read: Callable[[], Any]) -> Any:
    """What `read` gives, as plain values (marshal), from a child process: what it imports doesn't stay in our memory.

    ConfigError in the words of whatever went wrong there.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(_told(read))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    if not told:
        raise ConfigError("the configuration could not be read: its reader was killed", reason="config")
    is_good, value = marshal.loads(told)
    if not is_good:
        raise ConfigError(value, reason="config")
    return value


def _told(read: Callable[[], Any]) -> bytes:
    """The child's side."""
    try:
        return marshal.dumps((True, read()))
    except EdgeboxError as fault:
        return marshal.dumps((False, str(fault)))
    except Exception as fault:  # whatever it is, it must be said by the parent: the child has no exit code of its own
        return marshal.dumps((False, f"{type(fault).__name__}: {fault}"))
