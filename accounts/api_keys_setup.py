"""Everybody's API keys in the administration: the list with its search, revoking, and keys for programs. Never a secret of others."""

from __future__ import annotations

from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import api_keys, api_keys_rules
from accounts.administration import administrator
from accounts.api_keys_views import end, make, me, one, with_states
from accounts.confirmation import confirmed
from accounts.middleware import organisation_of
from accounts.models import ApiKey, User
from accounts.refusals import Refused

PAGE = 50
LONGEST = 100
SHOWS = ("living", "all")


@require_safe
@administrator()
def overview(request: HttpRequest) -> HttpResponse:
    """All keys (whoever manages programs only: theirs), newest first; `q` looks in names, prefixes and owners."""
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    show = request.GET.get("show", "")
    show = show if show in SHOWS else SHOWS[0]
    rows = _visible(me(request))
    if show == "living":
        rows = rows.filter(api_keys.LIVING)
    for word in text.split()[:5]:
        owner = Q(user__name__icontains=word) | Q(user__email__icontains=word)
        rows = rows.filter(Q(name__icontains=word) | Q(prefix__startswith=word) | owner)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "rows": with_states(list(page), organisation=organisation_of(request)),
        "page": page,
        "query": text,
        "show": show,
        "kept": urlencode({"q": text, "show": show}),
        "may_revoke": {key.pk for key in page if api_keys_rules.may_revoke(me(request), key=key)},
    }
    return render(request, "setup/keys.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator()
@confirmed
def new(request: HttpRequest) -> HttpResponse:
    """A key for a program (`?for=`), by whoever administers programs."""
    try:
        number = UUID(request.GET.get("for", ""))
    except ValueError:
        raise Http404 from None
    account = User.objects.filter(uuid=number, is_service=True, is_active=True).first()
    if account is None:
        raise Http404
    if not api_keys.may_make(me(request), user=account):
        raise Refused
    back = reverse("setup_keys:overview") + "?" + urlencode({"q": account.email})
    return make(request, accounts=[account], back=back, template="setup/keys_new.html")


@require_POST
@administrator()
def revoke(request: HttpRequest, number: UUID) -> HttpResponse:
    """Ends one at once."""
    end(request, one(_visible(me(request)), number=number))
    kept = urlencode({"q": request.POST.get("q", "")[:LONGEST], "show": request.POST.get("show", "")[:10]})
    return HttpResponseRedirect(f"{reverse('setup_keys:overview')}?{kept}")


def _visible(by: User) -> QuerySet[ApiKey]:
    if by.has_perm("accounts.view_apikey"):
        return api_keys.everybodys()
    if by.has_perm("accounts.manage_service_accounts"):
        return api_keys.everybodys().filter(user__is_service=True)
    raise Refused
