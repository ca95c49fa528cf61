"""A person's own conversations: list, begin, read, rename, move to the bin and back."""

from __future__ import annotations

import uuid
from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import asking, shapes
from api.asking import AskingText
from api.credentials import principal_of
from api.resource import Body, Resource
from chat import messages, organising, queries

MOST = 100


class Page(Body):
    """`?cursor=` as the page before gave it; `?bin=true`: what rests in the bin."""

    cursor = serializers.CharField(default="", allow_blank=True, max_length=64)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=40)
    bin = serializers.BooleanField(default=False)


class Title(Body):
    """What can be changed."""

    title = serializers.CharField(trim_whitespace=False, allow_blank=True)


class Conversations(Resource):
    """GET → {"items": […], "next_cursor"}, newest first. POST {text, model?} → 202, a new one with its first question.

    A repeat of POST with the same Idempotency-Key gets the same rows; without that header it begins another conversation.
    """

    scopes: ClassVar = {"GET": "chat", "POST": "chat"}

    def get(self, request: Request) -> Response:
        asked = Page(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        rows = queries.bin_list if given["bin"] else queries.conversation_list
        found = rows(principal_of(request).user(), cursor=given["cursor"], limit=given["limit"], full=True)
        items = [shapes.conversation(row) for row in found.conversations]
        return Response({"items": items, "next_cursor": found.next_cursor or None})

    def post(self, request: Request) -> Response:
        principal = principal_of(request)
        door, given = asking.door_of(request), AskingText.read(request)
        with asking.answered_for(request, door=door, model=given.get("model")):
            model, key = asking.model_of(principal, given.get("model")), asking.client_id_of(request)
            sent = messages.send(principal.user(), text=given["text"], client_id=key, model=model, door=door)
        return asking.accepted(sent)


class Conversation(Resource):
    """GET → one. PATCH {title} → renamed; a repeat changes nothing more. DELETE → 204, into the bin; a repeat: 204, nothing happens."""

    scopes: ClassVar = {"GET": "chat", "PATCH": "chat", "DELETE": "chat"}

    def get(self, request: Request, uuid: uuid.UUID) -> Response:
        return Response(shapes.conversation(queries.conversation_for(principal_of(request).user(), uuid)))

    def patch(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        row = queries.conversation_for(user, uuid)
        organising.rename(user, conversation=row, title=Title.read(request)["title"])
        return Response(shapes.conversation(row))

    def delete(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        organising.delete(user, conversation=queries.mine_or_binned(user, uuid))
        return Response(status=204)


class Restore(Resource):
    """POST → 200, out of the bin; a repeat changes nothing."""

    scopes: ClassVar = {"POST": "chat"}

    def post(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        organising.restore(user, conversation=queries.mine_or_binned(user, uuid))
        return Response(shapes.conversation(queries.conversation_for(user, uuid)))
