"""Sends waiting letters from a thread of its own, one process at a time per letter; what fails is tried again, later and later.

A row is the job: it survives every process. A letter may come twice when a process dies in the moment of sending, never not at all
without standing in the list of failed ones. Writes no letters but the one that must not be written while somebody waits.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import smtplib
import threading

from django.conf import settings
from django.db import connections
from django.db.models import F, Q, QuerySet

from accounts import clock, letters, passwords, sealing
from accounts.letters import Letter
from accounts.models import Mail

logger = logging.getLogger("accounts.mail")

PURPOSE = "mail"
LEASE = dt.timedelta(minutes=2)
"""So long a letter belongs to the process that took it; far above EMAIL_TIMEOUT."""
PAUSES = tuple(dt.timedelta(seconds=s) for s in (60, 300, 1800, 7200))
"""After the first try, the second …; after one more the letter is given up."""
TOO_OLD = dt.timedelta(days=1)
"""What has waited for longer is given up: the links in it are over or their occasion is."""
BODY_KEPT, ROW_KEPT = dt.timedelta(days=3), dt.timedelta(days=30)
IDLE_S = 5.0

_wanted = threading.Event()
_starting = threading.Lock()
_thread: threading.Thread | None = None


def wake() -> None:
    """Letters are waiting: the thread of this process looks, and is started if there is none."""
    global _thread
    with _starting:
        _wanted.set()
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_work, name="mail", daemon=True)
            _thread.start()


def wake_if_due() -> int:
    """For the periodic job: picks up what an earlier process left, and what is to be tried again. Says how many are due."""
    found = _due().count() if settings.EMAIL_URL else 0
    if found:
        wake()
    return found


def deliver_due() -> int:
    """Sends everything that is due, here and now; returns how many letters were tried."""
    count = 0
    while settings.EMAIL_URL and (row := _claim()) is not None:
        count += 1
        _deliver(row)
    return count


def sweep() -> int:
    """Takes the text of old letters away, then the letters themselves."""
    now = clock.now()
    Mail.objects.filter(created_at__lt=now - BODY_KEPT).exclude(body="").update(body="", state=Mail.State.FAILED)
    return Mail.objects.filter(created_at__lt=now - ROW_KEPT).delete()[0]


def _work() -> None:
    global _thread
    while True:
        _wanted.clear()
        try:
            deliver_due()
        except Exception:  # the database may be away for a while: the rows stay, and so does this thread
            logger.exception("letters could not be looked at")
        finally:
            connections.close_all()
        if _wanted.wait(IDLE_S):
            continue
        with _starting:
            if not _wanted.is_set():
                _thread = None
                return


def _due() -> QuerySet[Mail]:
    ready = Q(next_try_at=None) | Q(next_try_at__lte=clock.now())
    return Mail.objects.filter(ready, state=Mail.State.WAITING).order_by("pk")


def _claim() -> Mail | None:
    """The oldest letter that is due, now this caller's for LEASE; None when there is none."""
    for row in _due()[:20]:
        mine = Mail.objects.filter(pk=row.pk, state=Mail.State.WAITING, tries=row.tries)
        if mine.update(tries=F("tries") + 1, next_try_at=clock.now() + LEASE):
            row.tries += 1
            return row
    return None


def _deliver(row: Mail) -> None:
    """One try; however it ends, it is written down, unless somebody else has taken the letter meanwhile."""
    mine = Mail.objects.filter(pk=row.pk, state=Mail.State.WAITING, tries=row.tries)
    if clock.now() - row.created_at > TOO_OLD or row.tries > len(PAUSES) + 1:
        mine.update(state=Mail.State.FAILED, error=row.error or "waited for too long")
        return
    try:
        letter = _letter(row)
        if letter is None:
            mine.delete()
            return
        letters.post(letter, to=row.to, identity=str(row.uuid))
    except Exception as error:  # noqa: BLE001  # whatever a mail server does, it is one letter that fails
        words = told(error)
        kind = type(error).__name__
        logger.warning("letter %s (%s) could not be sent, try %d: %s: %s", row.uuid, row.kind, row.tries, kind, words)
        if row.tries > len(PAUSES) or _is_final(error):
            mine.update(state=Mail.State.FAILED, error=words)
        else:
            mine.update(next_try_at=clock.now() + PAUSES[row.tries - 1], error=words)
        return
    mine.update(state=Mail.State.SENT, sent_at=clock.now(), body="", error="", subject=letter.subject)


def _letter(row: Mail) -> Letter | None:
    """What to send; None when a password was asked for and nobody has the address. Raises sealing.Unreadable."""
    body = json.loads(sealing.unseal(row.body, purpose=PURPOSE))
    if "reset" in body:
        return passwords.letter_for(row.to, base=body["reset"], language=row.language)
    return Letter(**body)


def told(error: Exception) -> str:
    """What an administrator reads of it: the mail server's own words, or the system's, and no name of ours."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        words = "; ".join(f"{code} {_text(said)}" for code, said in error.recipients.values())
    elif isinstance(error, smtplib.SMTPResponseException):
        words = f"{error.smtp_code} {_text(error.smtp_error)}"
    elif isinstance(error, OSError) and error.strerror:
        words = error.strerror  # "Connection refused", "Name or service not known"
    else:
        words = str(error) or "no reason given"
    return " ".join(words.split())[:500]


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def _is_final(error: Exception) -> bool:
    """Whether trying again is useless: the server said for good that it will not take this, or the text cannot be read."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, sealing.Unreadable):
        return True
    return isinstance(error, smtplib.SMTPResponseException) and 500 <= error.smtp_code < 600 and error.smtp_code != 535
