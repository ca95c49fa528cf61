"""Invitations: made, sent again, revoked and accepted. A link is for one person and works once; only its digest is stored.

Decides no rights (the views do) and makes nobody an administrator.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock, events, letters, mail, passwords, teams
from accounts.models import Invitation, Membership, Team, User
from accounts.refusals import NotPossible

DAYS = 7
MOST_DAYS = 30
SESSION_KEY = "invitation"


@dataclass(frozen=True, slots=True)
class Guest:
    """Whom to invite; what is empty the person chooses."""

    email: str
    name: str = ""
    language: str = ""
    time_zone: str = ""
    team: Team | None = None
    role: str = Membership.Role.MEMBER


@dataclass(frozen=True, slots=True)
class Sent:
    """An invitation and its link, which is known only now; `mailed` says whether a letter is on its way."""

    invitation: Invitation
    link: str
    mailed: bool


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What whoever accepts says about herself. Without a password she signs in through the company."""

    name: str
    language: str
    time_zone: str
    password: str | None
    house_rules_read: str


def digest_of(token: str) -> str:
    """What is stored of a link's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def invite(guest: Guest, *, by: User, request: HttpRequest, days: int = DAYS) -> Sent:
    """Makes an invitation, or renews one that had expired. Raises NotPossible: known, already invited."""
    email = guest.email.strip().lower()
    with transaction.atomic():
        _refuse_known(email)
        now, token = clock.now(), secrets.token_urlsafe(32)
        invitation = _unanswered().select_for_update().filter(email=email).first() or Invitation(email=email)
        if invitation.pk and invitation.expires_at > now:
            raise NotPossible("invited", _("Already invited."))
        invitation.name, invitation.language, invitation.time_zone = guest.name, guest.language, guest.time_zone
        invitation.team, invitation.role, invitation.invited_by = guest.team, guest.role, by
        invitation.digest, invitation.expires_at = digest_of(token), now + dt.timedelta(days=days)
        try:
            with transaction.atomic():
                invitation.save()
        except IntegrityError:  # somebody else invited the same address a moment ago
            raise NotPossible("invited", _("Already invited.")) from None
        sent = _send(invitation, token=token, request=request)
        team = guest.team.name if guest.team else None
        changes = {"email": (None, email), "team": (None, team), "role": (None, guest.role)}
        audit.record("invitation.made", actor=by, request=request, target=invitation, changes=changes)
    return sent


def resend(invitation: Invitation, *, by: User, request: HttpRequest, days: int = DAYS) -> Sent:
    """A new link; the one before is dead. Raises NotPossible when it was answered or revoked meanwhile."""
    token, now = secrets.token_urlsafe(32), clock.now()
    with transaction.atomic():
        _refuse_known(invitation.email)
        fields = {"digest": digest_of(token), "expires_at": now + dt.timedelta(days=days), "sent_at": None}
        if not _unanswered().filter(pk=invitation.pk).update(**fields):
            raise _over()
        invitation.refresh_from_db()
        sent = _send(invitation, token=token, request=request)
        audit.record("invitation.resent", actor=by, request=request, target=invitation)
    return sent


def revoke(invitation: Invitation, *, by: User, request: HttpRequest) -> None:
    """Ends the link. Raises NotPossible when it was answered or revoked meanwhile."""
    with transaction.atomic():
        if not _unanswered().filter(pk=invitation.pk).update(revoked_at=clock.now()):
            raise _over()
        audit.record("invitation.revoked", actor=by, request=request, target=invitation)


def find(token: str) -> Invitation | None:
    """The invitation that this link opens now; None for a wrong, used, replaced, revoked or expired one."""
    rows = _open().select_related("team")
    return rows.filter(digest=digest_of(token)).first()


def held(uuid: UUID | str | None, *, digest: str) -> Invitation | None:
    """An invitation that was opened by its link before, if the very same link would still open it."""
    return _open().select_related("team").filter(uuid=uuid, digest=digest).first() if uuid else None


def hold(request: HttpRequest, invitation: Invitation) -> None:
    """Remembers in this browser which invitation is open on it, for the way through the company and back."""
    opened = {"uuid": str(invitation.uuid), "digest": invitation.digest}
    if request.session.get(SESSION_KEY) != opened:
        request.session[SESSION_KEY] = opened


def held_by(request: HttpRequest) -> dict[str, str] | None:
    """What `hold` remembered here, if anything; `held` says whether it still opens."""
    found = request.session.get(SESSION_KEY)
    return found if isinstance(found, dict) else None


def accept(invitation: Invitation, *, newcomer: Newcomer, request: HttpRequest) -> User:
    """Makes the account. Exactly one of several who use the link at once gets it; raises NotPossible for the others."""
    hashed = make_password(newcomer.password)  # takes its time: not inside the transaction
    with transaction.atomic():
        mine = _open().filter(pk=invitation.pk, digest=invitation.digest)
        if not mine.update(accepted_at=clock.now()):
            raise _over()
        user = _make(invitation, newcomer=newcomer, hashed=hashed)
        Invitation.objects.filter(pk=invitation.pk).update(user=user)
        if invitation.team_id and Team.objects.filter(pk=invitation.team_id).exists():
            teams.join(user, team_id=invitation.team_id, role=invitation.role)
            events.rights_changed(user)
        changes = {"invitation": (None, invitation.uuid), "role": (None, invitation.role)}
        audit.record("invitation.accepted", actor=user, request=request, target=user, changes=changes)
    return user


def listed() -> QuerySet[Invitation]:
    """All invitations, those that wait for an answer first, the newest before the older ones."""
    rows = Invitation.objects.select_related("team", "invited_by", "user")
    return rows.order_by(F("accepted_at").asc(nulls_first=True), F("revoked_at").asc(nulls_first=True), "-pk")


def state_of(invitation: Invitation, *, now: dt.datetime) -> str:
    """One of: accepted, revoked, expired, open."""
    if invitation.accepted_at:
        return "accepted"
    if invitation.revoked_at:
        return "revoked"
    return "open" if invitation.expires_at > now else "expired"


def _unanswered() -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at=None, revoked_at=None)


def _open() -> QuerySet[Invitation]:
    return _unanswered().filter(expires_at__gt=clock.Now())


def _over() -> NotPossible:
    return NotPossible("invitation_over", _("This invitation has been answered, replaced or withdrawn meanwhile."))


def _refuse_known(email: str) -> None:
    known = User.objects.filter(email__iexact=email).values_list("is_active", "awaits_approval").first()
    if known is None:
        return
    is_active, waits = known
    if waits:
        raise NotPossible("waits", _("Has registered and waits for approval."))
    if not is_active:
        raise NotPossible("deactivated", _("Is a colleague whose account is switched off. Switch it on again instead."))
    raise NotPossible("colleague", _("Already a colleague."))


def _make(invitation: Invitation, *, newcomer: Newcomer, hashed: str) -> User:
    fields = {
        "email": invitation.email,
        "password": hashed,
        "name": newcomer.name,
        "language": newcomer.language,
        "time_zone": newcomer.time_zone,
        "house_rules_read": newcomer.house_rules_read,
    }
    try:
        with transaction.atomic():
            return User.objects.create(**fields)
    except IntegrityError:
        raise NotPossible("known", _("There is an account with this address already. Sign in with it.")) from None


def _send(invitation: Invitation, *, token: str, request: HttpRequest) -> Sent:
    """Hands the link to the mail, if there is any."""
    path = reverse("account_invitation", kwargs={"token": token})
    link = passwords.absolute(path, request=request)
    zone = invitation.time_zone or timezone.get_current_timezone_name()
    context = {
        "url": link,
        "invited_by": str(invitation.invited_by or ""),
        "expires_at": invitation.expires_at,
        "zone": zone,
    }
    language = letters.language_for(None, otherwise=invitation.language)
    with timezone.override(zone):
        letter = mail.send("invitation", to=invitation.email, language=language, context=context)
    if letter is not None:
        invitation.sent_at = clock.now()
        Invitation.objects.filter(pk=invitation.pk).update(sent_at=invitation.sent_at)
    return Sent(invitation, link, mailed=letter is not None)
