"""What a person has deleted: looked at, taken back, deleted for good. The verbs are the page's own (chat.organising)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import answers, examples, shapes
from api.credentials import principal_of
from api.operations import Once, Operation
from api.resource import Body, Resource
from api.v1.conversations import MOST, listed
from chat import organising, queries

BINNED = examples.CONVERSATION | {"deleted_at": examples.LATER}


class Page(Body):
    """`?cursor=` as the page before gave it."""

    cursor = serializers.CharField(default="", allow_blank=True, max_length=64)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=40)


class Bin(Resource):
    """GET → {"items": […], "next_cursor"}, the last deleted first. DELETE → 204, everything for good; a repeat: 204, nothing happens."""

    scopes: ClassVar = {"GET": "chat", "DELETE": "chat"}
    operations: ClassVar = {
        "GET": Operation(
            _("List what is in the bin"),
            {200: answers.Conversations},
            query=Page,
            shown={200: {"items": [BINNED], "next_cursor": None}},
        ),
        "DELETE": Operation(
            _("Empty the bin"),
            {204: None},
            more=_("There is no way back. Refused with 409 while a legal hold covers the conversations."),
            refuses=(409,),
            once=Once.APART,
        ),
    }

    def get(self, request: Request) -> Response:
        asked = Page(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        return Response(
            listed(
                queries.bin_list(principal_of(request).user(), cursor=given["cursor"], limit=given["limit"], full=True)
            )
        )

    def delete(self, request: Request) -> Response:
        organising.empty(principal_of(request).user())
        return Response(status=204)


class Binned(Resource):
    """DELETE → 204, one conversation of the bin for good; a repeat: 404, it is gone."""

    scopes: ClassVar = {"DELETE": "chat"}
    operations: ClassVar = {
        "DELETE": Operation(_("Delete for good what is in the bin"), {204: None}, refuses=(409,), once=Once.APART)
    }

    def delete(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        organising.delete_for_good(user, conversation=queries.binned_for(user, uuid))
        return Response(status=204)


class Restore(Resource):
    """POST → 200, out of the bin; a repeat changes nothing."""

    scopes: ClassVar = {"POST": "chat"}
    operations: ClassVar = {
        "POST": Operation(
            _("Take a conversation out of the bin"),
            {200: answers.Conversation},
            shown={200: examples.CONVERSATION},
            once=Once.STORED,
        )
    }

    def post(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        organising.restore(user, conversation=queries.mine_or_binned(user, uuid))
        return Response(shapes.conversation(queries.conversation_for(user, uuid)))
