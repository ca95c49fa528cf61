"""/look/ exists in debug only, shows every state by the real fragments in both languages, and stores nothing."""

from __future__ import annotations

import html
import re

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.models import User
from chat.look import BREAKS, FAILS
from chat.look_samples import CAPTIONS
from chat.models import Conversation, Generation, Message
from providers.failures import Kind
from tests.chat.asking import of

pytestmark = pytest.mark.django_db


@pytest.fixture
def debug(settings: LazySettings) -> None:
    settings.DEBUG = True


def test_without_debug_there_is_no_such_page(page: Client) -> None:
    assert page.get("/look/").status_code == 404
    assert Client().get("/look/").status_code == 404


@pytest.mark.usefixtures("debug")
def test_it_asks_to_sign_in() -> None:
    assert Client().get("/look/").headers["Location"].startswith("/accounts/login/")


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize(("language", "which"), [("en", 0), ("zh-hans", 1)])
def test_every_state_is_there_in_both_languages_and_nothing_is_stored(owner: User, language: str, which: int) -> None:
    User.objects.filter(pk=owner.pk).update(language=language)
    answer = of(User.objects.get(pk=owner.pk)).get("/look/")
    shown = html.unescape(answer.content.decode())
    assert answer.status_code == 200
    for caption in CAPTIONS.values():
        assert caption[which] in shown
    kinds = set(re.findall(r'data-kind="(\w+)"', shown))
    assert {kind.value for kind in (*FAILS, *BREAKS)} <= kinds
    assert {"cancelled", "length", "content_filter", "limit"} <= kinds
    assert shown.count('class="meter num"') == 1 and shown.count('class="meter num warn"') == 2
    assert shown.count("data-use>") == 1
    for piece in ('class="caret"', 'class="think"', "<table", "<math", 'class="code"', 'class="dot idle"', "aria-busy"):
        assert piece in shown
    assert [model.objects.count() for model in (Conversation, Message, Generation)] == [0, 0, 0]


@pytest.mark.usefixtures("debug")
def test_no_id_stands_twice(page: Client) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page.get("/look/").content.decode())
    assert sorted({each for each in ids if ids.count(each) > 1}) == []


def test_every_kind_of_failure_is_on_the_page() -> None:
    assert set(FAILS) | set(BREAKS) | {Kind.HAND_BACK} == set(Kind)
