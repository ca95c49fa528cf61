"""Limits in the administration: the page of all, a new one as a sentence with its preview, changes, bulk and files.

Rights are asked here; deeds stand in usage.rules.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import api_keys, audit, clock, people_queries
from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.refusals import NotPossible
from usage import limit_drafts, limit_files, limit_words, moments, overview, preview, rules, sentences
from usage.limit_forms import Bulk, Consequence, Sentence, Shown, amount_text
from usage.limit_models import Quota, QuotaRequest
from usage.limits import Limit
from usage.price_forms import File
from usage.price_views import as_file, file_page

MAY = "usage.change_quota"


@require_safe
@administrator(MAY)
def all_limits(request: HttpRequest) -> HttpResponse:
    """What waits, the limits as sentences, and how people and pools stand. `?q=` finds people, `?after=` goes on."""
    return show(request)


def show(request: HttpRequest, *, upload: File | None = None, bulk: Bulk | None = None) -> HttpResponse:
    """The page; `upload` and `bulk` are forms that were refused."""
    organisation, now = organisation_of(request), clock.now()
    tz, currency = moments.zone(organisation), organisation.currency
    query, cursor = _given(request, "q", 100), _given(request, "after", 254)
    found = people_queries.find(text=query, cursor=cursor)
    quotas = overview.active()
    names = sentences.names_of(quotas)
    pools = overview.pools(quotas, now=now, tz=tz)
    people = overview.people(list(found.people), quotas, now=now, tz=tz)
    waiting = (
        QuotaRequest.objects.filter(state="open", quota__removed_at=None).select_related("quota").order_by("created_at")
    )
    context = {
        "waiting": [_waiting(each, currency=currency, names=names) for each in waiting[:50]],
        "limits": [(quota, sentences.of(quota, names=names, currency=currency)) for quota in quotas],
        "pools": [
            bar(limit, currency=currency, whose=sentences.whom(limit.scope, limit.subject_name)) for limit in pools
        ],
        "people": [_person(each, currency=currency) for each in people],
        "query": query,
        "next_cursor": found.next_cursor,
        "is_later": bool(cursor),
        "upload": upload or File(),
        "bulk": bulk or Bulk(),
        "shown": Shown(initial={"usage_shown": organisation.usage_shown}),
        "zone": tz.key,
    }
    return render(request, "setup/limits.html", context, status=422 if upload or bulk else 200)


def _given(request: HttpRequest, name: str, most: int) -> str:
    return request.GET.get(name, "").replace("\x00", "").strip()[:most]


def _waiting(asked: QuotaRequest, *, currency: str, names: dict[UUID, str]) -> dict[str, Any]:
    more = limit_words.amount(limit_drafts.proposed(asked), unit=asked.quota.unit, currency=currency)
    return {"row": asked, "limit": sentences.of(asked.quota, names=names, currency=currency), "more": more}


def bar(limit: Limit, *, currency: str, whose: str) -> dict[str, Any]:
    """A limit for the template: the bar's parts of 100, and what it says."""

    def told(value: int) -> str:
        return limit_words.plain(value, unit=limit.unit, currency=currency)

    both, used = limit_words.percent(limit, of=limit.used + limit.held), limit_words.percent(limit)
    values = {"used": told(limit.used), "held": told(limit.held), "left": told(limit.left), "limit": told(limit.cap)}
    held = _("%(used)s of %(limit)s used · %(held)s held now · %(left)s left")
    text = held if limit.held else _("%(used)s of %(limit)s used · %(left)s left")
    what = f"{limit_words.of_what(limit.unit)} {limit_words.this_period(limit.period)}".strip()
    return {"whose": whose, "what": what, "used": used, "held": both - used, "warns": both >= 80, "words": text % values,
            "timeless": limit.resets_at is None, "most": told(limit.cap)}  # fmt: skip


def _person(standing: overview.Standing, *, currency: str) -> dict[str, Any]:
    nearest = standing.nearest
    shown = bar(nearest, currency=currency, whose="") if nearest else None
    return {"person": standing.person, "bar": shown, "more": max(0, len(standing.limits) - 1)}


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY)
def new(request: HttpRequest) -> HttpResponse:
    """A limit as a sentence, with `?key=` for that one. `do=look` shows whom it touches and who would be over it; `do=make` makes it."""
    organisation, now = organisation_of(request), clock.now()
    posted = request.POST if request.method == "POST" else None
    form = Sentence(posted, initial=_for_key(_given(request, "key", 36)), currency=organisation.currency)
    looked: preview.Preview | None = None
    if request.method == "POST" and form.is_valid():
        draft = form.draft()
        try:
            limit_drafts.check(draft)
            if request.POST.get("do") == "make":
                made = limit_drafts.make(draft, request=request)
                words = sentences.of(made, names=sentences.names_of([made]), currency=organisation.currency)
                messages.success(request, _("Made: %(limit)s") % {"limit": words})
                return HttpResponseRedirect(reverse("limits:all"))
            looked = preview.of(draft, organisation=organisation, now=now, tz=moments.zone(organisation))
        except NotPossible as refused:
            form.add_error(None, str(refused.message))
    context = {"form": form, "looked": looked, "suggestions": people_queries.suggestions()}
    return render(request, "setup/limit_new.html", context, status=422 if form.errors else 200)


def _for_key(number: str) -> dict[str, str]:
    """A sentence that begins with this key, as the list of keys leads here; nothing where there is none."""
    try:
        key = api_keys.living().select_related("user").filter(uuid=UUID(number)).first() if number else None
    except ValueError:
        key = None
    if key is None:
        return {}
    whose = key.user.name if key.user.is_service and key.user.name else key.user.email
    return {"whom": "key", "account": whose, "key": str(key.uuid)}


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY)
def change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Another amount or consequence of a limit."""
    organisation = organisation_of(request)
    quota = get_object_or_404(Quota, uuid=uuid, removed_at=None)
    initial = {"amount": amount_text(quota), "at_limit": quota.at_limit, "switch_to": str(quota.switch_to or "")}
    form = Consequence(request.POST if request.method == "POST" else None, initial=initial, unit=quota.unit)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            rules.change(
                quota, amount=given["amount"], at_limit=given["at_limit"], switch_to=given["switch_to"], request=request
            )
        except NotPossible as refused:
            form.add_error(None, str(refused.message))
        else:
            messages.success(request, _("Saved. It counts from the next question on."))
            return HttpResponseRedirect(reverse("limits:all"))
    words = sentences.of(quota, names=sentences.names_of([quota]), currency=organisation.currency)
    return render(
        request, "setup/limit.html", {"form": form, "quota": quota, "words": words}, status=422 if form.errors else 200
    )


@require_POST
@administrator(MAY)
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The limit is over."""
    try:
        rules.remove(get_object_or_404(Quota, uuid=uuid), request=request)
    except NotPossible as refused:
        messages.error(request, str(refused.message))
    else:
        messages.success(request, _("Removed. What was counted stays."))
    return HttpResponseRedirect(reverse("limits:all"))


@require_POST
@administrator(MAY)
def many(request: HttpRequest) -> HttpResponse:
    """The chosen limits together: all or none."""
    form = Bulk(request.POST)
    wanted = [text for text in request.POST.getlist("limit") if len(text) == 36][:500]
    if not form.is_valid():
        return show(request, bulk=form)
    rows = [row for row in overview.active() if str(row.uuid) in wanted]
    percent = form.cleaned_data["percent"] or 0
    try:
        with transaction.atomic():
            for row in rows:
                if form.cleaned_data["do"] == "remove":
                    rules.remove(row, request=request)
                else:
                    amount = max(0, row.amount + row.amount * percent // 100)
                    rules.change(row, amount=amount, at_limit=row.at_limit, switch_to=row.switch_to, request=request)
    except NotPossible as refused:
        messages.error(request, str(refused.message))
    else:
        n = len(rows)
        messages.success(request, ngettext("%d limit was changed.", "%d limits were changed.", n) % n)
    return HttpResponseRedirect(reverse("limits:all"))


@require_safe
@administrator(MAY)
def export(request: HttpRequest) -> HttpResponse:
    """Every limit as a file that can be edited and read again."""
    return as_file(limit_files.export(organisation_of(request)), name="limits")


@require_POST
@administrator(MAY)
def read_file(request: HttpRequest) -> HttpResponse:
    """First what a file would do; posted again from there, it is done."""
    return file_page(request, plan=limit_files.plan, here="limits:file", back="limits:all", refused=show)


@require_POST
@administrator(MAY)
def shown(request: HttpRequest) -> HttpResponse:
    """As what colleagues see what is left to them."""
    organisation = organisation_of(request)
    form = Shown(request.POST)
    if form.is_valid() and form.cleaned_data["usage_shown"] != organisation.usage_shown:
        changes: audit.Changes = {"usage_shown": [organisation.usage_shown, form.cleaned_data["usage_shown"]]}
        with transaction.atomic():
            organisation.usage_shown = form.cleaned_data["usage_shown"]
            organisation.save(update_fields=["usage_shown"])
            audit.record("organisation.changed", request=request, target=organisation, changes=changes)
        messages.success(request, _("Saved."))
    return HttpResponseRedirect(reverse("limits:all"))
