"""Letters of the product: written down in the transaction of the deed, sent afterwards by a background thread (accounts.mail_sender).

No request waits for the mail server. Where no mail is configured nothing is written and nothing may claim to have been sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts import letters, mail_sender, sealing, tries
from accounts.models import Mail

HOUR = 3600
PER_HOUR = 5
"""So many letters of a kind go to one address within an hour, whoever asks for them: nobody is bombed with our mail."""
PER_HOUR_OF = {"password_reset": 3, "email_change": 3, "test": 20}


def mail_configured() -> bool:
    """Whether EMAIL_URL is set."""
    return bool(settings.EMAIL_URL)


def send(kind: str, *, to: str, language: str, context: Mapping[str, Any]) -> Mail | None:
    """Writes the letter templates/mail/<kind>.* to `to` and has it sent after the commit.

    None: nothing will be sent, because no mail is configured, because the address exists nowhere (.invalid) or because it has had
    enough letters of this kind within the hour. The caller must then not speak of a letter.
    """
    if not mail_configured() or to.endswith(".invalid") or not _may(kind, to=to):
        return None
    return _write(letters.compose(kind, language=language, context=context), kind=kind, to=to, language=language)


def send_letter(letter: letters.Letter, *, kind: str, to: str, language: str) -> Mail | None:
    """The same for a letter that was composed before, so that a transaction of many letters is short."""
    if not mail_configured() or to.endswith(".invalid") or not _may(kind, to=to):
        return None
    return _write(letter, kind=kind, to=to, language=language)


def _write(letter: letters.Letter, *, kind: str, to: str, language: str) -> Mail:
    body = {name: value for name, value in asdict(letter).items() if value}
    return _keep(kind, to=to, language=language, subject=letter.subject, body=body)


def ask_for_reset(email: str, *, base: str, language: str) -> Mail | None:
    """A link to choose a new password, for whoever has this address; `base` is where the link begins.

    Whether anybody has it is asked when the letter is sent, not here: what a stranger can measure is the same for all addresses.
    """
    if not mail_configured() or not _may("password_reset", to=email):
        return None
    return _keep("password_reset", to=email, language=language, subject="", body={"reset": base})


def waiting() -> QuerySet[Mail]:
    """Letters on their way, oldest first."""
    return Mail.objects.filter(state=Mail.State.WAITING).order_by("pk")


def failed() -> QuerySet[Mail]:
    """Letters that were given up, newest first."""
    return Mail.objects.filter(state=Mail.State.FAILED).order_by("-pk")


def resend(letter: Mail) -> bool:
    """Begins anew with a letter that was given up; False when its text is gone or somebody else was first."""
    mine = Mail.objects.filter(pk=letter.pk, state=Mail.State.FAILED).exclude(body="")
    if not mine.update(state=Mail.State.WAITING, tries=0, next_try_at=None, error=""):
        return False
    transaction.on_commit(mail_sender.wake)
    return True


def discard(letter: Mail) -> bool:
    """Forgets a letter that was given up; False when it is no longer there or is being sent again."""
    return bool(Mail.objects.filter(pk=letter.pk, state=Mail.State.FAILED).delete()[0])


def _may(kind: str, *, to: str) -> bool:
    limit = tries.Limit(f"letter:{kind}:{to.strip().lower()}", PER_HOUR_OF.get(kind, PER_HOUR), HOUR)
    return not tries.take(limit)


def _keep(kind: str, *, to: str, language: str, subject: str, body: Mapping[str, str]) -> Mail:
    sealed = sealing.seal(json.dumps(body), purpose=mail_sender.PURPOSE)
    row = Mail.objects.create(kind=kind, to=to, language=language, subject=subject, body=sealed)
    transaction.on_commit(mail_sender.wake)
    return row
