"""Makes a repeated call one call: what was answered to an Idempotency-Key is kept for a day and answered again.

The claim on the key, what is done and the answer are one transaction: twenty calls at once wait for the first, and of what failed
nothing is left, so that it may be tried again under the same key. The verbs that ask a model have their own rows for this (chat.messages).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import clock, sealing
from accounts.authentication import Principal
from api import errors
from api.credentials import principal_of
from api.models import StoredAnswer

HEADER = "Idempotency-Key"
LONGEST = 200
KEPT = dt.timedelta(hours=24)
PURPOSE = "api stored answer"
TOLD = ("Location", "ETag")
"""The headers that belong to an answer."""
# A call outside of one transaction that has not ended after so long was lost with its process.
LOST = dt.timedelta(minutes=1)
PATIENCE_S, LOOK_S = 5.0, 0.05

Handler = Callable[..., Response]


def key_of(request: Request) -> str | None:
    """What the caller calls this call. Raises 400 for what is no key."""
    given = request.headers.get(HEADER)
    if given is not None and not 1 <= len(given) <= LONGEST:
        raise errors.Problem(400, "bad_idempotency_key", _("Idempotency-Key must have 1 to 200 characters."))
    return given


def once(handler: Handler, *, given: str, together: bool) -> Handler:
    """The handler, carried out once for each key. `together`: in one transaction with the answer; else the effect is harmless twice."""

    def carried_out(request: Request, *args: Any, **kwargs: Any) -> Response:
        principal = principal_of(request)
        key, digest = _named(principal, given=given), _digest(request)
        work = _together if together else _apart
        return work(principal, key=key, digest=digest, handle=lambda: handler(request, *args, **kwargs))

    return carried_out


def sweep(*, now: dt.datetime) -> int:
    """Takes away what is older than a day."""
    return StoredAnswer.objects.filter(created_at__lt=now - KEPT).delete()[0]


def _together(principal: Principal, *, key: str, digest: str, handle: Callable[[], Response]) -> Response:
    with transaction.atomic():
        row = _claim(principal, key=key, digest=digest)  # on PostgreSQL it waits here for the one before
        if row is not None:
            response = handle()
            _keep(row, response)
            return response
    return _again(principal, key=key, digest=digest)


def _apart(principal: Principal, *, key: str, digest: str, handle: Callable[[], Response]) -> Response:
    row = _claim(principal, key=key, digest=digest) or _taken_over(principal, key=key, digest=digest)
    if row is None:
        return _again(principal, key=key, digest=digest)
    try:
        response = handle()
    except BaseException:
        StoredAnswer.objects.filter(pk=row.pk, status=None).delete()
        raise
    _keep(row, response)
    return response


def _claim(principal: Principal, *, key: str, digest: str) -> StoredAnswer | None:
    """The row of this call; None when there is one already."""
    try:
        with transaction.atomic():
            return StoredAnswer.objects.create(user_id=principal.user_id, key=key, request=digest)
    except IntegrityError:
        return None


def _taken_over(principal: Principal, *, key: str, digest: str) -> StoredAnswer | None:
    """The row of a call that was lost with its process, if it is one."""
    now = clock.now()
    lost = StoredAnswer.objects.filter(user_id=principal.user_id, key=key, request=digest, status=None)
    if not lost.filter(created_at__lt=now - LOST).update(created_at=now):
        return None
    return lost.first()


def _keep(row: StoredAnswer, response: Response) -> None:
    body = "" if response.data is None else JSONRenderer().render(response.data).decode()
    row.status, row.body = response.status_code, sealing.seal(body, purpose=PURPOSE)
    row.headers = {name: response[name] for name in TOLD if name in response}
    row.save(update_fields=["status", "body", "headers"])


def _again(principal: Principal, *, key: str, digest: str) -> Response:
    """What was answered before. Raises 422 when it was to something else, 409 while it is still being carried out."""
    until = time.monotonic() + PATIENCE_S
    while True:
        row = StoredAnswer.objects.filter(user_id=principal.user_id, key=key).first()
        if row is not None and row.request != digest:
            raise errors.Problem(422, "client_id_reused", _("This Idempotency-Key was used for another request."))
        if row is not None and row.status is not None:
            break
        if row is None or time.monotonic() >= until:
            text = _("The same request is still being carried out. Ask again in a moment.")
            raise errors.Problem(409, "in_progress", text, retry_after=1)
        time.sleep(LOOK_S)
    try:
        body = sealing.unseal(row.body, purpose=PURPOSE)
    except sealing.Unreadable:
        raise errors.Problem(
            409, "done_before", _("This was done before; its answer cannot be read any more.")
        ) from None
    data = json.loads(body) if body else None
    return Response(data, status=row.status, headers={**row.headers, "Idempotency-Replayed": "true"})


def _named(principal: Principal, *, given: str) -> str:
    """A key belongs to the credential that sent it: neither another sign-in nor a narrower key gets its answer."""
    sign_in = f"{principal.kind} {principal.session_version} {principal.login_id or ''}"
    by = sign_in if principal.key is None else f"key {principal.key.uuid}"
    return hashlib.sha256(f"{by}\n{given}".encode("utf-8", "surrogateescape")).hexdigest()


def _digest(request: Request) -> str:
    said = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS, default=str)
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + said).hexdigest()
