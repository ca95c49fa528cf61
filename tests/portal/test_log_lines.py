"""The same warning is not written again and again; nothing else is left out."""

from __future__ import annotations

import logging

import pytest
from django.test import Client

from portal import log_lines
from portal.log_lines import NoLinks, Seldom


def record(
    text: str = "away", *, level: int = logging.WARNING, name: str = "chat.x", fault: bool = False
) -> logging.LogRecord:
    given = (ValueError, ValueError(), None) if fault else None
    return logging.LogRecord(name, level, "x.py", 1, "%s", (text,), given)


def test_the_same_warning_is_written_once_and_then_says_how_often_it_was_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seldom = Seldom()
    assert [seldom.filter(record()) for _ in range(4)] == [True, False, False, False]
    monkeypatch.setattr(log_lines, "EVERY_S", 0.0)
    again = record()
    assert seldom.filter(again)
    assert again.getMessage() == "away (and 3 times more in 0 s)"


def test_other_words_other_loggers_errors_and_tracebacks_are_always_written() -> None:
    seldom = Seldom()
    lines = [record(), record("gone"), record(name="chat.y")]
    assert [seldom.filter(line) for line in lines] == [True] * 3
    for same in (record(level=logging.ERROR), record(level=logging.INFO), record(fault=True)):
        assert [seldom.filter(same) for _ in range(2)] == [True, True]


def test_it_forgets_rather_than_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "MOST", 10)
    seldom = Seldom()
    assert all(seldom.filter(record(f"line {n}")) for n in range(100))
    assert len(seldom._said) <= 10


LINKS = (
    "invitation/Xy-_1/",
    "link/Xy-_1/",
    "email/Xy-_1:a:b/",
    "signup/confirm/Xy-_1/",
    "password/reset/key/1-Xy-_1/",
)


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_lets_somebody_in_is_cut_and_the_rest_of_the_line_stays(link: str) -> None:
    said = record(f"Forbidden (Referer https://x/accounts/{link}?a=100%): /accounts/{link}")
    assert NoLinks().filter(said)
    begin = link.rpartition("/")[0].rpartition("/")[0]
    assert said.getMessage() == f"Forbidden (Referer https://x/accounts/{begin}/…/?a=100%): /accounts/{begin}/…/"


def test_other_addresses_stay_as_they_are() -> None:
    for path in ("/accounts/login/", "/setup/people/invitations/5/", "/accounts/password/reset/"):
        said = record(f"Not Found: {path}")
        assert NoLinks().filter(said)
        assert said.getMessage() == f"Not Found: {path}"


def test_what_django_says_of_a_refused_address_holds_no_link(
    client: Client, caplog: pytest.LogCaptureFixture, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said in (each for handler in logging.getLogger().handlers for each in handler.filters):
        if isinstance(said, Seldom):
            monkeypatch.setattr(said, "_said", {})  # what other tests have made it say before
    client.get("/accounts/invitation/of-somebody/")
    assert [line.getMessage() for line in caplog.records if line.name == "django.request"] == [
        "Not Found: /accounts/invitation/…/"
    ]
