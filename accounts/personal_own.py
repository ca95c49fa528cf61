"""What this room knows of a person, as parts that can be counted, exported and erased. Decides nothing; see accounts.personal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock, openings, session_store
from accounts.models import (
    AnnouncementRead,
    ApiKey,
    AuditEvent,
    Erasure,
    HeldPerson,
    Invitation,
    LoginSession,
    Mail,
    Membership,
    Notice,
    OneTimeLink,
    Opening,
    Registration,
    RulesAgreement,
    User,
)
from accounts.personal import Part, Rows
from accounts.personal import register as register_part

BATCH = 200
ERASED = "erased.invalid"
"""The domain of people who were erased: it exists nowhere."""
Find = Callable[[User], QuerySet[Any]]


def is_erased(person: User) -> bool:
    """Whether nothing is left of her but a number."""
    return person.email.endswith(f"@{ERASED}")


def rows_of(find: Find, *fields: str) -> Callable[[User], Rows]:
    """The rows with these columns, oldest first, a few at a time."""

    def rows(person: User) -> Rows:
        yield from find(person).order_by("pk").values(*fields).iterator(chunk_size=500)

    return rows


def deleting(*finds: Find) -> tuple[Callable[[User], int], Callable[[User], int]]:
    """How to count and to delete rows, a batch at a time."""

    def count(person: User) -> int:
        return sum(find(person).count() for find in finds)

    def erase(person: User) -> int:
        for find in finds:
            rows = find(person)
            if ids := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
                with transaction.atomic():
                    rows.model._base_manager.filter(pk__in=ids).delete()
                return len(ids)
        return 0

    return count, erase


def blanking(find: Find, **blank: Any) -> tuple[Callable[[User], int], Callable[[User], int]]:
    """How to count and to blank rows, a batch at a time; `find` no longer finds what has been blanked."""

    def count(person: User) -> int:
        return find(person).count()

    def erase(person: User) -> int:
        rows = find(person)
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if ids:
            rows.model._base_manager.filter(pk__in=ids).update(**blank)
        return len(ids)

    return count, erase


def _of(model: type[Model], *, by: str = "user") -> Find:
    return lambda person: model._base_manager.filter(**{by: person})


def _by_email(model: type[Model], field: str) -> Find:
    return lambda person: model._base_manager.filter(**{f"{field}__iexact": person.email})


def _sign_ins(person: User) -> QuerySet[LoginSession]:
    return LoginSession.objects.filter(user=person)


def _sessions(person: User) -> QuerySet[Session]:
    digests = _sign_ins(person).exclude(session_digest="").values_list("session_digest", flat=True)
    return Session.objects.filter(session_key__in=[digest[: session_store.LENGTH] for digest in digests])


def _invitations(person: User) -> QuerySet[Invitation]:
    return Invitation.objects.filter(Q(user=person) | Q(email__iexact=person.email))


def _history(person: User) -> QuerySet[LogEntry]:
    about = Q(content_type__app_label="accounts", content_type__model="user", object_id=str(person.pk))
    named = Q(object_repr__icontains=person.email) | Q(change_message__icontains=person.email)
    if person.name:
        named |= Q(object_repr=person.name) | Q(object_repr__startswith=f"{person.name} / ")
    return LogEntry.objects.filter(about | named).exclude(object_repr="…", change_message="")


def _trail(person: User) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(Q(concerns=person.uuid) | Q(actor=person.uuid))


def _notices_by(person: User) -> QuerySet[Notice]:
    """What others were told that she did."""
    return Notice.objects.filter(by__in=[name for name in (person.name, person.email) if name])


def _receipts_by(person: User) -> QuerySet[Erasure]:
    return Erasure.objects.filter(by=person.uuid).exclude(by_name="")


def _count_trail(person: User) -> int:
    return audit.named(person).count()


def _erase_trail(person: User) -> int:
    return audit.forget(person, actor_kind="system") if _count_trail(person) else 0


def _erase_account(person: User) -> int:
    """The row stays, because counters hang on its number; nothing on it says who it was."""
    if is_erased(person):
        return 0
    values: dict[str, Any] = dict.fromkeys(("name", "language", "time_zone", "default_model", "house_rules_read"), "")
    values |= dict.fromkeys(("last_login", "sso_at", "owner", "staff_by"), None)
    values |= dict.fromkeys(("is_active", "is_staff", "is_superuser", "awaits_approval", "may_open_chats"), False)
    values |= {"email": f"erased-{person.uuid.hex[:16]}@{ERASED}", "password": make_password(None), "theme": "system"}
    with transaction.atomic():
        person.user_permissions.clear()
        person.groups.clear()
        User.objects.filter(owner=person).update(owner=None)
        values["session_version"] = person.session_version + 1
        values["deactivated_at"] = person.deactivated_at or clock.now()
        return User.objects.filter(pk=person.pk).update(**values)


_ACCOUNT = (
    "uuid", "email", "name", "language", "time_zone", "theme", "default_model", "date_joined", "last_login", "sso_at", "is_active",
    "deactivated_at", "is_staff", "is_superuser", "may_open_chats",
)  # fmt: skip
_EVENT = ("number", "at", "action", "actor_name", "target_kind", "target_name", "changes", "private")


def _events(person: User) -> Rows:
    """What concerned her, and what she did; not where others sat, and not the looks of which she is not told."""
    rows = _trail(person).exclude(target__in=openings.hidden_from(person)).order_by("number")
    yield from rows.values(*_EVENT).iterator(chunk_size=500)


def _account_rows(person: User) -> Rows:
    yield from User.objects.filter(pk=person.pk).values(*_ACCOUNT)


def register() -> None:
    """The parts of this room."""
    _register_ways_in()
    _register_the_rest()


def _register_ways_in() -> None:
    """How she came in and what was sent to her."""
    sessions = rows_of(
        _sign_ins, "kind", "method", "address", "device", "created_at", "last_used_at", "expires_at", "ended_at"
    )
    register_part(Part("sign_ins", _("Sign-ins and sessions"), *deleting(_sessions, _sign_ins), rows=sessions))
    keys = _of(ApiKey)
    told = rows_of(
        keys, "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "last_address", "revoked_at"
    )
    register_part(Part("keys", _("API keys"), *deleting(keys), rows=told))
    factors = (_of(Authenticator), _of(SocialAccount), _of(EmailAddress))
    register_part(
        Part(
            "factors",
            _("Second factors and company accounts"),
            *deleting(*factors),
            rows=rows_of(factors[0], "type", "created_at", "last_used_at"),
        )
    )
    doors = (
        _of(OneTimeLink), _invitations, _by_email(Registration, "email"), _of(Notice),
        _by_email(AccessAttempt, "username"), _by_email(AccessLog, "username"), _by_email(AccessFailureLog, "username"),
    )  # fmt: skip
    register_part(Part("doors", _("Links, invitations, notices and counted tries"), *deleting(*doors)))
    agreed = _of(RulesAgreement)
    rows = rows_of(agreed, "digest", "at")
    register_part(
        Part(
            "words", _("House rules agreed to, announcements read"), *deleting(agreed, _of(AnnouncementRead)), rows=rows
        )
    )
    letters = _by_email(Mail, "to")
    register_part(
        Part(
            "letters",
            _("Letters"),
            *deleting(letters),
            rows=rows_of(letters, "kind", "subject", "state", "created_at", "sent_at"),
        )
    )


def _register_the_rest() -> None:
    """Who she was to others: teams, looks, names in histories; the trail and the account last."""
    looks = (_of(Opening, by="person"), _of(HeldPerson, by="person"))
    register_part(Part("looks", _("Looks into the conversations"), *deleting(*looks)))
    teams = _of(Membership)
    register_part(
        Part(
            "teams",
            _("Memberships of teams"),
            *deleting(teams),
            rows=rows_of(teams, "team__name", "role", "created_at"),
        )
    )
    register_part(
        Part(
            "history",
            _("Names in the plain administration's history"),
            *blanking(_history, object_repr="…", change_message=""),
        )
    )
    told_by = blanking(_notices_by, by="")
    register_part(Part("notices", _("The name in notices to others"), *told_by))
    register_part(Part("receipts", _("The name on receipts of erasures"), *blanking(_receipts_by, by_name="")))
    register_part(Part("trail", _("Names in the audit trail"), _count_trail, _erase_trail, rows=_events))
    register_part(
        Part(
            "account",
            _("Name, address and rights of the account"),
            lambda person: 0 if is_erased(person) else 1,
            _erase_account,
            rows=_account_rows,
        )
    )
