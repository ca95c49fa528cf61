"""What the addresses that ask have in common: whose door it is, which model is meant, and what makes a repeat a repeat.

The verbs are the pages' own (chat.messages). Decides nothing that they decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import clock, house_rules
from accounts.authentication import Principal
from accounts.middleware import organisation_of
from api import awaited, errors, repeats, shapes
from api.awaited import Awaited
from api.credentials import principal_of
from api.resource import Body
from chat import queries, turned_away
from chat.doors import Door
from chat.messages import Sent, new_client_id
from chat.models import Generation
from chat.refusals import Refused
from chat.watch import watcher
from providers import access
from providers.models import LanguageModel
from usage.models import Source


class Asking(Body):
    """The fields of every body that asks a model."""

    model = serializers.CharField(required=False, allow_null=True, max_length=200, trim_whitespace=False)
    mode = serializers.CharField(required=False, allow_blank=True, default="", max_length=32)


class AskingText(Asking):
    """A question. How long it may be chat.messages says."""

    text = serializers.CharField(trim_whitespace=False, allow_blank=True)


def door_of(request: Request) -> Door:
    """Where a question of this credential comes in. Raises a 403 while its person has not agreed to the house rules."""
    principal = principal_of(request)
    key = principal.key
    if key is None and house_rules.to_read(principal.user(), organisation=organisation_of(request._request)):
        raise errors.Problem(403, "house_rules", _("Agree to the house rules in the browser first."))
    return Door(Source.API, None if key is None else key.uuid, principal.model_names)


def model_of(principal: Principal, slug: str | None) -> LanguageModel | None:
    """The model that a body names; None: the verb chooses. Raises a 422 for one that may not be used."""
    if not slug:
        return None
    found = access.model_for(principal.user(), slug)
    if found is None or (principal.model_names is not None and found.slug not in principal.model_names):
        raise Refused(422, "no_model", _("No such model is available to you."))
    return found


def client_id_of(request: Request) -> str:
    """What makes a repeat a repeat: the header Idempotency-Key, of any characters; without it every request is a new one."""
    given = repeats.key_of(request)
    if given is None:
        return new_client_id()
    return f"api:{hashlib.sha256(given.encode('latin-1', 'replace')).hexdigest()[:56]}"


@contextmanager
def answered_for(request: Request, *, door: Door, model: str | None) -> Iterator[None]:
    """A question that is refused within stands in the log of calls, under the id that its asker is told."""
    try:
        yield
    except Refused as refused:
        mine = vars(request._request)["request_id"]
        turned_away.note(principal_of(request).user(), refused, request_id=mine, model=model, door=door)
        raise


def accepted(sent: Sent, *, wait: float = 0.0) -> Response:
    """202: the rows as they are now, and where the answer will be. With `wait` the answer is awaited first (api.waiting)."""
    row = sent.generation
    row.conversation, row.message = sent.conversation, sent.answer
    body = shown(row)
    if sent.question is not None:
        body["question"] = str(sent.question.uuid)
    response = Response(body, status=202 if row.active else 200)
    response["Location"] = f"/api/v1/generations/{row.uuid}/"
    if row.active and wait:
        watcher.follow(row)
        response[awaited.HEADER] = Awaited(str(row.uuid), wait).header()
    return response


def shown(row: Generation, *, after: int = 0) -> dict[str, object]:
    """A generation as it stands, in the reader's language. Conversation, message and model are loaded."""
    return shapes.generation(row, text=queries.text_so_far(row), after=after, now=clock.now())
