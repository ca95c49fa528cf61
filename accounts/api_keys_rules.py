"""What may be asked of an API key, and whose keys somebody may make and revoke. Judges; writes nothing."""

from __future__ import annotations

import datetime as dt
import ipaddress
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import people, profile, scopes
from accounts.models import ApiKey, User
from accounts.refusals import NotPossible

LONGEST_NAME = 80
MOST_MODELS = 100
MOST_ADDRESSES = 50
LONGEST_LIFE = dt.timedelta(days=5 * 366)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class KeyRefused(NotPossible):
    """The key can't be made or rolled as asked; `field` is what was wrong in what was asked, if it is one thing."""

    def __init__(self, code: str, message: str | Promise, *, field: str = "") -> None:
        super().__init__(code, message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key as asked for, found to be possible; in the spelling that is stored."""

    name: str
    scopes: list[str]
    models: list[str]
    expires_at: dt.datetime | None
    allowed_ips: list[str]


def check(
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    models: Iterable[str] = (),
    expires_at: dt.datetime | None = None,
    allowed_ips: Iterable[str] = (),
) -> Wanted:
    """The key as it would be stored for this account. Raises KeyRefused: nobody gives a key what she may not do herself."""
    if expires_at is not None and not timezone.now() < expires_at < timezone.now() + LONGEST_LIFE:
        raise KeyRefused("bad_expiry", _("The end must lie ahead, at most five years."), field="expires_at")
    return Wanted(
        name=_name(name),
        scopes=_scopes(user, names=list(scopes)),
        models=_known_models(user, names=list(models)),
        expires_at=expires_at,
        allowed_ips=networks(allowed_ips),
    )


def networks(given: Iterable[str]) -> list[str]:
    """Addresses and networks in one spelling, each once. Raises KeyRefused for what is none."""
    found: dict[str, None] = {}
    for text in given:
        try:
            network = ipaddress.ip_network(text.strip())
        except (ValueError, AttributeError):
            message = _("“%(text)s” is no address or network. Write 192.0.2.7, 10.1.0.0/16 or 2001:db8::/32.")
            raise KeyRefused("bad_address", message % {"text": str(text)[:60]}, field="allowed_ips") from None
        found[str(network)] = None
    if len(found) > MOST_ADDRESSES:
        raise KeyRefused("too_many_addresses", _("At most 50 addresses and networks."), field="allowed_ips")
    return list(found)


def comes_from(key: ApiKey, *, address: str) -> bool:
    """Whether the key may be used from this address. An address that can't be read is in no network."""
    if not key.allowed_ips:
        return True
    try:
        asked = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(asked, ipaddress.IPv6Address) and asked.ipv4_mapped:
        asked = asked.ipv4_mapped
    return any(asked in ipaddress.ip_network(network) for network in key.allowed_ips)


def may_make(by: User, *, user: User) -> bool:
    """Whether `by` may make keys for this account: the own one, or a program's that is hers or hers to administer."""
    if not by.is_active or by.is_service or not user.is_active:
        return False
    if by.pk == user.pk:
        return True
    return user.is_service and (user.owner_id == by.pk or by.has_perm("accounts.manage_service_accounts"))


def may_revoke(by: User, *, key: ApiKey) -> bool:
    """Whether `by` may end this key: of the own account, of a program of hers, or as an administrator."""
    user = key.user
    if by.pk == user.pk or may_make(by, user=user) or (user.is_service and user.owner_id == by.pk):
        return True
    return by.is_staff and by.has_perm("accounts.delete_apikey") and people.in_reach(by, person=user)


def _name(given: str) -> str:
    name = " ".join(given.split())
    if not name:
        raise KeyRefused("no_name", _("Give the key a name: the program that will use it."), field="name")
    if len(name) > LONGEST_NAME or any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") for char in name):
        raise KeyRefused("bad_name", _("A name has at most 80 characters, none of them invisible."), field="name")
    return name


def _scopes(user: User, *, names: list[str]) -> list[str]:
    if not names:
        raise KeyRefused("no_scope", _("Choose at least one thing that the key may do."), field="scopes")
    own = scopes.of(user)
    for name in names:
        if name not in scopes.SCOPES:
            message = _("There is no scope “%(name)s”.") % {"name": str(name)[:60]}
            raise KeyRefused("unknown_scope", message, field="scopes")
        if name not in own:
            message = _("The account of this key may not do “%(name)s” itself.") % {"name": name}
            raise KeyRefused("scope_refused", message, field="scopes")
    return [name for name in scopes.SCOPES if name in names]


def _known_models(user: User, *, names: list[str]) -> list[str]:
    if len(names) > MOST_MODELS:
        raise KeyRefused("too_many_models", _("At most 100 models; none means all."), field="models")
    known = {name for name, _label in profile.models_for(user)} if names else set()
    for name in names:
        if name not in known:
            message = _("No model “%(name)s” is available to this account.") % {"name": str(name)[:60]}
            raise KeyRefused("unknown_model", message, field="models")
    return list(dict.fromkeys(names))
