"""What a page asks beside its turns: an answer's Markdown to copy, and a fresh token when it stood open for long."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from chat.models import Message
from tests.chat.asking import asked, of, post

pytestmark = pytest.mark.django_db


def test_the_source_of_an_answer_is_its_markdown_as_plain_text(owner: User, page: Client) -> None:
    sent = asked(owner, "Which trees?")
    Message.objects.filter(pk=sent.answer.pk).update(text="| a | b |\n|---|---|\n| <b>1</b> | 二 |")
    answer = page.get(f"/chat/messages/{sent.answer.uuid}/source/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert answer.content.decode() == "| a | b |\n|---|---|\n| <b>1</b> | 二 |"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert sent.question is not None
    assert page.get(f"/chat/messages/{sent.question.uuid}/source/").content.decode() == "Which trees?"


def test_a_token_comes_with_the_person_and_lets_a_page_send_again(owner: User) -> None:
    sent = asked(owner)
    client = of(owner, enforce_csrf_checks=True)
    path = f"/chat/generations/{sent.generation.uuid}/cancel/"
    refused = post(client, path, {})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "csrf")
    answer = client.get("/chat/token/", headers={"Accept": "application/json"})
    assert answer.json()["person"] == str(owner.uuid)
    assert "no-store" in answer["Cache-Control"]
    assert post(client, path, {}, **{"X-CSRFToken": answer.json()["csrf"]}).status_code == 202


def test_who_is_signed_out_gets_no_token(db: None) -> None:
    answer = Client().get("/chat/token/", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signed_out")


def test_a_finished_answer_says_where_the_models_memory_begins(owner: User, page: Client) -> None:
    first = asked(owner, "One")
    second = asked(owner, "Two", conversation=first.conversation)
    path = f"/chat/messages/{second.answer.uuid}/"
    assert "data-memory" not in page.get(path).content.decode()
    assert second.question is not None
    second.generation.request = {"sent": {"cut": 2, "first": str(second.question.uuid)}}
    second.generation.save(update_fields=["request"])
    assert f'data-memory="{second.question.uuid}"' in page.get(path).content.decode()
