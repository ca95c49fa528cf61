"""Which ways lead in through the company: for the sign-in page, the invitation and a person's own page. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount
from django.conf import settings

from accounts.models import Organisation, SsoConnection, User
from accounts.sso_entry import Way


@dataclass(frozen=True, slots=True)
class Held:
    """A way as it stands for one person; `account` is None if she is not connected."""

    way: Way
    account: SocialAccount | None
    is_enabled: bool = True

    @property
    def as_whom(self) -> str:
        """Under what name or address the company knows her."""
        if self.account is None:
            return ""
        kept = self.account.extra_data
        return str(kept.get("email") or kept.get("name") or "")


def open_ones() -> list[Way]:
    """Every way that is on: the rows in the order in which they were made, then the providers of the settings."""
    rows = SsoConnection.objects.filter(is_enabled=True).order_by("pk")
    return [*(Way(row.slug, row.name, row) for row in rows), *_extra()]


def find(slug: str, *, enabled_only: bool = True) -> Way | None:
    """The way of this name."""
    rows = SsoConnection.objects.filter(slug=slug)
    row = (rows.filter(is_enabled=True) if enabled_only else rows).first()
    if row is not None:
        return Way(row.slug, row.name, row)
    return next((way for way in _extra() if way.provider == slug), None)


def of(user: User) -> list[Held]:
    """Every way that is on, and those the person is connected with though they are off."""
    accounts = {account.provider: account for account in SocialAccount.objects.filter(user=user).order_by("pk")}
    found = [Held(way, accounts.pop(way.provider, None)) for way in open_ones()]
    names = dict(SsoConnection.objects.filter(slug__in=accounts).values_list("slug", "name"))
    return [*found, *(Held(Way(slug, names.get(slug, slug)), row, is_enabled=False) for slug, row in accounts.items())]


def may_disconnect(user: User) -> bool:
    """Whether another way in is left when one of the person's connections goes: a password that counts, or a second connection."""
    ways = {way.provider for way in open_ones()}
    connected = SocialAccount.objects.filter(user=user, provider__in=ways).count()
    return connected > 1 or (user.has_usable_password() and not Organisation.get().sso_only)


def _extra() -> list[Way]:
    return [Way(name, name.title()) for name, _client, _secret in settings.SSO_EXTRA_APPS]
