"""Written answers, and calls to every address, for the tests of the page, without an engine."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.test import Client

from accounts.models import User
from chat import messages, rendering
from chat.models import Conversation, Generation, Message

JSON = {"Accept": "application/json"}
READ = ("conversation", "message", "source", "details", "state", "generation")


def of(user: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


def asked(user: User, text: str = "What now?", *, conversation: Conversation | None = None) -> messages.Sent:
    """A question whose answer has been written."""
    sent = messages.send(user, text=text, client_id=uuid.uuid4().hex, conversation=conversation)
    answer, words = sent.answer, f"An answer to *{text}*\n\nAnd more."
    Message.objects.filter(pk=answer.pk).update(
        text=words, html=rendering.render(words), html_version=rendering.HTML_VERSION
    )
    end(sent.generation)
    sent.conversation.refresh_from_db()
    return sent


def end(generation: Generation, *, state: str = "done", **fields: Any) -> None:
    given = {
        "finish_reason": "stop",
        "finished_at": generation.created_at,
        "started_at": generation.created_at,
    } | fields
    Generation.objects.filter(pk=generation.pk).update(state=state, **given)


def post(client: Client, path: str, fields: Any, **headers: str) -> Any:
    return client.post(path, json.dumps(fields), content_type="application/json", headers=JSON | headers)


def send(client: Client, text: str = "What now?", **fields: Any) -> Any:
    return post(client, "/chat/messages/", {"text": text, "client_id": uuid.uuid4().hex, **fields})


def addresses(sent: messages.Sent) -> dict[str, str]:
    """Every address that shows or changes something of one conversation."""
    answer, question, generation = sent.answer.uuid, sent.question and sent.question.uuid, sent.generation.uuid
    return {
        "conversation": f"/chat/{sent.conversation.uuid}/",
        "state": f"/chat/{sent.conversation.uuid}/state/",
        "message": f"/chat/messages/{answer}/",
        "source": f"/chat/messages/{answer}/source/",
        "details": f"/chat/messages/{answer}/details/",
        "generation": f"/chat/generations/{generation}/",
        "edit": f"/chat/messages/{question}/edit/",
        "regenerate": f"/chat/messages/{answer}/regenerate/",
        "continue": f"/chat/messages/{answer}/continue/",
        "retry": f"/chat/messages/{answer}/retry/",
        "cancel": f"/chat/generations/{generation}/cancel/",
    }


def call(client: Client, name: str, path: str, **headers: str) -> Any:
    fields = {"text": "x", "client_id": uuid.uuid4().hex}
    return client.get(path, headers=headers) if name in READ else post(client, path, fields, **headers)
