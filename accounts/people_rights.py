"""What staff may do, in bundles that an administrator ticks: each stands for Django permissions that pages ask for.

Rooms register theirs in AppConfig.ready. Gives and reads; whether somebody may give is decided in accounts.people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import Permission
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User


@dataclass(frozen=True, slots=True)
class Bundle:
    """A right as people speak of it. `permissions` are full names: "accounts.view_user"."""

    slug: str
    title: str | Promise
    permissions: tuple[str, ...]


_bundles: dict[str, Bundle] = {}


def register(bundle: Bundle) -> None:
    """Adds a bundle; the same slug again replaces it."""
    _bundles[bundle.slug] = bundle


def bundles() -> list[Bundle]:
    """All bundles, in the order of their registration."""
    return list(_bundles.values())


def held(person: User) -> list[str]:
    """The slugs of the bundles that the person holds wholly by own permissions; asks the database."""
    rows = person.user_permissions.values_list("content_type__app_label", "codename")
    own = {f"{app}.{codename}" for app, codename in rows}
    return [bundle.slug for bundle in _bundles.values() if own.issuperset(bundle.permissions)]


def give(person: User, *, bundles: Iterable[str]) -> None:
    """From now on exactly these bundles; permissions that belong to no bundle stay as they are."""
    wanted = {name for slug in bundles if slug in _bundles for name in _bundles[slug].permissions}
    known = {name for bundle in _bundles.values() for name in bundle.permissions}
    person.user_permissions.remove(*_rows(known - wanted))
    person.user_permissions.add(*_rows(wanted))


def _rows(names: Iterable[str]) -> list[Permission]:
    parts = [name.split(".", 1) for name in names]
    if not parts:
        return []
    asked = Q()
    for app, codename in parts:
        asked |= Q(content_type__app_label=app, codename=codename)
    return list(Permission.objects.filter(asked))


def register_own() -> None:
    """The bundles of this room."""
    actions = ("view", "add", "change")
    people = tuple(f"accounts.{action}_user" for action in actions)
    register(Bundle("people", _("See, invite and change colleagues"), people))
    teams = tuple(f"accounts.{action}_team" for action in (*actions, "delete"))
    register(Bundle("teams", _("See and change teams"), teams))
    register(Bundle("keys", _("See and revoke API keys"), ("accounts.view_apikey", "accounts.delete_apikey")))
    register(Bundle("programs", _("Make accounts for programs"), ("accounts.manage_service_accounts",)))
    register(
        Bundle(
            "organisation",
            _("Change the organisation's name, rules and instructions"),
            ("accounts.change_organisation",),
        )
    )
    register(Bundle("mail", _("Try mail and send failed letters again"), ("accounts.change_mail",)))
    register(Bundle("audit", _("See and export the audit trail"), ("accounts.view_auditevent",)))
    privacy = ("accounts.manage_privacy", "accounts.view_user")
    register(Bundle("privacy", _("Set what is kept, set legal holds, export and erase people"), privacy))
