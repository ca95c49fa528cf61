"""An answer from its question to its end: how it stands, what came since, and stopping it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import answers, asking, awaited, examples
from api.awaited import Awaited
from api.credentials import principal_of
from api.operations import Once, Operation
from api.resource import Body, Resource
from api.v1.ask import LONGEST_WAIT_S
from chat import messages, queries
from chat.watch import watcher

STREAM = "text/event-stream"


class Look(Body):
    """`?after=`: characters that are known already. `?wait=`: so many seconds news may be awaited."""

    after = serializers.IntegerField(min_value=0, max_value=2**31, default=0)
    wait = serializers.FloatField(min_value=0, max_value=LONGEST_WAIT_S, default=0)


class Generation(Resource):
    """GET → the answer as it stands; with `wait` at once where there is news, else as soon as there is. A repeat changes nothing.

    With `Accept: text/event-stream` it comes word by word (api.streaming).
    """

    scopes: ClassVar = {"GET": "chat"}
    operations: ClassVar = {
        "GET": Operation(
            _("Read or await an answer"),
            {200: answers.Answer},
            more=_("With `Accept: text/event-stream` the answer comes word by word until it ends."),
            query=Look,
            shown={200: {name: value for name, value in examples.ANSWER.items() if name != "question"}},
            streams=True,
        )
    }

    def get(self, request: Request, uuid: uuid.UUID) -> Response:
        asked = Look(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        given, user = asked.validated_data, principal_of(request).user()
        row = queries.generation_for(user, uuid)
        streams = STREAM in request.headers.get("Accept", "")
        after = _last_seen(request, otherwise=given["after"]) if streams else given["after"]
        body = asking.shown(row, after=after)
        response = Response(body)
        if streams or (given["wait"] and row.active and not body["text"]):
            if row.active:
                watcher.follow(row)
            wanted = Awaited(str(row.uuid), given["wait"], after, row.state, stream=streams, user=user.pk)
            response[awaited.HEADER] = wanted.header()
        return response


def _last_seen(request: Request, *, otherwise: int) -> int:
    """Where a stream that was cut off goes on: the number of its last event is how many characters are known."""
    last = request.headers.get("Last-Event-ID", "")
    return int(last) if last.isascii() and last.isdigit() and len(last) < 10 else otherwise


class Cancel(Resource):
    """POST → 202: the answer is being stopped; what was written is kept. A repeat, or too late: 202, nothing happens."""

    scopes: ClassVar = {"POST": "chat"}
    operations: ClassVar = {
        "POST": Operation(_("Stop an answer"), {202: answers.Answer}, shown={202: examples.ANSWER}, once=Once.APART)
    }

    def post(self, request: Request, uuid: uuid.UUID) -> Response:
        user = principal_of(request).user()
        row = queries.generation_for(user, uuid)
        messages.cancel(user, generation=row)
        return Response(asking.shown(queries.generation_for(user, uuid)), status=202)
