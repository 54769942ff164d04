"""The page that a phone opens, over real HTTP: looking takes nothing, a tap collects, refusals have words."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edgebox.store.events import ClaimState, Stream
from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.page import ATTEMPTS
from hw_sim.cloud.page_words import SAYINGS
from tests.hw_sim.boxes import PaperBox, Wall


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Cloud]:
    with Cloud(tmp_path, clock=Wall()) as running:
        yield running


@pytest.fixture
def box(head: Cloud) -> PaperBox:
    return PaperBox(head)


class Seen(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]

    @property
    def title(self) -> str:
        return re.findall(r"<h1>(.*?)</h1>", self.text)[0]


class Phone:
    """A browser with its cookies."""

    def __init__(self, head: Cloud, language: str = "en") -> None:
        assert head.page is not None
        self.page = head.page
        self.language = language
        self.cookie = ""

    def open(self, url: str, method: str = "GET", **headers: str) -> Seen:
        host = headers.pop("Host", self.page.hosts[0])
        connection = http.client.HTTPConnection(self.page.hosts[0], timeout=5)
        wanted = {"Host": host, "Accept-Language": self.language, "Cookie": self.cookie, **headers}
        connection.request(method, self.page.address(url).partition(self.page.hosts[0])[2], headers=wanted)
        answer = connection.getresponse()
        seen = Seen(answer.status, answer.read().decode("utf-8"), dict(answer.getheaders()))
        connection.close()
        if "Set-Cookie" in seen.headers:
            self.cookie = seen.headers["Set-Cookie"].partition(";")[0]
        return seen

    def tap(self, url: str, **headers: str) -> Seen:
        return self.open(url, "POST", **headers)


def test_a_phone_opens_the_code_taps_and_has_its_points(head: Cloud, box: PaperBox) -> None:
    url, phone = box.sell(1250), Phone(head)
    offer = phone.open(url)
    assert (offer.status, offer.title) == (200, "12 points")
    assert "Noodles &amp; Co" in offer.text
    assert "12.50 CNY" in offer.text
    assert "Collect points" in offer.text
    done = phone.tap(url)
    assert done.title == "12 points"
    assert "You now have 12 points" in done.text
    assert "Collect points" not in done.text
    assert "already" in phone.open(url).text


def test_looking_takes_nothing(head: Cloud, box: PaperBox) -> None:
    """Chat programs open links to show a preview."""
    url = box.sell(1250)
    for _ in range(3):
        assert "Set-Cookie" not in Phone(head).open(url).headers
    assert head.points.held() == []


def test_the_shops_customers_read_chinese(head: Cloud, box: PaperBox) -> None:
    url, phone = box.sell(1250), Phone(head, "zh-CN,zh;q=0.9")
    assert phone.open(url).title == "12 积分"
    assert "领取积分" in phone.open(url).text
    assert "您现在共有 12 积分" in phone.tap(url).text


def test_each_refusal_has_its_own_words(head: Cloud, box: PaperBox) -> None:
    spent, void, waiting = box.sell(1250, number=1), box.mint(1250, number=2), box.mint(1250, number=3)
    box.tell(Stream.CLAIMS, box.claim(void, ClaimState.VOID))
    doubtful = box.sell(1250, number=4, weak=True)
    expired = box.mint(1250, number=5, at=int(head.clock()) - 4 * 86400)
    box.sell(100, number=6)
    contradicted = box.mint(5000, number=6)
    altered = spent[:-1] + ("B" if spent[-1] == "A" else "A")
    Phone(head).tap(spent)
    titles = [Phone(head).tap(url).title for url in (spent, void, waiting, doubtful, expired, contradicted, altered)]
    assert titles == [
        "Already collected",
        "This receipt is void",
        "Kept for you",
        "Being checked",
        "Too late",
        "Not what the shop recorded",
        "This code is not valid",
    ]


def test_all_words_are_there_in_both_languages() -> None:
    for key, words in SAYINGS.items():
        assert set(words) == {"zh", "en"}, key
        assert len({said.look for said in words.values()}) == 1, key
    for language in ("zh", "en"):
        texts = [words[language].text for words in SAYINGS.values()]
        assert len(set(texts)) == len(texts), "each its own"


def test_the_page_lets_nothing_in_and_nothing_out(head: Cloud, box: PaperBox) -> None:
    phone, url = Phone(head), box.sell(1250)
    headers = phone.tap(url).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert {"HttpOnly", "SameSite=Lax"} <= set(headers["Set-Cookie"].split("; "))
    assert "<script" not in phone.open(url).text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Content-Length": "5000"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_another_sites_form_collects_nothing(head: Cloud, box: PaperBox, headers: dict[str, str]) -> None:
    url = box.sell(1250)
    assert Phone(head).tap(url, **headers).status == 403
    assert head.points.total() == 0


def test_a_forged_cookie_is_nobody(head: Cloud, box: PaperBox) -> None:
    phone, url = Phone(head), box.sell(1250)
    phone.cookie = "member=somebody' OR 1=1"
    phone.tap(url)
    (held,) = head.points.held()
    assert head.points.is_member(held.member)
    assert held.member != "somebody' OR 1=1"


def test_guessing_is_slowed_down(head: Cloud, box: PaperBox) -> None:
    url = box.sell(1250)
    altered = url[:-1] + ("B" if url[-1] == "A" else "A")
    phone = Phone(head)
    assert [phone.tap(altered).status for _ in range(ATTEMPTS + 1)] == [200] * ATTEMPTS + [429]
    assert phone.tap(url).status == 429, "even the right one has to wait now"


@pytest.mark.parametrize("path", ["/", "/C/", "/C/AB/CD", "/favicon.ico", "/../etc/passwd", "/%00", "/C/%3Cscript%3E"])
def test_other_paths_lead_nowhere(head: Cloud, box: PaperBox, path: str) -> None:
    seen = Phone(head).open(f"http://x{path}")
    assert seen.title in {"Nothing here", "This code is not valid"}
    assert "<script>" not in seen.text
    assert head.points.held() == []
