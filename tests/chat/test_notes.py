"""What the page says: every way to end badly has words in both languages, and they say what is kept and what can be done."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import pytest
from django.utils import timezone, translation

from chat.models import Generation, Message
from chat.notes import Facts, note, note_for
from providers.failures import Kind

HAN = re.compile("[\u4e00-\u9fff]")
ACTIONS = {"retry", "regenerate", "continue", "other_model", "edit"}
GENERAL = "Something went wrong on our side."
BASE = Facts(uuid="u", state="failed")


def said(facts: Facts, language: str) -> str:
    with translation.override(language):
        made = note(facts)
    assert made is not None
    return str(made["text"])


@pytest.mark.parametrize("state", ["failed", "interrupted"])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_failure_has_words_in_both_languages_and_something_to_do(kind: Kind, state: str) -> None:
    facts = replace(BASE, state=state, kind=kind.value, has_text=state == "interrupted")
    english, chinese = said(facts, "en"), said(facts, "zh-hans")
    assert english != chinese
    assert HAN.search(chinese)
    assert not HAN.search(english)
    made = note(facts)
    assert made is not None
    assert (made["kind"], made["id"]) == (kind.value, "u")
    assert made["actions"]
    assert set(made["actions"]) <= ACTIONS


def test_only_faults_of_our_own_have_the_general_words() -> None:
    general = {k.value for k in Kind if GENERAL in said(replace(BASE, kind=k.value), "en")}
    assert general == {"internal", "worker_lost", "hand_back"}  # the latter two never fail an answer


@pytest.mark.parametrize(
    "facts",
    [
        Facts("u", "queued", age=5, ahead=1),
        Facts("u", "queued", age=5, ahead=3),
        Facts("u", "queued", age=5),
        Facts("u", "queued", no_worker=True),
        Facts("u", "queued", circuit="unreachable"),
        Facts("u", "queued", kind="rate_limit", tries=1, retry_in=2.4),
        Facts("u", "queued", kind="server_error", tries=1, retry_in=0.0),
        Facts("u", "waiting"),
        Facts("u", "cancelled"),
        Facts("u", "cancelled", has_text=True),
        Facts("u", "done", finish_reason="length", has_text=True),
        Facts("u", "done", finish_reason="content_filter"),
        Facts("u", "done", finish_reason="stop"),
    ],
)
def test_whatever_waits_or_stopped_is_said_in_both_languages(facts: Facts) -> None:
    english, chinese = said(facts, "en"), said(facts, "zh-hans")
    assert english != chinese
    assert HAN.search(chinese)
    assert "%" not in english + chinese


@pytest.mark.parametrize(
    "facts",
    [
        Facts("u", "running", age=50),
        Facts("u", "streaming", age=50, no_worker=True),
        Facts("u", "queued", age=0.5),
        Facts("u", "done", finish_reason="stop", has_text=True),
    ],
)
def test_where_nothing_is_to_be_said_nothing_is(facts: Facts) -> None:
    assert note(facts) is None


def test_a_retry_says_when_and_which_of_how_many() -> None:
    facts = Facts("u", "queued", kind="rate_limit", tries=1, retry_in=6.2)
    assert said(facts, "en") == "The model is busy; trying again in 7 s (2 of 4)."
    assert "2" in said(replace(facts, kind="unreachable"), "en")


def test_what_counts_is_said_truly() -> None:
    assert "not counted" in said(replace(BASE, kind="bad_key", charged=False), "en")
    assert "may count" in said(replace(BASE, kind="stalled", charged=True), "en")


def test_a_stored_answer_has_its_note_in_the_language_asked_for() -> None:
    now = timezone.now()
    row = Generation(state="interrupted", error_kind="worker_lost", message=Message(text="Be"), created_at=now)
    english = note_for(row, now=now, language="en")
    chinese = note_for(row, now=now, language="zh-hans")
    assert english is not None
    assert chinese is not None
    assert english["text"].startswith("The answer is not finished: the service restarted.")
    assert (english["level"], english["actions"]) == ("half", ["continue", "regenerate"])
    assert HAN.search(chinese["text"])
    row.state, row.error_kind, row.next_attempt_at = "queued", "rate_limit", now + dt.timedelta(seconds=3)
    later = note_for(row, now=now, language="en")
    assert later is not None
    assert "trying again in 3 s" in later["text"]
