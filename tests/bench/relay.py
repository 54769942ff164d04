"""The least that can stand between till and printer in Python: read here, write there. A measure for the line.

    python -IS relay.py tcp:LISTEN_PORT tcp:PRINTER_PORT
    python -IS relay.py pty:TILL_LINK pty:PRINTER_LINK

Owns: two descriptors. Never: parses, queues or gives up.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import tty


def _pty(link: str) -> int:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.symlink(os.ttyname(slave), link)
    return master


def _tcp(port: str, *, listens: bool) -> int:
    if listens:
        with socket.create_server(("127.0.0.1", int(port))) as server:
            connection, _ = server.accept()
    else:
        connection = socket.create_connection(("127.0.0.1", int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection.detach()


def _open(end: str, *, listens: bool) -> int:
    kind, _, place = end.partition(":")
    return _pty(place) if kind == "pty" else _tcp(place, listens=listens)


def main() -> None:
    """Until one side closes."""
    till, printer = _open(sys.argv[1], listens=True), _open(sys.argv[2], listens=False)
    poll = select.epoll()
    poll.register(till, select.EPOLLIN)
    poll.register(printer, select.EPOLLIN)
    other = {till: printer, printer: till}
    while True:
        for descriptor, _ in poll.poll():
            data = os.read(descriptor, 65536)
            if not data:
                return
            while data:
                data = data[os.write(other[descriptor], data) :]


if __name__ == "__main__":
    main()
