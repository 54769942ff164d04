"""The quickest printer there is: takes everything on 127.0.0.1:9101 and says when the first byte came.

Standard library only, since it is there before anything else at boot. /run/sim/first-byte: the machine's uptime in
seconds (CLOCK_BOOTTIME); /run/sim/passed: one uptime a receipt, when its cut came.
"""

import selectors
import socket
import time
from pathlib import Path

FOLDER = Path("/run/sim")
CUT = b"\x1dV"


def uptime() -> str:
    return f"{time.clock_gettime(time.CLOCK_BOOTTIME):.4f}\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    listener = socket.create_server(("127.0.0.1", 9101))
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    passed = (FOLDER / "passed").open("w")
    is_first = True
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                waiting.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            link = key.fileobj
            try:
                content = link.recv(65536)
            except ConnectionError:
                content = b""
            if not content:
                waiting.unregister(link)
                link.close()
                continue
            if is_first:
                (FOLDER / "first-byte").write_text(uptime())
                is_first = False
            for _ in range(content.count(CUT)):
                passed.write(uptime())
            passed.flush()


main()
