"""Sends messages about alerts: letters, and signed posts to a webhook. A row is the job; what fails is tried again, later and later.

A message may come twice when a process dies in the moment of sending; `id` is the same then. Decides nothing about alerts.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import logging
from typing import Any

from django.conf import settings
from django.db.models import F

from accounts import clock, letters, mail_sender, sealing, sso_fetch
from accounts.models import Organisation
from portal import alert_words
from portal.models import Alert, AlertMessage, AlertSettings

log = logging.getLogger(__name__)
State = AlertMessage.State
PURPOSE = "alert webhook"
LEASE = dt.timedelta(minutes=2)
PAUSES = tuple(dt.timedelta(seconds=s) for s in (60, 300, 1800, 7200))
"""After the first try, the second …; after one more it is given up."""
AT_ONCE = 10
KEPT = dt.timedelta(days=90)


def send_due() -> int:
    """Sends what is due, a few at a time; how many were tried."""
    now, count = clock.now(), 0
    for row in AlertMessage.objects.filter(state=State.WAITING, due_at__lte=now).order_by("pk")[:AT_ONCE]:
        mine = AlertMessage.objects.filter(pk=row.pk, state=State.WAITING, tries=row.tries)
        if mine.update(tries=F("tries") + 1, due_at=now + LEASE):
            row.tries += 1
            count += 1
            _send(row)
    return count


def again(row: AlertMessage) -> bool:
    """Begins anew with a message that was given up; False when it was not."""
    mine = AlertMessage.objects.filter(pk=row.pk, state=State.FAILED)
    return bool(mine.update(state=State.WAITING, tries=0, due_at=clock.now(), error=""))


def sweep(*, now: dt.datetime) -> int:
    """Takes alerts away that have long been over, with their messages."""
    return Alert.objects.filter(closed_at__lt=now - KEPT).delete()[0]


def _send(row: AlertMessage) -> None:
    row = AlertMessage.objects.select_related("alert").get(pk=row.pk)
    mine = AlertMessage.objects.filter(pk=row.pk, state=State.WAITING, tries=row.tries)
    error = _by_mail(row) if row.by_mail else _by_webhook(row)
    if not error:
        mine.update(state=State.SENT, sent_at=clock.now(), error="")
        return
    log.warning("alert %s could not be sent, try %d: %s", row.uuid, row.tries, error)
    if row.tries > len(PAUSES):
        mine.update(state=State.FAILED, error=error[:200])
    else:
        mine.update(due_at=clock.now() + PAUSES[row.tries - 1], error=error[:200])


def _by_mail(row: AlertMessage) -> str:
    """What went wrong; "" when it was taken."""
    if not settings.EMAIL_URL:
        return "EMAIL_URL is not set"
    language = letters.language_for(None)
    words = alert_words.in_language(row, language=language)
    context = {"lead": words.lead, "more": words.more, "link": alert_words.link(row.alert)}
    try:
        letters.post(letters.compose("alert", language=language, context=context), to=row.to, identity=str(row.uuid))
    except Exception as error:  # noqa: BLE001  # whatever a mail server does, it is one letter that fails
        return mail_sender.told(error)
    return ""


def _by_webhook(row: AlertMessage) -> str:
    wanted = AlertSettings.objects.order_by("pk").first()
    try:
        secret = sealing.unseal(wanted.webhook_secret, purpose=PURPOSE) if wanted and wanted.webhook_secret else ""
    except sealing.Unreadable:
        return "the secret cannot be read any more: enter it again"
    payload = told(row)
    headers = (
        {"X-Portal-Signature": signature(payload, secret=secret, at=int(clock.now().timestamp()))} if secret else {}
    )
    try:
        answer = sso_fetch.fetch(row.to, payload=payload, headers=headers)
    except sso_fetch.Unanswered as error:
        return str(error)
    return "" if 200 <= answer.status < 300 else f"HTTP {answer.status}"


def told(row: AlertMessage) -> dict[str, Any]:
    """What a webhook is sent."""
    alert = row.alert
    words = alert_words.in_language(row, language="en")
    return {
        "id": str(row.uuid),
        "alert": str(alert.uuid),
        "state": row.what,
        "kind": alert.kind,
        "subject": alert.subject,
        "name": alert.subject_name,
        "facts": alert.facts,
        "opened_at": _iso(alert.opened_at),
        "at": _iso(row.at),
        "text": f"{words.lead} {words.more}".strip(),
        "organisation": Organisation.get().name,
        "link": alert_words.link(alert),
    }


def signature(payload: dict[str, Any], *, secret: str, at: int) -> str:
    """`t=<seconds>,v1=<hex>`: HMAC-SHA256 over the seconds, a dot and the body as it is sent."""
    signed = f"{at}.".encode() + json.dumps(payload).encode()
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _iso(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
