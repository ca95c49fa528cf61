"""Who asks, and whether she may: credential, pace, maintenance, scope, model. Runs in a database thread; raises Refusal."""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import house_rules, log_ids, maintenance
from accounts.authentication import Principal, Unauthenticated, authenticate
from accounts.models import Organisation, User
from accounts.tries import Pace
from api import throttling
from api.gateway.asked import Asked
from api.gateway.envelope import Refusal
from providers import access, modes
from providers.models import LanguageModel


@dataclass(frozen=True, slots=True)
class Guest:
    """Who asks; `told` are the headers that every answer to her carries."""

    principal: Principal
    user: User
    organisation: Organisation
    told: dict[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that a request means, and the mode that it names; empty: none."""

    model: LanguageModel
    mode: str = ""


def admit(asked: Asked, *, scope: str) -> Guest:
    """The living credential behind a request, counted against its pace, with this scope."""
    try:
        principal = authenticate(_shown(asked), address=asked.address, query=asked.query)
    except Unauthenticated as refused:
        wait = getattr(refused, "wait", None)
        raise Refusal(refused.status, refused.code, str(refused.message), retry_after=wait) from None
    user, organisation = principal.user(), Organisation.get()
    log_ids.of_person(user.uuid)
    translation.activate(principal.language or organisation.language)
    pace = throttling.counted(*throttling.of(principal))
    guest = Guest(principal, user, organisation, _told(pace))
    if pace.wait:
        text = ngettext(
            "Too many requests. Wait %(seconds)d second.", "Too many requests. Wait %(seconds)d seconds.", pace.wait
        )
        words = text % {"seconds": pace.wait}
        raise Refusal(429, "too_many_requests", words, retry_after=pace.wait, headers=guest.told)
    if scope not in principal.scopes:
        words = _("The key may not do this: it lacks the scope “%(scope)s”.") % {"scope": scope}
        raise Refusal(403, "forbidden", words, headers=guest.told)
    if scope == "chat":
        _may_send(guest)
    return guest


def _may_send(guest: Guest) -> None:
    """What stops whoever would send something, and nobody who only looks."""
    user, organisation = guest.user, guest.organisation
    if maintenance.stops(user, organisation=organisation):
        seconds = maintenance.retry_after(organisation)
        words = _("Maintenance: try again later.")
        raise Refusal(503, "maintenance", words, retry_after=math.ceil(seconds), headers=guest.told)
    if guest.principal.key is None and house_rules.to_read(user, organisation=organisation):
        words = _("Agree to the house rules in the browser first.")
        raise Refusal(403, "house_rules", words, headers=guest.told)


def choose(guest: Guest, *, name: str) -> Choice:
    """The model of this name, or with `name:mode` one of its ways. The same 404 for one that is not there and one that is not hers."""
    found = _named(guest, name)
    if found is not None:
        return Choice(found)
    before, colon, mode = name.rpartition(":")
    found = _named(guest, before) if colon and before else None
    if found is None or modes.named(found, mode) is None:
        words = _("The model “%(name)s” does not exist, or you may not use it.") % {"name": name[:100]}
        raise Refusal(404, "model_not_found", words, param="model", headers=guest.told)
    return Choice(found, mode)


def models(guest: Guest) -> list[LanguageModel]:
    """The models that this credential may ask, the organisation's default first."""
    names = guest.principal.model_names
    return [row for row in access.callable_by(guest.user.pk) if names is None or row.slug in names]


def _named(guest: Guest, slug: str) -> LanguageModel | None:
    names = guest.principal.model_names
    if "\x00" in slug or (names is not None and slug not in names):
        return None
    return access.callable_named(slug, asker=guest.user.pk)


def _shown(asked: Asked) -> dict[str, str]:
    """The headers for the one funnel. Some editors send the key as `api-key`; where Authorization stands, that alone decides."""
    headers = dict(asked.headers)
    if "authorization" not in headers and headers.get("api-key"):
        headers["authorization"] = f"Bearer {headers['api-key']}"
    headers.pop("cookie", None)
    return headers


def _told(pace: Pace) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(pace.most),
        "x-ratelimit-remaining-requests": str(pace.left),
        "x-ratelimit-reset-requests": f"{pace.resets_s}s",
    }
