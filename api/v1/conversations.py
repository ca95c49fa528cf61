"""A person's own conversations: list, begin, read, rename, look at."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from api import answers, asking, examples, revisions, shapes
from api.asking import AskingText
from api.credentials import principal_of
from api.operations import Once, Operation
from api.resource import Body, Resource
from chat import messages, organising, queries
from chat.models import Conversation as Row

MOST = 100


class Page(Body):
    """`?cursor=` as the page before gave it; the rest leaves out what it is not true of."""

    cursor = serializers.CharField(default="", allow_blank=True, max_length=64)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=40)
    bin = serializers.BooleanField(default=False)
    q = serializers.CharField(default="", allow_blank=True, max_length=200, help_text=_("Words of the title."))
    model = serializers.CharField(default="", allow_blank=True, max_length=200)
    temporary = serializers.BooleanField(default=None, allow_null=True)
    since = serializers.DateTimeField(
        default=None, allow_null=True, default_timezone=dt.UTC, help_text=_("Changed then or later.")
    )


class First(AskingText):
    """The first question; a `temporary` conversation goes by itself after some hours."""

    temporary = serializers.BooleanField(default=False)


class Title(Body):
    """What can be changed."""

    title = serializers.CharField(trim_whitespace=False, allow_blank=True)


class Conversations(Resource):
    """GET → {"items": […], "next_cursor"}, newest first. POST {text, model?, mode?, temporary?} → 202, a new one with its first question.

    A repeat of POST with the same Idempotency-Key gets the same rows; without that header it begins another conversation.
    """

    scopes: ClassVar = {"GET": "chat", "POST": "chat"}
    operations: ClassVar = {
        "GET": Operation(
            _("List and search conversations"),
            {200: answers.Conversations},
            query=Page,
            shown={200: examples.CONVERSATIONS},
        ),
        "POST": Operation(
            _("Begin a conversation with its first question"),
            {200: answers.Answer, 202: answers.Answer},
            body=First,
            refuses=(409, 422),
            example={"text": "How long is a light year?", "temporary": True},
            shown={202: examples.TAKEN},
            once=Once.ROWS,
            located=(200, 202),
        ),
    }

    def get(self, request: Request) -> Response:
        asked = Page(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        rows = queries.bin_list if given["bin"] else queries.conversation_list
        user, only = principal_of(request).user(), _only(given)
        found = rows(user, cursor=given["cursor"], limit=given["limit"], full=True, only=only)
        return Response(listed(found))

    def post(self, request: Request) -> Response:
        principal = principal_of(request)
        door, given = asking.door_of(request), First.read(request)
        with asking.answered_for(request, door=door, model=given.get("model")):
            sent = messages.send(
                principal.user(),
                text=given["text"],
                client_id=asking.client_id_of(request),
                model=asking.model_of(principal, given.get("model")),
                door=door,
                mode=given["mode"],
                temporary=given["temporary"],
            )
        return asking.accepted(sent)


class Conversation(Resource):
    """GET → one. PATCH {title} → renamed; a repeat changes nothing more. DELETE → 204, into the bin; a repeat: 204, nothing happens."""

    scopes: ClassVar = {"GET": "chat", "PATCH": "chat", "DELETE": "chat"}
    operations: ClassVar = {
        "GET": Operation(
            _("Read a conversation"), {200: answers.Conversation}, shown={200: examples.CONVERSATION}, tagged=True
        ),
        "PATCH": Operation(
            _("Rename a conversation"),
            {200: answers.Conversation},
            body=Title,
            refuses=(422,),
            example={"title": "Light years"},
            shown={200: examples.CONVERSATION},
            once=Once.STORED,
            guarded=True,
        ),
        "DELETE": Operation(_("Move a conversation to the bin"), {204: None}, once=Once.APART, guarded=True),
    }

    def get(self, request: Request, uuid: uuid.UUID) -> Response:
        return _one(queries.conversation_for(principal_of(request).user(), uuid))

    @transaction.atomic
    def patch(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        row = _mine(request, user=user, uuid=uuid)
        organising.rename(user, conversation=row, title=Title.read(request)["title"])
        return _one(row)

    def delete(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        with transaction.atomic():  # nobody changes it between the look and the deed
            _held_still(request, user=user, uuid=uuid)
            row = queries.mine_or_binned(user, uuid)
            revisions.check(request, shapes.conversation(row))
            organising.put_away(user, conversation=row)
        organising.delete(user, conversation=row)
        return Response(status=204)


class Seen(Resource):
    """POST → 204: its person has looked, the mark of an answer that came meanwhile goes. A repeat: 204, nothing happens."""

    scopes: ClassVar = {"POST": "chat"}
    operations: ClassVar = {"POST": Operation(_("Note that one has looked"), {204: None}, once=Once.STORED)}

    def post(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        organising.see(user, conversation=queries.conversation_for(user, uuid))
        return Response(status=204)


def listed(found: queries.Listing) -> dict[str, Any]:
    """A page of conversations."""
    items = [shapes.conversation(row) for row in found.conversations]
    return {"items": items, "next_cursor": found.next_cursor or None}


def _only(given: dict[str, Any]) -> Q:
    only = Q()
    for word in given["q"].split():
        only &= Q(title__icontains=word)
    if given["model"]:
        only &= Q(model__slug=given["model"])
    if given["temporary"] is not None:
        only &= Q(expires_at__isnull=not given["temporary"])
    if given["since"] is not None:
        only &= Q(updated_at__gte=given["since"])
    return only


def _mine(request: Request, *, user: User, uuid: uuid.UUID) -> Row:
    """The conversation that will be changed, in the state that the caller means: nobody changes it meanwhile. In a transaction."""
    _held_still(request, user=user, uuid=uuid)
    row = queries.conversation_for(user, uuid)
    revisions.check(request, shapes.conversation(row))
    return row


def _held_still(request: Request, *, user: User, uuid: uuid.UUID) -> None:
    if "If-Match" in request.headers:
        Row.objects.select_for_update().filter(user=user, uuid=uuid).first()


def _one(row: Row) -> Response:
    return revisions.tagged(shapes.conversation(row))
