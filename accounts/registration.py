"""Registration for the organisation's own domains: asked for, confirmed by a letter, approved or declined by an administrator.

What a stranger sees is the same for every address of those domains. Nobody gets more than a colleague's rights here, and who
waits is switched off (a constraint says so), so that no door has to know about waiting.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock, events, house_rules, letters, mail, passwords, tries
from accounts.invitations import digest_of
from accounts.lockout import address
from accounts.models import Organisation, Registration, User
from accounts.refusals import NotPossible

DAYS = 3
# The password at the confirmation: whoever only reads the mailbox of somebody else's form guesses no further.
MOST_TRIES = 5
HOUR = 3600
PER_ADDRESS = 20


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks to be let in."""

    email: str
    name: str
    password: str
    time_zone: str = ""
    house_rules_read: str = ""


def domains(organisation: Organisation) -> list[str]:
    """The domains whose people may register; empty: nobody may."""
    lines = organisation.open_domains.replace(",", "\n").splitlines()
    return [name for line in lines if (name := line.strip().lower().removeprefix("@"))]


def may(email: str, *, organisation: Organisation) -> bool:
    """Whether the address is one of theirs: exactly this domain, no part of it."""
    return email.strip().lower().rpartition("@")[2] in domains(organisation)


def ask(applicant: Applicant, *, request: HttpRequest) -> None:
    """Writes down who asks. Says nothing about whether somebody has the address: the answer to a stranger is one and the same.

    Raises NotPossible when too many come from one place.
    """
    if tries.take(tries.Limit(f"registration:{address(request)}", PER_ADDRESS, HOUR)):
        raise NotPossible("too_many_tries", _("Too many registrations come from here. Try again in an hour."))
    hashed, token = make_password(applicant.password), secrets.token_urlsafe(32)
    row = _row(applicant, hashed=hashed, token=token)
    if mail.mail_configured():
        _write_to(row, token=token, request=request)
    elif User.objects.filter(email=row.email).exists():
        row.save()  # leads nowhere: the answer takes as long as if it were a new address
    else:
        _make(row, request=request)


def find(token: str) -> Registration | None:
    """The registration that this link confirms; None for a wrong, used or expired one."""
    rows = Registration.objects.filter(expires_at__gt=clock.Now(), tries__lt=MOST_TRIES)
    return rows.filter(digest=digest_of(token)).first()


def confirm(registration: Registration, *, password: str, request: HttpRequest) -> bool:
    """Makes the account, which waits for approval; False for another password than the form's. One winner.

    The password proves that whoever reads the letter also filled in the form. Raises NotPossible when it is over.
    """
    mine = Registration.objects.filter(pk=registration.pk, digest=registration.digest)
    if not mine.filter(tries__lt=MOST_TRIES).update(tries=F("tries") + 1):
        raise _over()
    if not check_password(password, registration.password):
        return False
    with transaction.atomic():
        if not mine.delete()[0]:
            raise _over()
        if _make(registration, request=request) is None:
            raise NotPossible("known", _("There is an account with this address already. Sign in with it."))
        Registration.objects.filter(email=registration.email).delete()
    return True


def approve(person: User, *, by: User, request: HttpRequest) -> bool:
    """Lets the person in; whether a letter says so. Raises NotPossible when somebody decided before."""
    with transaction.atomic():
        waits = User.objects.filter(pk=person.pk, awaits_approval=True)
        if not waits.update(awaits_approval=False, is_active=True):
            raise _decided()
        person.refresh_from_db()
        told = _tell("registration_approved", person, request=request)
        events.rights_changed(person)
        changes = {"active": (False, True)}
        audit.record("registration.approved", actor=by, request=request, target=person, changes=changes)
    return told


def decline(person: User, *, by: User, request: HttpRequest) -> bool:
    """Deletes what was asked for; whether a letter says so. Raises NotPossible when somebody decided before."""
    with transaction.atomic():
        if not User.objects.filter(pk=person.pk, awaits_approval=True).delete()[0]:
            raise _decided()
        told = _tell("registration_declined", person, request=request)
        audit.record("registration.declined", actor=by, request=request, target=person)
    return told


def sweep() -> int:
    """Deletes registrations that nobody confirmed in time."""
    return Registration.objects.filter(expires_at__lte=clock.Now()).delete()[0]


def _write_to(row: Registration, *, token: str, request: HttpRequest) -> None:
    """A letter either way: with the link, or to say that there is an account. A row either way, so that both take as long."""
    with transaction.atomic():
        row.save()
        known = User.objects.filter(email=row.email).first()
        if known is None:
            link, kind = reverse("account_confirm_registration", kwargs={"token": token}), "registration"
        else:
            link, kind = reverse("account_login"), "registration_known"  # the token is told to nobody
        context = {"url": passwords.absolute(link, request=request), "days": DAYS}  # nothing that the stranger wrote
        language = letters.language_for(known, otherwise=row.language)
        mail.send(kind, to=row.email, language=language, context=context)


def _row(applicant: Applicant, *, hashed: str, token: str) -> Registration:
    return Registration(
        email=applicant.email.strip().lower(),
        name=applicant.name,
        language=translation.get_language() or "",
        time_zone=applicant.time_zone,
        password=hashed,
        house_rules_read=applicant.house_rules_read,
        digest=digest_of(token),
        expires_at=clock.now() + dt.timedelta(days=DAYS),
    )


def _make(row: Registration, *, request: HttpRequest) -> User | None:
    """The account that waits; None when the address has one."""
    fields = {name: getattr(row, name) for name in ("email", "name", "language", "time_zone", "password")}
    try:
        with transaction.atomic():
            person = User.objects.create(
                **fields, house_rules_read=row.house_rules_read, is_active=False, awaits_approval=True
            )
            house_rules.note(person, digest=row.house_rules_read)
            audit.record("registration.asked", request=request, target=person, actor_kind="anonymous")
    except IntegrityError:
        return None
    return person


def _tell(kind: str, person: User, *, request: HttpRequest) -> bool:
    link = passwords.absolute(reverse("account_login"), request=request)
    context = {"url": link}
    return mail.send(kind, to=person.email, language=letters.language_for(person), context=context) is not None


def _over() -> NotPossible:
    return NotPossible("registration_over", _("This link has been used or is too old."))


def _decided() -> NotPossible:
    return NotPossible("decided", _("Somebody has decided about this registration already."))
