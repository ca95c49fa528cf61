"""A turn that was just sent looks exactly as the templates show it, whatever stands in it; what is not fresh is left to them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation

from accounts.models import User
from chat import fresh
from chat.models import Generation, Message
from chat.page import Turn

TEXTS = (
    "Hello",
    "<script>alert('&amp;')</script> \"quoted\"",
    "fresh-poll fresh-lang fresh-text 00000000-0000-4000-8000-00000000f4e6",
    "你好，**注意：**\n\n\ttab",
)


@pytest.fixture
def request_() -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = User(name="Ada")
    return request


def question(text: str = "Hello", *, lang: str = "en") -> Turn:
    return Turn(Message(uuid=uuid.uuid4(), role=Message.Role.USER, text=text), lang=lang)


def answer(*, state: str = Generation.State.QUEUED, **more: Any) -> Turn:
    message = Message(uuid=uuid.uuid4(), role=Message.Role.ASSISTANT)
    generation = Generation(uuid=uuid.uuid4(), state=state, message=message)
    return Turn(message, generation=generation, poll_url="/live/x?a=1&b=2", **more)


def by_templates(request: HttpRequest, turns: list[Turn]) -> str:
    return "".join(render_to_string("chat/_message.html", {"turn": turn}, request) for turn in turns)


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("text", TEXTS)
def test_it_is_what_the_templates_show(request_: HttpRequest, language: str, text: str) -> None:
    with translation.override(language):
        turns = [question(text), answer(lang="zh"), question(text, lang=""), answer()]
        assert all(fresh._quickly(turn) for turn in turns)
        assert fresh.html(request_, turns) == by_templates(request_, turns)


@pytest.mark.django_db
def test_what_is_not_fresh_is_left_to_the_templates(request_: HttpRequest) -> None:
    note = {"level": "wait", "text": "2 before you", "actions": [], "kind": "queued", "lead": "", "rest": "", "id": "x"}
    turns = [answer(note=note), answer(model_name="Other"), answer(blocks=["<p>a</p>"]), answer(state="streaming")]
    assert [fresh._quickly(turn) for turn in turns] == ["", "", "", ""]
    assert fresh.html(request_, turns) == by_templates(request_, turns)
