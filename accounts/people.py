"""Deeds on a colleague's account: switching it off and on, rights, name and address, signing out everywhere.

Who may do what to whom is decided here, so that no page can forget it; only another administrator or the command line
makes an administrator, nobody changes the own rights, and the last administrator stays. Without `by` the command line acts.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, belongings, clock, events, login_sessions, notices
from accounts import people_rights as rights
from accounts.models import ApiKey, OneTimeLink, User
from accounts.refusals import NotPossible


def in_reach(by: User, *, person: User) -> bool:
    """Whether `by` may change this account: whoever could give staff another address could sign in as one of them."""
    return by.is_superuser or not (person.is_staff or person.is_superuser)


def deactivate(person: User, *, by: User | None, heir: User | None = None, request: HttpRequest | None = None) -> bool:
    """Cuts the person off everywhere and hands over what is hers; False when somebody did so before.

    One transaction: sessions, tickets and tokens by `session_version`, sessions' rows, API keys, links, and what other rooms
    registered (accounts.events). Raises NotPossible: oneself, the last administrator, out of reach, an heir who is none.
    """
    _check_heir(heir, person=person)
    with transaction.atomic():
        person = _locked(person, administrators=True)
        _check(person, by=by)
        if not person.is_active:
            return False
        if person.is_superuser:
            _keep_one_administrator(person)
        now = clock.now()
        User.objects.filter(pk=person.pk).update(is_active=False, deactivated_at=now)
        login_sessions.end_all(person, because="deactivated")
        ApiKey.objects.filter(user=person, revoked_at=None).update(revoked_at=now, revoked_by=by)
        OneTimeLink.objects.filter(user=person, used_at=None, expires_at__gt=now).update(expires_at=now)
        events.cut(person)
        belongings.hand_over(person, heir=heir, by=by)
        changes = {"active": (True, False), "heir": (None, str(heir) if heir else None)}
        _record("person.deactivated", person, by=by, request=request, changes=changes)
    return True


def reactivate(person: User, *, by: User | None, request: HttpRequest | None = None) -> bool:
    """Lets the person sign in again. Keys and sign-ins stay dead: new ones are made."""
    with transaction.atomic():
        person = _locked(person)
        _check(person, by=by)
        if person.awaits_approval:
            raise NotPossible("waits", _("This person waits for approval."))
        off = User.objects.filter(pk=person.pk, is_active=False)
        if not off.update(is_active=True, deactivated_at=None, session_version=F("session_version") + 1):
            return False
        person.refresh_from_db()
        events.rights_changed(person)
        _record("person.activated", person, by=by, request=request, changes={"active": (False, True)})
    return True


def set_rights(
    person: User,
    *,
    by: User | None,
    is_staff: bool,
    is_superuser: bool,
    bundles: Iterable[str] = (),
    request: HttpRequest | None = None,
) -> bool:
    """What the person may do from the next request on; False when nothing changes. `bundles`: see accounts.people_rights.

    Raises NotPossible: by somebody who is no administrator, for oneself, for a program, the last administrator.
    """
    with transaction.atomic():
        person = _locked(person, administrators=True)
        _check(person, by=by, administrator=True)
        if person.is_service and (is_staff or is_superuser):
            raise NotPossible("program", _("A program's account gets no rights in the administration."))
        if person.is_superuser and person.is_active and not is_superuser:
            _keep_one_administrator(person)
        before = {"role": _role(person), "may": rights.held(person)}
        is_staff = is_staff or is_superuser
        User.objects.filter(pk=person.pk).update(is_staff=is_staff, is_superuser=is_superuser, staff_by=None)
        person.is_staff, person.is_superuser = is_staff, is_superuser
        rights.give(person, bundles=bundles if is_staff and not is_superuser else ())
        after = {"role": _role(person), "may": rights.held(person)}
        if before == after:
            return False
        events.rights_changed(person)
        changes = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
        _record("person.rights_changed", person, by=by, request=request, changes=changes)
    return True


def rename(person: User, *, by: User, name: str, email: str, request: HttpRequest) -> bool:
    """Another name or address; another address signs the person out everywhere. Raises NotPossible when it is in use."""
    email = email.strip().lower()
    with transaction.atomic():
        person = _locked(person)
        _check(person, by=by, self_too=True)
        before, after = {"name": person.name, "email": person.email}, {"name": name, "email": email}
        if before == after:
            return False
        moved = before["email"] != email
        if moved and person.is_service:
            raise NotPossible("program", _("A program's account has no e-mail."))
        try:
            with transaction.atomic():
                User.objects.filter(pk=person.pk).update(**after)
        except IntegrityError:
            raise NotPossible("known", _("This e-mail is in use.")) from None
        person.refresh_from_db()
        if moved:
            login_sessions.end_all(person, because="email_changed")
            notices.tell_moved(person, old=before["email"])
        changes = {field: (before[field], after[field]) for field in after if before[field] != after[field]}
        _record("person.changed", person, by=by, request=request, changes=changes)
    return True


def sign_out_everywhere(person: User, *, by: User, request: HttpRequest) -> None:
    """Ends every sign-in of the person, browsers and programs with tokens; API keys stay."""
    with transaction.atomic():
        person = _locked(person)
        _check(person, by=by, self_too=True)
        login_sessions.end_all(person, because="signed_out_by_administrator")
        _record("person.signed_out", person, by=by, request=request, changes={})


def _locked(person: User, *, administrators: bool = False) -> User:
    """The row as it is now, held to the end of the transaction: a send that is under way waits here or is seen.

    With all `administrators`, in one order, so that two who cut each other off at once come one after the other.
    """
    wanted = Q(pk=person.pk) | Q(is_superuser=True, is_active=True) if administrators else Q(pk=person.pk)
    rows = User.objects.select_for_update().filter(wanted).order_by("pk")
    return next(row for row in rows if row.pk == person.pk)


def _check(person: User, *, by: User | None, self_too: bool = False, administrator: bool = False) -> None:
    """`by` as the database knows it now: who was cut off or demoted a moment ago decides nothing any more."""
    if by is None:
        return
    present = User.objects.filter(pk=by.pk, is_active=True).first()
    if present is None or (administrator and not present.is_superuser):
        raise NotPossible("not_yours", _("Only administrators change what somebody may do."))
    if by.pk == person.pk and not self_too:
        raise NotPossible("oneself", _("Nobody does this to the own account. Ask another administrator."))
    if not in_reach(present, person=person):
        raise NotPossible("out_of_reach", _("Only administrators change accounts of administrators and staff."))


def _check_heir(heir: User | None, *, person: User) -> None:
    if heir is None:
        return
    if heir.pk == person.pk or not User.objects.filter(pk=heir.pk, is_active=True, is_service=False).exists():
        raise NotPossible("no_heir", _("Choose an active colleague who takes it over."))


def _keep_one_administrator(person: User) -> None:
    """Refuses to take the last one; all of them are locked by now."""
    if not User.objects.filter(is_superuser=True, is_active=True).exclude(pk=person.pk).exists():
        raise NotPossible("last_administrator", _("This is the last administrator. Make another one first."))


def _role(person: User) -> str:
    return "administrator" if person.is_superuser else "staff" if person.is_staff else "colleague"


def _record(action: str, person: User, *, by: User | None, request: HttpRequest | None, changes: audit.Changes) -> None:
    kind = "command" if by is None and request is None else ""
    audit.record(action, actor=by, request=request, target=person, changes=changes, actor_kind=kind)
