"""A till that prints a receipt every so often, whatever happens: `steady_till.py PERIOD_S FILE`, until it is ended.

A receipt that is refused or reset is printed again at once, as a cashier would.
"""

import socket
import sys
import time


def main() -> None:
    period_s = float(sys.argv[1])
    with open(sys.argv[2], "rb") as file:
        content = file.read()
    while True:
        try:
            with socket.create_connection(("127.0.0.1", 9100), timeout=30) as link:
                link.sendall(content)
                link.shutdown(socket.SHUT_WR)
                while link.recv(4096):
                    pass
        except OSError:
            time.sleep(0.02)
            continue
        time.sleep(period_s)


main()
