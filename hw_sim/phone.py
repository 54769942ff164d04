"""A customer's phone: reads the code off a paper, or hears a beacon, opens its page, taps.

Owns: the decoder's answer, cookies, what the page says. Never: knows the cloud but through HTTP. The address in the
code is the merchant's; `home` says where its pages are served on this machine.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

TIMEOUT_S = 10.0
_HEAD = re.compile(r"<h1>(.*?)</h1>")
_BALANCE = re.compile(r'<p class="balance">(.*?)</p>')


class PageSeen(NamedTuple):
    """What stands on the page: its headline, the balance below, and how long it took."""

    head: str
    balance: str
    ms: float


def codes_on(paper: Path) -> list[str]:
    """All QR codes that a camera finds on the picture of a paper."""
    import zxingcpp
    from PIL import Image

    with Image.open(paper) as image:
        return [code.text for code in zxingcpp.read_barcodes(image.convert("L"))]


class Phone:
    """One customer's. `home`: printed URL → the address where its page is served here."""

    def __init__(self, home: Callable[[str], str], language: str = "en") -> None:
        self._home = home
        self._language = language
        self._cookie = ""

    def collect(self, url: str, now_s: Callable[[], float]) -> PageSeen:
        """Opens the page and taps its button, if it has one; what it says then."""
        began = now_s()
        html = self._request("GET", url)
        if "<button>" in html:
            html = self._request("POST", url)
        return self._seen(html, (now_s() - began) * 1000)

    def look(self, url: str, now_s: Callable[[], float]) -> PageSeen:
        """Opens the page again, without a tap."""
        began = now_s()
        return self._seen(self._request("GET", url), (now_s() - began) * 1000)

    def near(self, advertisement: bytes, prefix: str, now_s: Callable[[], float]) -> PageSeen:
        """As a mini-program that hears a beacon: asks its cloud (`prefix`) what hangs there, taps, shows the code.

        `advertisement`: the manufacturer data of Apple as it came off the air. RuntimeError: nothing hangs there.
        """
        uuid, rest = advertisement[2:18].hex(), advertisement[18:22]
        spelled = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
        major, minor = int.from_bytes(rest[:2], "big"), int.from_bytes(rest[2:], "big")
        return self.collect(f"{prefix}near/{spelled}/{major}/{minor}", now_s)

    def _seen(self, html: str, ms: float) -> PageSeen:
        head, balance = _HEAD.search(html), _BALANCE.search(html)
        return PageSeen(unescape(head[1]) if head else "", unescape(balance[1]) if balance else "", ms)

    def _request(self, method: str, url: str) -> str:
        """RuntimeError when the page isn't there."""
        address = urlsplit(self._home(url))
        connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_S)
        try:
            headers = {"Accept-Language": self._language, "Cookie": self._cookie}
            connection.request(method, address.path, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8")
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise RuntimeError(f"the page says {answer.status} {answer.reason}")
        cookie = answer.getheader("Set-Cookie")
        if cookie:
            self._cookie = cookie.partition(";")[0]
        return text
