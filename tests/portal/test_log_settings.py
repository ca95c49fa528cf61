"""A line of the log: its ids, plain or as JSON, in web and worker; one line for what was refused; never more than the ids."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import uuid
from collections.abc import Iterator

import pytest
from django.test import Client

from accounts import log_ids
from portal import log_settings
from portal.log_lines import Brief
from tests.accounts.crowd import person, signed_in, staff

SOMEBODY = uuid.UUID(int=7)


class Kept(logging.Handler):
    """What a handler with this formatter would write."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Kept]:
    root, handler = logging.getLogger(), Kept(log_settings.json_lines())
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)
    log_ids.end()


def told(formatter: logging.Formatter, *, fault: bool = False, **extra: str) -> str:
    fields = {"name": "chat.x", "levelno": logging.WARNING, "levelname": "WARNING", "msg": "gone %s", "args": ("away",)}
    record = logging.makeLogRecord(fields | extra)
    if fault:
        record.exc_info = (ValueError, ValueError("no"), None)
    return formatter.format(record)


def test_a_plain_line_names_the_ids_that_are_bound_before_its_traceback() -> None:
    log_ids.begin(request_id="abc", person=SOMEBODY)
    line, *rest = told(log_settings.plain_lines(), fault=True).splitlines()
    assert line.endswith(f"WARNING chat.x gone away request_id=abc person={SOMEBODY}")
    assert rest == ["ValueError: no"]
    log_ids.end()
    assert told(log_settings.plain_lines()).endswith("gone away")


def test_a_json_line_is_one_object_with_the_ids_and_nothing_that_nobody_looked_at() -> None:
    log_ids.begin(generation=SOMEBODY)
    line = told(log_settings.json_lines(), fault=True, secret="s3cret")
    found = json.loads(line)
    assert "\n" not in line
    assert set(found) == {"event", "generation", "level", "logger", "timestamp", "exception"}
    assert (found["event"], found["generation"], found["level"], found["logger"]) == (
        "gone away", str(SOMEBODY), "warning", "chat.x",
    )  # fmt: skip
    assert "ValueError: no" in found["exception"]
    log_ids.end()


def test_ids_are_of_their_thread_and_their_task() -> None:
    log_ids.begin(request_id="mine")
    seen: list[str] = []

    def look(words: str) -> None:
        seen.append(f"{words}: {told(log_settings.plain_lines())[-14:]}")

    for work in (look, log_ids.along(look)):
        thread = threading.Thread(target=work, args=("there",))
        thread.start()
        thread.join()
    assert ["mine" in line for line in seen] == [False, True]

    async def other() -> None:
        log_ids.begin(request_id="other")

    async def both() -> None:
        await asyncio.create_task(other())

    asyncio.run(both())
    assert told(log_settings.plain_lines()).endswith("request_id=mine")
    log_ids.end()


@pytest.mark.django_db
def test_a_refused_permission_is_one_line_with_who_and_which_request(kept: Kept) -> None:
    clerk = staff("clerk")
    answered = signed_in(clerk).get("/setup/models/")
    assert answered.status_code == 403
    lines = [json.loads(line) for line in kept.lines]
    (refused,) = [line for line in lines if line["logger"] == "django.request"]
    assert refused["event"] == "Forbidden (Permission denied): /setup/models/"
    assert (refused["request_id"], refused["person"]) == (answered["X-Request-ID"], str(clerk.uuid))


def test_only_what_is_nobodys_fault_in_the_code_loses_its_traceback() -> None:
    for level, stays in ((logging.WARNING, False), (logging.ERROR, True)):
        record = logging.LogRecord("django.request", level, "x.py", 1, "x", (), (ValueError, ValueError(), None))
        assert Brief().filter(record)
        assert bool(record.exc_info) is stays


@pytest.mark.django_db
def test_what_was_bound_for_one_request_is_gone_in_the_next() -> None:
    signed_in(person("ada")).get("/me/")
    assert told(log_settings.plain_lines()).endswith("gone away")
    Client().get("/health/live")
    assert told(log_settings.plain_lines()).endswith("gone away")
