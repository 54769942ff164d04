"""The guest's till: prints the files that it is given to a port. `python3 till.py [--hammer S] [--wait S] FILE…`

Once: one connection a file, as most tills do; exit 0 when all was taken. `--hammer S`: again and again for S seconds;
says how many connections were taken, refused or reset, and the longest wait. `--wait S`: tries so long to be let in.
`--to PORT`: another port than 9100.
"""

import argparse
import socket
import time
from pathlib import Path

PAUSE_S = 0.01


def send(content: bytes, port: int) -> float:
    """Seconds until the line had taken it all, and closed when we had."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as link:
        link.sendall(content)
        link.shutdown(socket.SHUT_WR)
        while link.recv(4096):
            pass
    return time.monotonic() - began


def once(contents: list[bytes], port: int, wait_s: float) -> None:
    end = time.monotonic() + wait_s
    for content in contents:
        while True:
            try:
                send(content, port)
                break
            except ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(PAUSE_S)


def hammer(contents: list[bytes], port: int, seconds: float) -> None:
    taken = refused = reset = 0
    longest = 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            longest = max(longest, send(contents[taken % len(contents)], port))
            taken += 1
        except ConnectionRefusedError:
            refused += 1
        except OSError:
            reset += 1
        time.sleep(PAUSE_S)
    print(f"taken {taken} refused {refused} reset {reset} longest {longest:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hammer", type=float, default=0.0)
    parser.add_argument("--wait", type=float, default=0.0)
    parser.add_argument("--to", type=int, default=9100)
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    contents = [path.read_bytes() for path in options.files]
    if options.hammer:
        hammer(contents, options.to, options.hammer)
    else:
        once(contents, options.to, options.wait)


main()
