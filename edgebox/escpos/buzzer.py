"""A printer's buzzer: one short, two long, three short, out of the one command that its profile has.

Owns: how many times and how long, in each maker's spelling. Never: when it beeps (edgebox/feedback.py). Pure.
"""

from __future__ import annotations

SHORT_MS, LONG_MS = 100, 500  # told apart by ear across a counter
GAP_MS = 100


def sound(command: bytes, times: int, *, is_long: bool) -> bytes:
    """So many beeps. b"": this printer has no buzzer. A command that knows no length is sent so many times.

    `command`: PrinterProfile.buzzer as bytes.
    """
    if command[:2] == b"\x1bB" and len(command) == 4:
        # Gprinter, Xprinter and others, programmer's manuals: ESC B n t, n beeps of t * 50 ms, both from 1 to 9
        return b"\x1bB" + bytes((times, min((LONG_MS if is_long else SHORT_MS) // 50, 9)))
    if command[:3] == b"\x1b(A" and command[5:6] == b"\x61" and len(command) == 10:
        # Epson, ESC ( A <Function 97>: c times, t1 * 100 ms on, t2 * 100 ms off
        length = (LONG_MS if is_long else SHORT_MS) // 100
        return command[:7] + bytes((times, length, GAP_MS // 100))
    return command * times
