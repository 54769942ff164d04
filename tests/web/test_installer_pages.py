"""What the installer looks at and does: devices, doctor, self-test, slips off, sync, profiles, logs, backup."""

import asyncio
import logging
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebox.appliance.doctor import box, cables, profiles, relay, rounds, wires, world
from edgebox.appliance.doctor.finding import Finding, Grade, ok
from edgebox.escpos.status import PrinterStatus
from edgebox.line.frames import Job, JobPhase, JobState, Status
from edgebox.log_tail import LogTail
from edgebox.web.backup_room import backup_room
from edgebox.web.check_up import CheckUp
from edgebox.web.roles import Role
from edgebox.web.words import Catalogue
from tests.line_of_engine import FakeLine
from tests.web.office import Shop, play


async def a_line(shop: Shop, name: str = "line1") -> FakeLine:
    """Connected."""
    line = await FakeLine.connect(shop.engine, name)
    await until(lambda: name in shop.engine.lines)
    return line


async def until(is_so: Callable[[], bool]) -> None:
    """Within five seconds."""
    async with asyncio.timeout(5.0):
        while not is_so():  # noqa: ASYNC110 - the engine has no event for it
            await asyncio.sleep(0.001)


def test_devices_says_what_a_printer_says_of_itself_in_words() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody(Role.INSTALLER)
        line = await a_line(shop)
        line.send(Status(True, PrinterStatus.COVER_OPEN | PrinterStatus.PAPER_END | PrinterStatus.OFFLINE, b""))
        await until(lambda: shop.engine.lines["line1"].status is not None)
        text = (await browser.get("/devices")).text
        assert "cover open" in text
        assert "no paper" in text
        program = await shop.token(Role.INSTALLER)
        (found,) = (await program.get("/api/v1/devices")).json()["lines"]
        assert (found["printer_state"], found["connected"], found["slips"]) == ("failed", True, True)
        assert {"cover open", "no paper"} <= set(found["words"])

    play(story)


def test_slips_are_turned_off_and_on_and_who_did_it_is_written_down() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody(Role.INSTALLER)
        assert (await browser.send_form("/devices/line1/slips", on="false")).status_code == 303
        assert shop.engine.bypassed == {"line1"}
        assert "Turn slips on" in (await browser.get("/devices")).text
        assert (await browser.send_form("/devices/line1/slips", on="true")).status_code == 303
        assert shop.engine.bypassed == frozenset()
        assert (await browser.send_form("/devices/line9/slips", on="true")).status_code == 404
        changes = [(row[2], row[3], row[4]) for row in await shop.rows_of("audit") if row[3].startswith("slips")]
        assert changes == [("installer", "slips off", "line1"), ("installer", "slips on", "line1")]

    play(story)


def test_the_self_test_comes_out_between_two_receipts_and_without_a_printer_that_is_said() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody(Role.INSTALLER)
        assert (await browser.send_form("/devices/line1/test")).status_code == 503
        assert (await browser.send_form("/devices/line9/test")).status_code == 404
        line = await a_line(shop)
        sent = asyncio.create_task(browser.send_form("/devices/line1/test"))
        job = await line.next()
        assert isinstance(job, Job)
        assert b"EDGEBOX-NATIVE" in job.body
        line.send(JobState(job.job, JobPhase.PRINTING, ""), JobState(job.job, JobPhase.SENT, ""))
        assert (await sent).status_code == 303

    play(story)


DOCTOR = (box, cables, profiles, relay, wires, world, rounds)
SOURCES = "".join(Path(str(module.__file__)).read_text("utf-8") for module in DOCTOR)
ENDS = {"till_end", "printer_end", "scanner_end", "code_end"}  # of drivers/registry.py
KEYS = set(re.findall(r'(?:key=|")"?([a-z]+_[a-z_]+)"', SOURCES)) - ENDS | {"configuration"}


def test_each_finding_of_the_doctor_has_its_sentences_and_none_has_too_many() -> None:
    catalogue = Catalogue.read()
    told = {key.partition(".")[2] for key in catalogue.keys() if key.startswith("doctor.")}  # noqa: SIM118
    assert told == KEYS & told
    calls = re.findall(r'key="([a-z_]+)"', SOURCES)
    assert set(calls) <= told
    assert len(set(re.findall(r"Finding\(|\bok\(", SOURCES))) == 2
    for key in calls:
        assert catalogue.has(f"doctor_mend.{key}"), key
        if key != "check_failed":
            group = key.partition("_")[0]
            assert catalogue.has(f"doctor_why.{key}") or catalogue.has(f"doctor_why.{group}"), key


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_doctors_findings_are_said_in_the_visitors_language(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody(Role.INSTALLER)
        found = [
            Finding(Grade.FAILED, "line line1, printer", "own words", "own why", "own mend", "wire_silent", "<b>x</b>"),
            Finding(Grade.WARNING, "some new part", "nobody knows", "why not", "do it", "not_in_any_catalogue"),
            ok("clock", "synchronised", "clock_ok"),
        ]
        monkeypatch.setattr("edgebox.web.check_up.rounds", lambda machine: found)
        await browser.send_form("/language", language=language)
        text = (await browser.get("/devices/doctor")).text
        silent = {"zh": "没有回应", "en": "does not answer"}[language]
        assert silent in text
        assert "&lt;b&gt;x" in text
        assert "nobody knows" in text
        part = (await browser.get("/devices/doctor", headers={"hx-request": "true"})).text
        assert silent in part
        assert "<html" not in part
        program = await shop.token(Role.INSTALLER)
        told = (await program.get("/api/v1/doctor")).json()["findings"]
        assert [one["key"] for one in told] == ["wire_silent", "not_in_any_catalogue", "clock_ok"]

    play(story)


def test_two_who_look_make_one_visit_of_the_doctor_and_none_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(shop: Shop) -> None:
        visits: list[int] = []

        def slow(machine: object) -> list[Finding]:
            visits.append(1)
            return [ok("clock", "synchronised", "clock_ok")]

        monkeypatch.setattr("edgebox.web.check_up.rounds", slow)
        doctor = CheckUp(shop.office)
        await asyncio.gather(doctor.findings(), doctor.findings())
        assert visits == [1]
        monkeypatch.setattr("edgebox.web.check_up.WAIT_S", 0.0)
        monkeypatch.setattr("edgebox.web.check_up.FRESH_S", -1.0)
        browser = await shop.somebody(Role.INSTALLER)
        assert (await browser.get("/devices/doctor")).status_code in (200, 503)

    play(story)


def test_the_log_is_shown_without_secrets_by_level_and_never_as_markup() -> None:
    async def story(shop: Shop) -> None:
        tail = LogTail()
        shop.engine.parts.append(tail)
        await tail.open(shop.office.store)
        try:
            logging.getLogger("edgebox.x").warning("token %s", "A" * 40)
            logging.getLogger("edgebox.x").error("bad <script>alert(1)</script> 13912345678")
        finally:
            await tail.stop()
        browser = await shop.somebody(Role.INSTALLER)
        text = (await browser.get("/logs")).text
        assert "A" * 40 not in text
        assert "13912345678" not in text
        assert "<script>alert" not in text
        assert "bad &lt;script&gt;" in text
        only = (await browser.get("/logs", params={"level": "error"})).text
        assert "bad" in only
        assert "token ***" not in only
        program = await shop.token(Role.INSTALLER)
        first, *_ = (await program.get("/api/v1/logs?level=warning")).json()["lines"]
        assert first["level"] == "error"
        assert (await browser.get("/logs", params={"level": "<x>"})).status_code == 422

    play(story)


def test_an_installer_reads_of_receipts_but_not_what_was_taken() -> None:
    async def story(shop: Shop) -> None:
        tail = LogTail()
        shop.engine.parts.append(tail)
        for words in (
            "till-1: sale 20.50 CNY, 20 points, slip printed, held 3.22 ms (tendered 30.00 - change 9.50 = 20.50)",
            "till-1: report: 41 receipts, 8,211.00 taken",
            "till-1: connected, printer generic-80",
        ):
            tail.emit(logging.makeLogRecord({"levelname": "INFO", "msg": words}))
        owner, installer = await shop.token(Role.OWNER), await shop.token(Role.INSTALLER)
        seen = [one["words"] for one in (await installer.get("/api/v1/logs")).json()["lines"]]
        assert seen == [
            "till-1: connected, printer generic-80",
            "till-1: report: *** receipts, *** taken",
            "till-1: sale *** CNY, *** points, slip printed, held 3.22 ms (tendered *** - change *** = ***)",
        ]
        assert "tendered 30.00" in (await owner.get("/api/v1/logs")).text

    play(story)


def test_a_backup_is_made_beside_the_work_and_fetched_by_the_owner_alone() -> None:
    async def story(shop: Shop) -> None:
        await shop.record(number="41")
        owner = await shop.somebody()
        assert "No backup yet" in (await owner.get("/backup")).text
        assert (await owner.get("/backup/download")).status_code == 404
        assert (await owner.send_form("/backup/make")).status_code == 303
        await backup_room(shop.office).settled()
        assert "Download" in (await owner.get("/backup/now")).text
        answer = await owner.get("/backup/download")
        assert answer.status_code == 200
        assert "attachment" in answer.headers["content-disposition"]
        path = Path(shop.engine.config.engine.data).parent / "fetched.db"
        path.write_bytes(answer.content)
        with sqlite3.connect(path) as copy:
            assert copy.execute("SELECT number FROM receipts").fetchall() == [("41",)]
        copy.close()
        for role in (Role.MANAGER, Role.CASHIER, Role.INSTALLER):
            other = await shop.somebody(role)
            assert (await other.get("/backup/download")).status_code == 403
        assert [row[3] for row in await shop.rows_of("audit")].count("backup downloaded") == 1
        assert (await owner.send_form("/backup/remove")).status_code == 303
        assert (await owner.get("/backup/download")).status_code == 404

    play(story)


def test_a_backup_that_fails_is_said_and_the_next_one_may_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(shop: Shop) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        owner = await shop.somebody()
        with monkeypatch.context() as patched:
            patched.setattr("edgebox.web.backup_room.backup", full)
            await owner.send_form("/backup/make")
            await backup_room(shop.office).settled()
        assert "can&#39;t be read or written" in (await owner.get("/backup")).text
        await owner.send_form("/backup/make")
        await backup_room(shop.office).settled()
        assert "Download" in (await owner.get("/backup")).text

    play(story)


def test_a_till_that_prints_a_new_layout_is_told_until_somebody_has_looked() -> None:
    async def story(shop: Shop) -> None:
        manager = await shop.somebody(Role.MANAGER)
        assert (await manager.send_form("/profiles/line1/known")).status_code == 404
        shop.engine.health.note("layout line1", "warning", "the last 20 look new")
        while not await shop.office.reports.drift():  # noqa: ASYNC110 - it is on its way to the disk
            await asyncio.sleep(0.001)
        assert "new kind of receipt" in (await manager.get("/profiles")).text
        assert (await manager.send_form("/profiles/line1/known")).status_code == 303
        assert (await manager.send_form("/profiles/nothing/forget")).status_code == 404

    play(story)


def test_a_box_without_a_cloud_says_so_calmly() -> None:
    async def story(shop: Shop) -> None:
        browser = await shop.somebody()
        assert "The box works alone" in (await browser.get("/sync")).text
        assert "No print jobs" in (await browser.get("/jobs")).text
        assert (await browser.send_form("/jobs/cancel", job="print/x")).status_code == 404
        program = await shop.token()
        found = (await program.get("/api/v1/sync")).json()
        assert (found["is_on"], found["connected"], found["bundles"]) == (False, False, [])
        assert (await program.get("/api/v1/jobs")).json() == {"jobs": [], "waiting": 0}

    play(story)
