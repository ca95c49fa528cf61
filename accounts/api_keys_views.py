"""A person's API keys in the browser: the list, a new one, a new secret, revoking. A secret is shown on one page, once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import api_keys, passwords, scopes
from accounts.api_keys_forms import NewKey, Roll
from accounts.confirmation import confirmed
from accounts.middleware import organisation_of
from accounts.models import ApiKey, Organisation, User
from accounts.refusals import NotPossible

MOST = 200
"""Keys on the page; an account has at most 100 living ones."""


@require_safe
@login_required
def my_keys(request: HttpRequest) -> HttpResponse:
    """What lives, and, folded, what is over."""
    user = me(request)
    rows = with_states(list(api_keys.listed(user)[:MOST]), organisation=organisation_of(request))
    context = {
        "living": [row for row in rows if not row["over"]],
        "over": [row for row in rows if row["over"]],
        "paused": any(row["state"] == api_keys.State.PAUSED for row in rows),
    }
    return render(request, "accounts/keys.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@confirmed
def new_key(request: HttpRequest) -> HttpResponse:
    """The form; the answer to the post is the only place where the secret ever stands."""
    user = me(request)
    programs = user.service_accounts.filter(is_active=True).order_by("name", "pk")
    return make(request, accounts=[user, *programs], back=reverse("api_keys:mine"), template="accounts/keys_new.html")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@confirmed
def roll(request: HttpRequest, number: UUID) -> HttpResponse:
    """Asks when the old secret ends, then shows the new one."""
    key = one(api_keys.listed(me(request)), number=number)
    form = Roll(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        hours = int(form.cleaned_data["keep"])
        try:
            made, secret = api_keys.roll(key, keep_hours=hours, by=me(request), request=request)
        except NotPossible as refused:
            messages.error(request, str(refused.message))
            return HttpResponseRedirect(reverse("api_keys:mine"))
        return show(request, made, secret=secret, old_hours=hours, back=reverse("api_keys:mine"))
    return render(request, "accounts/keys_roll.html", {"key": key, "form": form}, status=400 if form.errors else 200)


@require_POST
@login_required
def revoke(request: HttpRequest, number: UUID) -> HttpResponse:
    """Ends one at once."""
    end(request, one(api_keys.listed(me(request)), number=number))
    return HttpResponseRedirect(reverse("api_keys:mine"))


def me(request: HttpRequest) -> User:
    """Whoever is signed in; behind login_required."""
    assert isinstance(request.user, User)
    return request.user


def one(rows: Any, *, number: UUID) -> ApiKey:
    """The key with this number among those that may be seen, or 404."""
    found = rows.filter(uuid=number).first()
    if found is None:
        raise Http404
    assert isinstance(found, ApiKey)
    return found


def make(request: HttpRequest, *, accounts: list[User], back: str, template: str) -> HttpResponse:
    """The form for a key of one of these accounts, and what comes of it."""
    form = NewKey(request.POST if request.method == "POST" else None, accounts=accounts)
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = api_keys.make(form.account_chosen(), **form.wanted(), by=me(request), request=request)
        except NotPossible as refused:
            form.refuse(refused)
        else:
            return show(request, key, secret=secret, back=back)
    context = {"form": form, "accounts": accounts, "back": back}
    return render(request, template, context, status=400 if form.errors else 200)


def show(request: HttpRequest, key: ApiKey, *, secret: str, back: str, old_hours: int | None = None) -> HttpResponse:
    """The page with the secret, and a line that tries it."""
    address = passwords.absolute("/api/v1/me/", request=request)
    context = {
        "key": key,
        "secret": secret,
        "line": f'curl -H "Authorization: Bearer {secret}" {address}',
        "back": back,
        "old_hours": old_hours,
    }
    return render(request, "accounts/keys_made.html", context)


def end(request: HttpRequest, key: ApiKey) -> None:
    """Revokes and says so."""
    if api_keys.revoke(key, by=me(request), request=request):
        said = _("“%(name)s” is revoked: from now on the key opens nothing.")
    else:
        said = _("“%(name)s” was revoked before.")
    messages.success(request, said % {"name": key.name})


def with_states(keys: list[ApiKey], *, organisation: Organisation) -> list[dict[str, Any]]:
    """Each key with how it stands and the words for what it may do."""
    found = []
    for key in keys:
        state = api_keys.state(key, organisation=organisation)
        over = state in (api_keys.State.REVOKED, api_keys.State.EXPIRED)
        found.append({"key": key, "state": state, "over": over, "words": words_of(key)})
    return found


def words_of(key: ApiKey) -> str:
    """What the key may do, in sentences."""
    return " · ".join(str(scopes.SCOPES[name].words) for name in key.scopes if name in scopes.SCOPES)
