"""`edgebox setup` in talk: five questions, each with what was found and a default.

Owns: the questions and what a person may answer. Never: installs, or asks what can be found out. An answer that can't
be used is asked for again, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from drivers.base import parse_url
from drivers.registry import printer_end, till_end
from drivers.serial import BAUDS, Flow
from edgebox.appliance.answers import Answers, Cloud, checked
from edgebox.appliance.crossed_wires import profiles, same_place
from edgebox.appliance.doctor.wires import suggested
from edgebox.appliance.plugged import Plugged, Use
from edgebox.errors import ConfigError, DriverError, SyncError

Ask = Callable[[str], str]
Say = Callable[[str], None]
TRIES = 5  # of one question; then somebody types for nobody
PAGE = "0.0.0.0:8443"
BAUD, FLOW = "38400", "dsrdtr"  # as every example of ours has them; what counts is the printer's self-test
_ADVICE = "the printer's self-test prints it: hold FEED while switching on"


class Talk:
    """One talk. `ask` shows a prompt and gives the line typed; `found`: what is plugged in."""

    def __init__(self, ask: Ask, say: Say, found: list[Plugged]) -> None:
        self._ask = ask
        self._say = say
        self._found = found

    def answers(self) -> Answers:
        """All five. ConfigError `no_answers`: none that could be used."""
        shop = self._one_of("1. The shop's name", "", _is_name)
        currency = self._one_of("   Its currency, as in EUR, CNY, USD", "CNY", _is_currency).upper()
        language = self._one_of("   Slips and page in zh or en", "zh", _is_one_of("zh", "en"))
        printer, model = self._end("2. The printer", (Use.PRINTER, Use.CABLE), printer_end, "tcp://192.168.1.50:9100")
        known = suggested(model)
        profile = self._one_of("   Its profile; ? lists them", known[0] if known else "generic-80", _is_profile)
        till = self._till(printer)
        page = PAGE if self._yes("4. A page for the manager on the shop's network?", "y") else ""
        made = Answers(
            shop=shop, currency=currency, language="en" if language == "en" else "zh",
            till=till, printer=printer, profile=profile, page=page, cloud=self._cloud(),
        )  # fmt: skip
        return checked(made, "setup")

    def may_go(self, lost: list[str]) -> bool:
        """A person is asked before settings go that no question here asks for."""
        if not lost:
            return True
        self._say(f"The box has settings that these answers don't have: {', '.join(lost)}.")
        return self._yes("Go on without them? (They stay in edgebox.toml.before.)", "n")

    def _line(self, question: str, default: str) -> str:
        typed = self._ask(f"{question}{f' [{default}]' if default else ''}: ").strip()
        return typed or default

    def _one_of(self, question: str, default: str, fault_of: Callable[[str], str]) -> str:
        for _ in range(TRIES):
            typed = self._line(question, default)
            fault = fault_of(typed)
            if not fault:
                return typed
            self._say(f"   {fault}")
        raise ConfigError("no answer that could be used", reason="no_answers")

    def _yes(self, question: str, default: str) -> bool:
        return self._one_of(f"{question} y or n", default, _is_one_of("y", "n", "yes", "no")).startswith("y")

    def _till(self, printer: str) -> str:
        def opened(url: str) -> object:
            if same_place(url, printer):
                raise DriverError("that is the printer", reason="same", hint="till and printer are two ends")
            return till_end(url)

        till, _ = self._end("3. The till", (Use.TILL, Use.CABLE), opened, "tcp://0.0.0.0:9100", printer)
        url = parse_url(till)
        if url.scheme not in ("tcp", "lpr") or url.option("allow"):
            return till

        def fault_of(typed: str) -> str:
            try:
                till_end(f"{till}?allow={typed}") if typed else None
            except DriverError as fault:
                return f"{fault.args[0]}; {fault.hint}"
            return ""

        allow = self._one_of(
            "   The till's address. Nobody else may print then, and earn points with it; empty: anybody", "", fault_of
        )
        return f"{till}?allow={allow}" if allow else till

    def _cloud(self) -> Cloud | None:
        url = self._one_of("5. The cloud's broker, as mqtts://broker.example.com; empty: none", "", _is_broker)
        if not url:
            return None
        tenant = self._one_of("   The merchant's name there (tenant)", "", _is_word)
        store = self._one_of("   The shop's", "", _is_word)
        box = self._one_of("   This box's own, that no other ever had", "", _is_word)
        given = self._one_of("   The folder with its claim, certificate or password; empty: none", "", _is_given)
        keys = self._line("   Whom it obeys: lines of `edgebox fleet keys`, with blanks between; empty: nobody", "")
        is_claim = bool(given) and Path(given, "claim.crt").exists()
        return Cloud(
            url=url, tenant=tenant, store=store, box=box, fleet_keys=tuple(keys.split()),
            claim=given if is_claim else "", credentials="" if is_claim else given,
        )  # fmt: skip

    def _end(
        self, question: str, uses: tuple[Use, ...], opened: Callable[[str], object], example: str, taken: str = ""
    ) -> tuple[str, str]:
        """A URL, and the model that the device says it is. `taken`: what the other end has, and is not offered."""
        choices = [one for use in uses for one in self._found if one.use is use and not same_place(one.url, taken)]
        self._say(f"{question}:")
        for number, one in enumerate(choices, 1):
            self._say(f"   {number}  {one.url}   {one.words}")

        def fault_of(typed: str) -> str:
            if typed.isdecimal() and 1 <= int(typed) <= len(choices):
                return ""
            try:
                opened(typed)
            except DriverError as fault:
                return f"{fault.args[0]}; {fault.hint}"
            return ""

        sure = next((str(number) for number, one in enumerate(choices, 1) if one.use is not Use.CABLE), example)
        typed = self._one_of("   a number of the list, or a URL" if choices else "   its URL", sure, fault_of)
        if not typed.isdecimal():
            return typed, ""
        chosen = choices[int(typed) - 1]
        if chosen.use is Use.CABLE:
            return self._cable(chosen.url), ""
        told = dict(pair.partition(":")[::2] for pair in chosen.device_id.split(";"))
        return chosen.url, told.get("MDL", "")

    def _cable(self, url: str) -> str:
        """A serial port says nothing of itself."""
        self._say(f"   ({_ADVICE})")
        baud = self._one_of("   Its speed in baud", BAUD, _is_one_of(*map(str, BAUDS)))
        flow = self._one_of("   Who makes whom wait: dsrdtr, rtscts, xonxoff or none", FLOW, _is_one_of(*Flow))
        return f"{url}?baud={baud}&flow={flow}"


def _is_currency(word: str) -> str:
    return "" if len(word) == 3 and word.isascii() and word.isalpha() else "three letters, as on the bank's papers"


def _is_name(text: str) -> str:
    return "" if len(text) <= 80 and text.isprintable() else "80 letters at most"


def _is_profile(name: str) -> str:
    return "" if name in profiles() else f"there are {', '.join(profiles())}"


def _is_one_of(*words: str) -> Callable[[str], str]:
    return lambda typed: "" if typed in words else f"one of {', '.join(words)}"


def _is_word(text: str) -> str:
    return "" if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text) else "letters, digits, `_`, `.` and `-`, 64 at most"


def _is_broker(text: str) -> str:
    from sync import address

    try:
        address.parse(text) if text else None
    except SyncError as fault:
        return f"{fault.args[0]}; {fault.hint}"
    return ""


def _is_given(text: str) -> str:
    names = ("claim.crt", "client.crt", "ca.crt", "password")
    return "" if not text or any(Path(text, name).exists() for name in names) else f"holds none of {', '.join(names)}"
