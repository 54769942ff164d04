"""A shop with its page open: the real engine and line, a simulated printer, and no cloud."""

import re
import time
from pathlib import Path
from typing import NamedTuple, Self

import httpx

from hw_sim.cloud.cloud import Cloud
from hw_sim.cloud.registry import Shop as Rules
from hw_sim.drawing import TicketDrawer
from hw_sim.receipt_words import SHOPS, Shop
from hw_sim.scenario import BOX, DEVICE, PREFIX, STORE, Scenario

WITHIN_S = 20.0
LINE = "edgebox.line.daemon"


class ShopWithPage(Scenario):
    """While its context is open. `more`: lines of edgebox.toml besides."""

    def __init__(self, folder: Path, more: str = "", shop: Shop | None = None) -> None:
        super().__init__(folder, shop or next(one for one in SHOPS if one.language == "zh-CN"), "generic-80", page=True)
        self.url = f"https://{self.page}"
        self._more = more

    def _start_cloud(self) -> None:
        with Cloud(self.folder / "cloud", None) as cloud:
            rules = Rules(STORE, self._shop.name, self._shop.currency, self._shop.decimals, 100, prefix=PREFIX)
            cloud.furnish(cloud.enroll(BOX, rules, DEVICE), self.folder / "credentials", self.keys_file)

    def _config(self) -> str:
        return super()._config() + self._more

    def pairing_code(self) -> str:
        """What stands on the slip that came out of the printer."""
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            assert self._printer is not None
            with self._printer.printer() as (printer, _):
                found = re.findall(rb"[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}", bytes(printer.received))
            if found:
                return str(found[-1].decode("ascii"))
            time.sleep(0.05)
        raise AssertionError("no pairing slip was printed")

    def slips(self) -> int:
        """How many papers came out."""
        return len(self._printer_report().tickets)

    def stop_line(self) -> None:
        """Its process ends, as if its box were unplugged."""
        line = next(process for process in self._processes if LINE in process.args)
        self._processes.remove(line)
        line.terminate()
        line.wait(10.0)

    def start_line(self) -> None:
        """Another one."""
        self._start("line", LINE, "--config", str(self.folder / "edgebox.toml"))

    def draw_last(self, path: Path) -> None:
        """The last paper as a picture."""
        assert self._printer is not None
        with self._printer.printer() as (printer, _):
            stream, ticket = bytes(printer.received), printer.report().tickets[-1]
        TicketDrawer(self._profile).save(stream, ticket, path)


class Paired(NamedTuple):
    """A shop with an owner."""

    shop: ShopWithPage
    name: str
    password: str

    @classmethod
    def pair(cls, shop: ShopWithPage, name: str = "wang", password: str = "a good pass 7") -> Self:
        """As a browser would, with the code from the paper."""
        headers = {"origin": shop.url}
        form = {"code": shop.pairing_code(), "name": name, "password": password}
        with httpx.Client(verify=False) as browser:
            answer = browser.post(f"{shop.url}/pair", data=form, headers=headers)
        assert answer.status_code == 303, answer.text
        return cls(shop, name, password)
