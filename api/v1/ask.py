"""The shortest way: a question in, the answer out."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import answers, asking, examples
from api.asking import AskingText
from api.credentials import principal_of
from api.operations import Once, Operation
from api.resource import Resource
from chat import messages, queries

WAIT_S, LONGEST_WAIT_S = 30, 55


class Question(AskingText):
    """`wait`: so many seconds the answer may be awaited; 0: not at all."""

    conversation = serializers.UUIDField(required=False, allow_null=True)
    temporary = serializers.BooleanField(default=False)
    wait = serializers.FloatField(min_value=0, max_value=LONGEST_WAIT_S, default=WAIT_S)


class Ask(Resource):
    """POST {text, conversation?, model?, mode?, temporary?, wait?} → 200 with the answer, or 202 with the address where it will be.

    A repeat with the same Idempotency-Key gets the same answer; without that header it is another question.
    """

    scopes: ClassVar = {"POST": "chat"}
    operations: ClassVar = {
        "POST": Operation(
            _("Ask a question and await the answer"),
            {200: answers.Answer, 202: answers.Answer},
            more=_(
                "200 with the answer where it is there within `wait` seconds, else 202 with the address where it will be."
            ),
            body=Question,
            refuses=(404, 409, 422),
            example={"text": "How long is a light year?", "wait": 0},
            shown={200: examples.ANSWER, 202: examples.TAKEN},
            once=Once.ROWS,
            located=(200, 202),
        )
    }

    def post(self, request: Request) -> Response:
        principal = principal_of(request)
        door, given = asking.door_of(request), Question.read(request)
        user, home = principal.user(), given.get("conversation")
        with asking.answered_for(request, door=door, model=given.get("model")):
            sent = messages.send(
                user,
                text=given["text"],
                client_id=asking.client_id_of(request),
                conversation=queries.conversation_for(user, home) if home else None,
                model=asking.model_of(principal, given.get("model")),
                door=door,
                mode=given["mode"],
                temporary=given["temporary"],
            )
        return asking.accepted(sent, wait=given["wait"])
