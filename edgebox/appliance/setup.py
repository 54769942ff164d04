"""`edgebox setup` in talk: five questions, each with what was found and a default.

Owns: the questions and what a person may answer. Never: installs, or asks what can be found out. An answer that can't
be used is asked for again, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.registry import printer_end, till_end
from edgebox.appliance.answers import Answers, checked
from edgebox.appliance.doctor.wires import suggested
from edgebox.appliance.plugged import Plugged, Use
from edgebox.errors import ConfigError, DriverError

Ask = Callable[[str], str]
Say = Callable[[str], None]
TRIES = 5  # of one question; then somebody types for nobody
PAGE = "0.0.0.0:8443"


class Talk:
    """One talk. `ask` shows a prompt and gives the line typed; `found`: what is plugged in."""

    def __init__(self, ask: Ask, say: Say, found: list[Plugged]) -> None:
        self._ask = ask
        self._say = say
        self._found = found

    def answers(self) -> Answers:
        """All five. ConfigError `no_answers`: none that could be used."""
        shop = self._line("1. The shop's name", "")
        currency = self._one_of("   Its currency, as in EUR, CNY, USD", "CNY", _is_currency).upper()
        language = self._one_of(
            "   Slips and page in zh or en", "zh", lambda word: "" if word in ("zh", "en") else "zh or en"
        )
        printer, model = self._end("2. The printer", (Use.PRINTER, Use.CABLE), printer_end, "tcp://192.168.1.50:9100")
        known = suggested(model)
        profile = self._line(
            "   Its profile (edgebox slip list; files in printers/)", known[0] if known else "generic-80"
        )
        till, _ = self._end("3. The till", (Use.TILL, Use.CABLE), till_end, "tcp://0.0.0.0:9100")
        page = PAGE if self._yes("4. A page for the manager on the shop's network?") else ""
        self._say(
            "5. The cloud: with one, give its answers by `edgebox setup --answers FILE`; without, the box works alone."
        )
        made = Answers(
            shop=shop, currency=currency, language="en" if language == "en" else "zh",
            till=till, printer=printer, profile=profile, page=page,
        )  # fmt: skip
        return checked(made, "setup")

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

    def _yes(self, question: str) -> bool:
        return self._line(f"{question} y or n", "y").lower().startswith("y")

    def _end(
        self, question: str, uses: tuple[Use, ...], opened: Callable[[str], object], example: str
    ) -> tuple[str, str]:
        """A URL, and the model that the device says it is."""
        choices = [one for use in uses for one in self._found if one.use is use]
        self._say(f"{question}:")
        for number, one in enumerate(choices, 1):
            self._say(f"   {number}  {one.url}   {one.words}")

        def fault_of(typed: str) -> str:
            if typed.isdigit() and 1 <= int(typed) <= len(choices):
                return (
                    ""
                    if choices[int(typed) - 1].use is not Use.CABLE
                    else "a serial cable needs ?baud=…&flow=… behind it"
                )
            try:
                opened(typed)
            except DriverError as fault:
                return f"{fault.args[0]}; {fault.hint}"
            return ""

        typed = self._one_of("   a number of the list, or a URL", "1" if choices else example, fault_of)
        if not typed.isdigit():
            return typed, ""
        chosen = choices[int(typed) - 1]
        told = dict(pair.partition(":")[::2] for pair in chosen.device_id.split(";"))
        return chosen.url, told.get("MDL", "")


def _is_currency(word: str) -> str:
    return "" if len(word) == 3 and word.isascii() and word.isalpha() else "three letters, as on the bank's papers"
