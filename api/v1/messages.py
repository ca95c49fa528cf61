"""The messages of a conversation: read them, ask on, ask anew, let answer again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import answers, asking, examples, shapes
from api.asking import Asking, AskingText
from api.credentials import principal_of
from api.operations import Once, Operation
from api.resource import Body, Resource
from chat import messages, queries
from chat.models import Message as Row

MOST = 100
ASKED: dict[str, Any] = {
    "refuses": (409, 422),
    "once": Once.ROWS,
    "located": (200, 202),
    "shown": {202: examples.TAKEN},
}
"""What the operations that ask have in common. 200: a repeat whose answer has ended."""
TAKEN = {200: answers.Answer, 202: answers.Answer}


class Window(Body):
    """`?before=`: the id of a message; those that lead to it."""

    before = serializers.UUIDField(default=None, allow_null=True)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=queries.NEWEST)


class Leaf(Body):
    """`?cursor=` as the page before gave it."""

    cursor = serializers.UUIDField(default=None, allow_null=True)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=queries.NEWEST)


class Next(AskingText):
    """`version`: the conversation's version that the asker knows; another one is refused with `moved_on`."""

    version = serializers.IntegerField(required=False, allow_null=True, min_value=0)


class Messages(Resource):
    """GET → {"items": […], "has_older"}, the path that leads to the newest, oldest first. POST {text, model?, version?} → 202.

    A repeat of POST with the same Idempotency-Key gets the same rows; without that header it is another question.
    """

    scopes: ClassVar = {"GET": "chat", "POST": "chat"}
    operations: ClassVar = {
        "GET": Operation(
            _("Read the path to the newest message"),
            {200: answers.Messages},
            query=Window,
            shown={200: examples.MESSAGES},
        ),
        "POST": Operation(
            _("Ask on"),
            TAKEN,
            more=_("With `version` a question is refused where the conversation was continued elsewhere."),
            body=Next,
            example={"text": "And a light second?"},
            **ASKED,
        ),
    }

    def get(self, request: Request, uuid: uuid.UUID) -> Response:
        asked = Window(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        user, given = principal_of(request).user(), asked.validated_data
        home = queries.conversation_for(user, uuid)
        before = queries.message_for(user, given["before"]) if given["before"] else None
        found = queries.window(home, before=before, limit=given["limit"])
        parents = {message.pk: message for message in found.messages}
        for message in found.messages:
            if message.parent_id in parents:
                message.parent = parents[message.parent_id]
        return Response({"items": _shown(found.messages), "has_older": found.has_older})

    def post(self, request: Request, uuid: uuid.UUID) -> Response:
        principal = principal_of(request)
        door, given = asking.door_of(request), Next.read(request)
        with asking.answered_for(request, door=door, model=given.get("model")):
            sent = messages.send(
                principal.user(),
                text=given["text"],
                client_id=asking.client_id_of(request),
                conversation=queries.conversation_for(principal.user(), uuid),
                model=asking.model_of(principal, given.get("model")),
                version=given.get("version"),
                door=door,
                mode=given["mode"],
            )
        return asking.accepted(sent)


class Tree(Resource):
    """GET → {"items": […], "next_cursor"}: every message with its parent, branches that were left included. A repeat changes nothing."""

    scopes: ClassVar = {"GET": "chat"}
    operations: ClassVar = {
        "GET": Operation(
            _("Read every message, with all branches"), {200: answers.Tree}, query=Leaf, shown={200: examples.TREE}
        )
    }

    def get(self, request: Request, uuid: uuid.UUID) -> Response:
        asked = Leaf(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        user, given = principal_of(request).user(), asked.validated_data
        home = queries.conversation_for(user, uuid)
        after = queries.message_for(user, given["cursor"]) if given["cursor"] else None
        found = queries.tree(home, after=after, limit=given["limit"])
        rows = found[: given["limit"]]
        queries.dress(rows)
        return Response({
            "items": _shown(rows),
            "next_cursor": str(rows[-1].uuid) if len(found) > len(rows) else None,
        })  # fmt: skip


class Message(Resource):
    """GET → one message, an answer with its newest generation. A repeat changes nothing."""

    scopes: ClassVar = {"GET": "chat"}
    operations: ClassVar = {
        "GET": Operation(_("Read a message"), {200: answers.Message}, shown={200: examples.ANSWERED})
    }

    def get(self, request: Request, uuid: uuid.UUID) -> Response:
        row = queries.message_for(principal_of(request).user(), uuid)
        queries.dress([row])
        return Response(_shown([row])[0])


class Again(Resource):
    """What is asked once more: POST → 202. A repeat with the same Idempotency-Key gets the same rows."""

    scopes: ClassVar = {"POST": "chat"}
    body: ClassVar[type[Body]] = Body
    verb: ClassVar[Callable[..., messages.Sent]]

    def post(self, request: Request, uuid: uuid.UUID) -> Response:
        principal = principal_of(request)
        door, given = asking.door_of(request), self.body.read(request)
        found = queries.message_for(principal.user(), uuid)
        more = {"message": found, "client_id": asking.client_id_of(request), "door": door}
        if "model" in self.body().fields:
            more |= {"model": asking.model_of(principal, given.get("model")), "mode": given["mode"]}
        if "text" in given:
            more["text"] = given["text"]
        with asking.answered_for(request, door=door, model=given.get("model")):
            sent = type(self).verb(principal.user(), **more)
        return asking.accepted(sent)


class Edit(Again):
    """The question in other words: {text, model?, mode?}; the old one stays beside it."""

    operations: ClassVar = {
        "POST": Operation(
            _("Ask a question in other words"), TAKEN, body=AskingText, example={"text": "How far is it?"}, **ASKED
        )
    }
    body = AskingText
    verb = staticmethod(messages.edit)


class Regenerate(Again):
    """Another answer to the same question: {model?, mode?}; the old one stays beside it."""

    operations: ClassVar = {"POST": Operation(_("Let it be answered anew"), TAKEN, body=Asking, example={}, **ASKED)}
    body = Asking
    verb = staticmethod(messages.regenerate)


class Continue(Again):
    """Goes on writing an answer that is not finished."""

    operations: ClassVar = {"POST": Operation(_("Go on with an answer"), TAKEN, body=Body, example={}, **ASKED)}
    verb = staticmethod(messages.continue_)


class Retry(Again):
    """Tries an answer again that failed."""

    operations: ClassVar = {"POST": Operation(_("Try an answer again"), TAKEN, body=Body, example={}, **ASKED)}
    verb = staticmethod(messages.retry)


def _shown(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [shapes.message(row, generation=getattr(row, "generation", None)) for row in rows]
