"""The messages of a conversation: read, ask on, ask anew, let answer again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import asking, shapes
from api.asking import Asking, AskingText
from api.credentials import principal_of
from api.resource import Body, Resource
from chat import messages, queries

MOST = 100


class Window(Body):
    """`?before=`: the id of a message; those that lead to it."""

    before = serializers.UUIDField(default=None, allow_null=True)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=queries.NEWEST)


class Next(AskingText):
    """`version`: the conversation's version that the asker knows; another one is refused with `moved_on`."""

    version = serializers.IntegerField(required=False, allow_null=True, min_value=0)


class Messages(Resource):
    """GET → {"items": […], "has_older"}, the path that leads to the newest, oldest first. POST {text, model?, version?} → 202.

    A repeat of POST with the same Idempotency-Key gets the same rows; without that header it is another question.
    """

    scopes: ClassVar = {"GET": "chat", "POST": "chat"}

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
        items = [shapes.message(row, generation=getattr(row, "generation", None)) for row in found.messages]
        return Response({"items": items, "has_older": found.has_older})

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
            )
        return asking.accepted(sent)


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
            more["model"] = asking.model_of(principal, given.get("model"))
        if "text" in given:
            more["text"] = given["text"]
        with asking.answered_for(request, door=door, model=given.get("model")):
            sent = type(self).verb(principal.user(), **more)
        return asking.accepted(sent)


class Edit(Again):
    """The question in other words: {text, model?}; the old one stays beside it."""

    body = AskingText
    verb = staticmethod(messages.edit)


class Regenerate(Again):
    """Another answer to the same question: {model?}; the old one stays beside it."""

    body = Asking
    verb = staticmethod(messages.regenerate)


class Continue(Again):
    """Goes on writing an answer that is not finished."""

    verb = staticmethod(messages.continue_)


class Retry(Again):
    """Tries an answer again that failed."""

    verb = staticmethod(messages.retry)
