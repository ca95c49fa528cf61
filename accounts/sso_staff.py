"""An issuer's group as staff: whoever it names is staff with the rights ticked here, from one sign-in to the next.

Touches nobody who was made staff by hand, and never makes an administrator. Which group it is only administrators say.
"""

from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, events
from accounts import people_rights as rights
from accounts.models import SsoConnection, User

DECIDING = frozenset({"server_url", "client_id", "scopes", "group_claim"})
"""What says whose groups count: while a group makes staff only administrators change it."""


class StaffForm(forms.Form):
    """The group, and what its people may; an empty group is none."""

    staff_group = forms.CharField(label=_("Group whose people are staff"), max_length=200, required=False)
    bundles = forms.MultipleChoiceField(label=_("They may"), required=False, choices=[])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # Django's own signature
        field = self.fields["bundles"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(bundle.slug, bundle.title) for bundle in rights.bundles()]

    @classmethod
    def of(cls, connection: SsoConnection) -> StaffForm:
        """The form as the connection stands."""
        return cls(initial={"staff_group": connection.staff_group, "bundles": connection.staff_bundles})


def tie(connection: SsoConnection, *, group: str, bundles: Iterable[str], request: HttpRequest) -> None:
    """From each person's next sign-in on; without a group whoever is staff by it no longer is, at once."""
    with transaction.atomic():
        before = (connection.staff_group, list(connection.staff_bundles))
        after = (group, sorted(bundles) if group else [])
        if before == after:
            return
        SsoConnection.objects.filter(pk=connection.pk).update(staff_group=after[0], staff_bundles=after[1])
        connection.staff_group, connection.staff_bundles = after
        names = ("staff_group", "may")
        changes = {name: (old, new) for name, old, new in zip(names, before, after, strict=True) if old != new}
        audit.record("sso.staff_changed", request=request, target=connection, changes=changes)
        if not group:
            withdraw(connection, request=request)


def sync(user: User, *, connection: SsoConnection, groups: frozenset[str], request: HttpRequest) -> None:
    """Staff or not, as the issuer says now."""
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=user.pk)
        mine = person.staff_by_id == connection.pk
        named = bool(connection.staff_group) and connection.staff_group in groups
        if person.is_superuser or person.is_service or (person.is_staff and not mine) or not (named or mine):
            return
        _set(person, by=connection if named else None, request=request)
        user.refresh_from_db(fields=["is_staff", "staff_by"])


def withdraw(connection: SsoConnection, *, request: HttpRequest) -> None:
    """Whoever is staff by this connection no longer is."""
    for person in User.objects.select_for_update().filter(staff_by=connection, is_superuser=False):
        _set(person, by=None, request=request)


def _set(person: User, *, by: SsoConnection | None, request: HttpRequest) -> None:
    before = {"role": _role(person), "may": rights.held(person)}
    person.is_staff, person.staff_by = by is not None, by
    person.save(update_fields=["is_staff", "staff_by"])
    rights.give(person, bundles=by.staff_bundles if by else ())
    after = {"role": _role(person), "may": rights.held(person)}
    if before != after:
        events.rights_changed(person)
        changes = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
        audit.record("sso.staff_followed", request=request, actor=person, target=person, changes=changes)


def _role(person: User) -> str:
    return "staff" if person.is_staff else "colleague"
