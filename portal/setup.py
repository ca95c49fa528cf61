"""The first administrator's checklist and the entrance of the administration. Every item is computed from facts, none is stored.

Whether an administrator has put the list away is a cookie with the person's id: it hides, and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.models import Organisation, User
from portal import backups
from providers.models import LanguageModel, ModelRoute, Provider
from usage.overview import looked_at

COOKIE = "setup_put_away"
YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do. `url` leads to where it is done; `line` is what goes into `.env` where the browser cannot do it."""

    title: str
    text: str
    done: bool
    url: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """The items in order, and whether this administrator has put the list away."""

    items: tuple[Item, ...]
    put_away: bool

    @property
    def done(self) -> int:
        return sum(item.done for item in self.items)

    @property
    def complete(self) -> bool:
        return self.done == len(self.items)

    @property
    def shown(self) -> bool:
        """Whether it belongs on the empty page: there is something left, and it was not put away."""
        return not self.put_away and not self.complete


def checklist(request: HttpRequest) -> Checklist | None:
    """The list for an administrator; None, without a query, for everybody else."""
    user = request.user
    if not isinstance(user, User) or not user.is_active or not user.is_staff:
        return None
    items = (
        _model(user),
        _organisation(request, user=user),
        _people(user),
        _limit(user),
        _public_url(request),
        _mail(),
        _backup(),
    )
    return Checklist(items, put_away=request.COOKIES.get(COOKIE) == str(user.uuid))


def _model(user: User) -> Item:
    routes = ModelRoute.objects.filter(enabled=True, provider__enabled=True)
    real = routes.exclude(provider__source=Provider.Source.SIMULATOR)
    done = real.filter(model__enabled=True, model__kind=LanguageModel.Kind.CHAT).exists()
    allowed = user.has_perms(["providers.change_provider", "providers.add_provider"])
    return Item(
        _("Connect a model"),
        _("Paste a key, test it, choose what colleagues may use."),
        done,
        url=reverse("providers:overview" if done else "providers:presets") if allowed else "",
    )


def _organisation(request: HttpRequest, *, user: User) -> Item:
    found = organisation_of(request)
    named = found.name != Organisation._meta.get_field("name").default
    return Item(
        _("Name and time zone"),
        _("How your organisation is called, and when its day begins."),
        bool(named and found.time_zone),
        url=reverse("setup_accounts:organisation") if user.has_perm("accounts.change_organisation") else "",
    )


def _people(user: User) -> Item:
    return Item(
        _("Add a colleague"),
        _("Makes a link with which your colleague comes in and chooses a password."),
        User.objects.filter(is_active=True).exclude(pk=user.pk).exists(),
        url=reverse("setup_accounts:invitations") if user.has_perm("accounts.add_user") else "",
    )


def _limit(user: User) -> Item:
    return Item(
        _("Set a limit"),
        _("How much each person may use. What comes with the portal is a beginning: look at it once."),
        looked_at(),
        url=reverse("limits:all") if user.has_perm("usage.change_quota") else "",
    )


def _public_url(request: HttpRequest) -> Item:
    return Item(
        _("Give it an address"),
        _("So that links in mails are right and passwords travel encrypted. Write this into .env and start again:"),
        bool(settings.PUBLIC_URL),
        line="PUBLIC_URL=https://chat.example.com",
    )


def _mail() -> Item:
    return Item(
        _("Set up mail"),
        _("So that whoever forgot a password gets a link. Write this into .env and start again:"),
        bool(settings.EMAIL_URL),
        line="EMAIL_URL=smtp+tls://user:password@mail.example.com:587",
    )


def _backup() -> Item:
    return Item(
        _("Make backups"),
        _(
            "One command copies the database while it is used. Have it run every night, to another disk; then keep that copy elsewhere:"
        ),
        backups.is_fresh(now=timezone.now()),
        line=".venv/bin/python manage.py backup --to /mnt/backup",
    )


@require_safe
@administrator()
def overview(request: HttpRequest) -> HttpResponse:
    """The entrance: what is still to do, and the ways into the administration."""
    return render(request, "setup/overview.html", {"checklist": checklist(request)})


@require_POST
@administrator()
def put_away(request: HttpRequest) -> HttpResponse:
    """Takes the list off this administrator's empty page, or puts it back."""
    assert isinstance(request.user, User)
    if request.POST.get("back"):
        response = HttpResponseRedirect(reverse("setup"))
        response.delete_cookie(COOKIE)
        return response
    response = HttpResponseRedirect(reverse("home"))
    response.set_cookie(
        COOKIE,
        str(request.user.uuid),
        max_age=YEAR_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
