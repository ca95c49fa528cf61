"""What waits for an administrator, each with the page where it is done: computed from facts, none of it stored. Only what she may do."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Invitation, User
from portal import backups
from providers import breaker
from providers.models import LanguageModel, Price, Provider
from usage import metrics
from usage.models import QuotaRequest

MOST = 5
EXPIRES_SOON = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing: what it is, more about it, and the button that leads to it."""

    title: str
    text: str
    button: str
    url: str


def waiting(user: User, *, now: dt.datetime) -> list[Waiting]:
    """All of it, the most urgent first. At most eight queries, however much there is."""
    found: list[Waiting] = []
    if user.has_perm("providers.change_provider"):
        found += _broken(now=now)
    if user.has_perm("usage.change_quota"):
        found += _requests()
    if user.has_perm("providers.change_provider"):
        found += _unpriced()
    if user.has_perm("accounts.change_user"):
        found += _approvals()
    if user.has_perm("accounts.add_user"):
        found += _invitations(now=now)
    if user.has_perm("accounts.change_organisation") and not backups.is_fresh(now=now):
        text = _("manage.py backup copies the database while it is used.")
        found.append(Waiting(_("No backup for more than a week"), text, _("How"), reverse("setup")))
    return found


def _broken(*, now: dt.datetime) -> list[Waiting]:
    shut = breaker.closed_reasons(now)
    if not shut:
        return []
    rows = Provider.objects.filter(pk__in=shut, enabled=True).order_by("name")
    return [
        Waiting(
            _("“%(provider)s” does not answer") % {"provider": provider.name},
            _("It is asked again by itself; colleagues use other models meanwhile."),
            _("Look"),
            reverse("providers:provider", args=[provider.uuid]),
        )
        for provider in rows[:MOST]
    ]


def _requests() -> list[Waiting]:
    rows = QuotaRequest.objects.filter(state="open", quota__removed_at=None).order_by("created_at")
    return [
        Waiting(
            _("%(person)s asks for more") % {"person": row.person_name},
            row.reason,
            _("Answer"),
            reverse("limits:answer", args=[row.uuid]),
        )
        for row in rows[:MOST]
    ]


def _unpriced() -> list[Waiting]:
    """Models that are on and that nobody has priced, wherever they are asked."""
    priced = Price.objects.values("model")
    rows = list(
        LanguageModel.objects.filter(enabled=True, routes__enabled=True, routes__provider__enabled=True)
        .exclude(routes__provider__source=Provider.Source.SIMULATOR)
        .exclude(pk__in=priced)
        .distinct()
        .order_by("position", "pk")[:MOST]
    )
    calls = metrics.unknown_calls([model.uuid for model in rows])
    return [
        Waiting(
            _("“%(model)s” has no price") % {"model": model.name},
            ngettext(
                "%(n)s call in 30 days of unknown cost",
                "%(n)s calls in 30 days of unknown cost",
                calls.get(model.uuid, 0),
            )
            % {"n": calls.get(model.uuid, 0)},
            _("Enter it"),
            reverse("prices:overview"),
        )
        for model in rows
    ]


def _approvals() -> list[Waiting]:
    count = User.objects.filter(awaits_approval=True).count()
    if not count:
        return []
    title = ngettext("%(n)s registration waits", "%(n)s registrations wait", count) % {"n": count}
    return [Waiting(title, "", _("Look"), reverse("setup_accounts:people") + "?show=waiting")]


def _invitations(*, now: dt.datetime) -> list[Waiting]:
    rows = Invitation.objects.filter(
        accepted_at=None, revoked_at=None, expires_at__gt=now, expires_at__lt=now + EXPIRES_SOON
    )
    count = rows.count()
    if not count:
        return []
    title = ngettext("%(n)s invitation ends soon", "%(n)s invitations end soon", count) % {"n": count}
    return [Waiting(title, _("Nobody has answered it yet."), _("Look"), reverse("setup_accounts:invitations"))]
