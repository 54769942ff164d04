"""The whole API against its own document: whatever is sent by whomever, it answers as it says, and nothing breaks.

The engine, its store and the application are real, in this process: no socket lies between. Each case goes out as every
role, with a token that may change things; the owner's answers are held against the document.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, Self, TypeVar

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks

from edgebox.web.openapi import document
from edgebox.web.roles import Role
from edgebox.web.routes import rows
from tests.line_of_engine import NOW
from tests.web.office import ORIGIN, Browser, Shop, shop

DOCUMENT = msgspec.json.decode(document(rows()))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods]
CASES = 6  # of each operation: they are the same ones in every run, and the roles multiply them by five
WITHIN_S = 10.0  # of one answer
checks.load_all_checks()
CONFORMS = ("response_schema_conformance", "status_code_conformance", "content_type_conformance")
TOLD = [*map(checks.CHECKS.get_one, CONFORMS)]
UNREADY = {"no_printer", "busy", "store"}  # 503 is no fault where something of the shop's is not there
T = TypeVar("T")


class Served:
    """A shop in a loop of its own, and a program of each role."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._context = shop()
        self.shop: Shop
        self.programs: dict[Role, Browser] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._context.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the shop's loop."""
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(WITHIN_S)

    async def _open(self) -> None:
        self.shop = await self._context.__aenter__()
        self.shop.engine.health.note("printer line1", "failed", "no paper")
        for number in range(3):
            await self.shop.record(number=str(number), at=NOW - number)
        for role in Role:
            self.programs[role] = (
                self.shop.browser() if role is Role.NOBODY else await self.shop.token(role, writes=True)
            )

    def send(self, role: Role, case: Any) -> httpx.Response:
        """One case as that role."""
        asked = case.as_transport_kwargs(base_url=ORIGIN)
        headers = {name: value for name, value in asked["headers"].items() if name.lower() != "authorization"}
        program = self.programs[role]
        request = program.build_request(
            asked["method"], asked["url"], params=asked.get("params"), headers=headers, json=asked.get("json"),
            content=asked.get("data"),
        )  # fmt: skip
        return self.run(program.send(request))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served() as found:
        yield found


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as-documented", "otherwise"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_sent_by_whomever_it_answers_as_it_says(
    served: Served, path: str, method: str, mode: GenerationMode
) -> None:
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=CASES, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def told(case: Any) -> None:
        for role in Role:
            answer = served.send(role, case)
            if answer.status_code >= 500:
                assert answer.status_code == 503, f"{role}: {answer.text}"
                assert answer.json()["reason"] in UNREADY
            if role is Role.OWNER:
                case.validate_response(answer, checks=TOLD)
            if role is Role.NOBODY:
                assert answer.status_code in (401, 413), answer.text

    before = served.shop.engine.counters["faults"]
    told()
    assert served.shop.engine.counters["faults"] == before
