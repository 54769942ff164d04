"""URL → the driver for that kind of end.

Owns: which scheme is which module. Never: knows what an end does. A module is imported when a URL names it, so that a
line over TCP never pays for a library of another wire (pyserial: 1 MB and 3 ms).
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.base import PrinterEnd, Reason, TillEnd, Url, parse_url
from edgebox.errors import DriverError

SCHEMES = ("tcp", "serial", "file", "pty")
TILL_SCHEMES = ("lpr", "gadget", *SCHEMES)
PRINTER_SCHEMES = ("usblp", "usb", *SCHEMES)
SCANNER_SCHEMES = ("evdev", "hidraw", *SCHEMES)
CODE_SCHEMES = ("hidkbd", "none", *SCHEMES)


def till_end(url: str, allow: Sequence[str] = ()) -> TillEnd:
    """The end that a till plugs into; DriverError when the URL is wrong. Opens nothing.

    `allow`: addresses and networks that may connect, besides those in the URL; none at all: everybody may.
    """
    parts = parse_url(url)
    if parts.scheme == "tcp":
        from drivers import tcp

        return tcp.TcpTill(parts, allow)
    if parts.scheme == "lpr":
        from drivers import lpr

        return lpr.LprTill(parts, allow)
    if allow:
        raise parts.fault(
            Reason.BAD_OPTION, "only tcp: and lpr: have an allow-list", "remove allow: a cable has one till"
        )
    if parts.scheme == "serial":
        from drivers import serial

        return serial.SerialTill(parts)
    if parts.scheme == "file":
        from drivers import file

        return file.FileTill(parts)
    if parts.scheme == "pty":
        from drivers import pty

        return pty.PtyTill(parts)
    if parts.scheme == "gadget":
        from drivers import gadget

        return gadget.GadgetTill(parts)
    raise _unknown(parts, TILL_SCHEMES)


def printer_end(url: str) -> PrinterEnd:
    """The end that a printer plugs into; DriverError when the URL is wrong. Opens nothing."""
    parts = parse_url(url)
    if parts.scheme == "tcp":
        from drivers import tcp

        return tcp.TcpPrinter(parts)
    if parts.scheme == "serial":
        from drivers import serial

        return serial.SerialPrinter(parts)
    if parts.scheme == "file":
        from drivers import file

        return file.FilePrinter(parts)
    if parts.scheme == "pty":
        from drivers import pty

        return pty.PtyPrinter(parts)
    if parts.scheme == "usblp":
        from drivers import usblp

        return usblp.UsbLpPrinter(parts)
    if parts.scheme == "usb":
        from drivers import usb

        return usb.UsbPrinter(parts)
    raise _unknown(parts, PRINTER_SCHEMES)


def scanner_end(url: str) -> TillEnd:
    """The end that a bar-code scanner plugs into; DriverError when the URL is wrong. Opens nothing."""
    parts = parse_url(url)
    if parts.scheme == "evdev":
        from drivers import evdev

        return evdev.EvdevScanner(parts)
    if parts.scheme == "hidraw":
        from drivers import hidraw

        return hidraw.HidPosScanner(parts)
    if parts.scheme in SCHEMES:
        return till_end(url)
    raise _unknown(parts, SCANNER_SCHEMES)


def code_end(url: str) -> PrinterEnd:
    """The end where a till takes codes; DriverError when the URL is wrong. Opens nothing. `none:`: there is no till."""
    parts = parse_url(url)
    if parts.scheme == "hidkbd":
        from drivers import hidkbd

        return hidkbd.HidKeyboardTill(parts)
    if parts.scheme == "none":
        from drivers import file

        parts.takes()
        return file.FilePrinter(parts._replace(host="", path="/dev/null"))
    if parts.scheme in SCHEMES:
        return printer_end(url)
    raise _unknown(parts, CODE_SCHEMES)


def _unknown(url: Url, known: Sequence[str]) -> DriverError:
    hint = f"known are {', '.join(f'{scheme}:' for scheme in known)}"
    return url.fault(Reason.UNKNOWN_SCHEME, f"no driver for {url.scheme}:", hint)
