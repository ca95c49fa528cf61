"""Invitations: made, sent again, revoked and accepted. A link is for one person and works once; only its digest is stored.

Decides no rights (the views do) and makes nobody an administrator.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit, belongings, clock, events, house_rules, letters, mail, passwords, teams
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
class Draft:
    """An invitation that is ready to be written down; without a letter where no mail is set up."""

    guest: Guest
    token: str = field(repr=False)
    link: str = field(repr=False)
    ends: dt.datetime
    language: str
    letter: letters.Letter | None = field(default=None, repr=False)


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
    return store(draft(guest, by=by, request=request, days=days), by=by, request=request)


def draft(guest: Guest, *, by: User, request: HttpRequest, days: int = DAYS) -> Draft:
    """What an invitation will be, its letter included: everything that takes time, and no transaction."""
    token, ends = secrets.token_urlsafe(32), clock.now() + dt.timedelta(days=days)
    link = passwords.absolute(reverse("account_invitation", kwargs={"token": token}), request=request)
    language = letters.language_for(None, otherwise=guest.language)
    if not mail.mail_configured():
        return Draft(guest, token, link, ends, language)
    zone = guest.time_zone or timezone.get_current_timezone_name()
    context = {"url": link, "invited_by": str(by), "expires_at": ends, "zone": zone}
    with timezone.override(zone):
        letter = letters.compose("invitation", language=language, context=context)
    return Draft(guest, token, link, ends, language, letter)


def store(drawn: Draft, *, by: User, request: HttpRequest) -> Sent:
    """Writes the invitation down and has its letter sent. Raises NotPossible: known, already invited."""
    guest, email = drawn.guest, drawn.guest.email.strip().lower()
    with transaction.atomic():
        _refuse_known(email)
        invitation = _unanswered().select_for_update().filter(email=email).first() or Invitation(email=email)
        if invitation.pk and invitation.expires_at > clock.now():
            raise NotPossible("invited", _("Already invited."))
        invitation.name, invitation.language, invitation.time_zone = guest.name, guest.language, guest.time_zone
        invitation.team, invitation.role, invitation.invited_by = guest.team, guest.role, by
        try:
            with transaction.atomic():
                mailed = _seal(invitation, drawn=drawn)
        except IntegrityError:  # somebody else invited the same address a moment ago
            raise NotPossible("invited", _("Already invited.")) from None
        team = guest.team.name if guest.team else None
        changes = {"email": (None, email), "team": (None, team), "role": (None, guest.role)}
        audit.record("invitation.made", actor=by, request=request, target=invitation, changes=changes)
    return Sent(invitation, drawn.link, mailed=mailed)


def resend(invitation: Invitation, *, by: User, request: HttpRequest, days: int = DAYS) -> Sent:
    """A new link; the one before is dead. Raises NotPossible when it was answered or revoked meanwhile."""
    guest = Guest(invitation.email, invitation.name, invitation.language, invitation.time_zone)
    drawn = draft(guest, by=by, request=request, days=days)
    with transaction.atomic():
        _refuse_known(invitation.email)
        present = _unanswered().select_for_update().filter(pk=invitation.pk).first()
        if present is None:
            raise _over()
        mailed = _seal(present, drawn=drawn)
        audit.record("invitation.resent", actor=by, request=request, target=present)
    return Sent(present, drawn.link, mailed=mailed)


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
    """All invitations, those that wait for an answer first, the newest before the older ones; each says whether it `is_late`."""
    late = ExpressionWrapper(Q(expires_at__lte=clock.Now()), output_field=BooleanField())
    rows = Invitation.objects.select_related("team", "invited_by", "user").annotate(is_late=late)
    return rows.order_by(F("accepted_at").asc(nulls_first=True), F("revoked_at").asc(nulls_first=True), "-pk")


def state_of(invitation: Invitation) -> str:
    """One of: accepted, revoked, expired, open. Of an invitation out of `listed`."""
    if invitation.accepted_at:
        return "accepted"
    if invitation.revoked_at:
        return "revoked"
    return "expired" if getattr(invitation, "is_late", False) else "open"


def _unanswered() -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at=None, revoked_at=None)


def _open() -> QuerySet[Invitation]:
    return _unanswered().filter(expires_at__gt=clock.Now())


def _over() -> NotPossible:
    return NotPossible("invitation_over", _("This invitation has been answered, replaced or withdrawn meanwhile."))


def _refuse_known(email: str) -> None:
    known = User.objects.filter(email=email).values_list("is_active", "awaits_approval").first()
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
            person = User.objects.create(**fields)
            house_rules.note(person, digest=newcomer.house_rules_read)
            return person
    except IntegrityError:
        raise NotPossible("known", _("There is an account with this address already. Sign in with it.")) from None


def _seal(invitation: Invitation, *, drawn: Draft) -> bool:
    """Gives the invitation its link and saves it; whether a letter is on its way."""
    invitation.digest, invitation.expires_at, invitation.sent_at = digest_of(drawn.token), drawn.ends, None
    if drawn.letter is not None:
        kept = mail.send_letter(drawn.letter, kind="invitation", to=invitation.email, language=drawn.language)
        invitation.sent_at = clock.now() if kept else None
    invitation.save()
    return invitation.sent_at is not None


def _waiting(person: User) -> Sequence[str]:
    return list(_open().filter(invited_by=person).order_by("email").values_list("email", flat=True))


def _hand_over(person: User, heir: User | None, by: User | None) -> None:
    mine = _unanswered().filter(invited_by=person)
    for invitation in mine:
        if heir is None:
            mine.filter(pk=invitation.pk).update(revoked_at=clock.now())
            audit.record("invitation.revoked", actor=by, target=invitation, actor_kind="" if by else "command")
    mine.update(invited_by=heir)


def register() -> None:
    """Whoever leaves may know the links that she made: somebody has to stand for them, or they end."""
    ended = _("They end; send them again where they are wanted.")
    advice = _("Who leaves may know their links: look whether you know all of these addresses.")
    belongings.register(belongings.Kind("invitations", _("Open invitations"), ended, _waiting, _hand_over, advice))
