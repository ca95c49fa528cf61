"""Requests for more, answered; one person's limits and why they apply; corrections of what calls took."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import clock
from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.models import User
from accounts.refusals import NotPossible
from providers import money
from usage import explaining, limit_drafts, limit_words, moments, rules, sentences
from usage.explaining import Reason
from usage.limit_forms import Answer, Correction
from usage.limit_models import QuotaRequest, Unit
from usage.limit_views import MAY, bar
from usage.models import LedgerEntry

PAGE, MOST_PAGES = 30, 100


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY)
def answer(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """`do=grant` gives what was asked for (or another amount) until the period ends; `do=refuse` says no. The page asks in detail.

    `back=requests` leads back to the page of all requests. A repeat finds it answered and says so.
    """
    asked = get_object_or_404(QuotaRequest.objects.select_related("quota"), uuid=uuid)
    quota, currency = asked.quota, organisation_of(request).currency
    typed = (
        money.to_text(limit_drafts.proposed(asked)) if quota.unit == Unit.COST else str(limit_drafts.proposed(asked))
    )
    data = {"amount": typed} | request.POST.dict() if request.method == "POST" else None
    form = Answer(data, initial={"amount": typed}, unit=quota.unit)
    if request.method == "POST" and (form.is_valid() or request.POST.get("do") == "refuse"):
        by = request.user
        assert isinstance(by, User)
        said = str(form.cleaned_data.get("answer", ""))
        try:
            if request.POST.get("do") == "refuse":
                rules.decide(asked, by=by, answer=said, request=request)
                messages.success(request, _("Refused. The person sees it under “My usage”."))
            else:
                until, amount = limit_drafts.ends(quota, now=clock.now()), form.cleaned_data["amount"]
                rules.decide(asked, by=by, amount=amount, until=until, answer=said, request=request)
                messages.success(request, _granted(amount, asked=asked, until=until, request=request))
        except NotPossible as refused:
            messages.error(request, str(refused.message))
        return HttpResponseRedirect(
            reverse("limits:requests" if request.POST.get("back") == "requests" else "limits:all")
        )
    words = sentences.of(quota, names=sentences.names_of([quota]), currency=currency)
    context = {"asked": asked, "words": words, "form": form, "until": limit_drafts.ends(quota, now=clock.now())}
    return render(request, "setup/limit_request.html", context, status=422 if form.errors else 200)


def _granted(amount: int, *, asked: QuotaRequest, until: Any, request: HttpRequest) -> str:
    organisation = organisation_of(request)
    zone = moments.zone(organisation).key
    values = {
        "person": asked.person_name,
        "amount": limit_words.amount(amount, unit=asked.quota.unit, currency=organisation.currency),
        "until": limit_words.moment(until, zone=zone, now=clock.now()),
    }
    return _("%(person)s has %(amount)s more until %(until)s.") % values


@require_safe
@administrator(MAY)
def why(request: HttpRequest, person: UUID) -> HttpResponse:
    """Which limits apply to somebody, which do not, and why; and the latest calls."""
    found = get_object_or_404(User, uuid=person)
    organisation = organisation_of(request)
    standing, every = explaining.reasons(person=found.uuid, now=clock.now())
    told = [(reason.applies, _told(reason, currency=organisation.currency)) for reason in every]
    # As the index has them, and uncounted: somebody may have a million.
    entries = LedgerEntry.objects.filter(person=found.uuid).order_by("-reserved_at", "-pk")
    page = _page(request.GET.get("page", ""))
    some = list(entries[(page - 1) * PAGE : page * PAGE + 1])
    context = {
        "person": found,
        "applies": [shown for applies, shown in told if applies],
        "back": [shown for applies, shown in told if not applies],
        "keys": [
            _told(reason, currency=organisation.currency)
            for reason in explaining.of_keys(found, now=clock.now(), time_zone=standing.time_zone)
        ],
        "team": standing.team_name,
        "zone": standing.time_zone,
        "entries": some[:PAGE],
        "earlier": page - 1,
        "later": page + 1 if len(some) > PAGE and page < MOST_PAGES else 0,
    }
    return render(request, "setup/limit_why.html", context)


def _page(text: str) -> int:
    return min(int(text), MOST_PAGES) if text.isascii() and text.isdecimal() and len(text) < 9 and int(text) else 1


def _told(reason: Reason, *, currency: str) -> dict[str, Any]:
    limit = reason.limit
    return bar(limit, currency=currency, whose=sentences.whom(limit.scope, limit.subject_name)) | {
        "why": _why(reason),
        "quota": limit.quota,
        "granted": limit_words.amount(limit.granted, unit=limit.unit, currency=currency) if limit.granted else "",
    }


def _why(reason: Reason) -> str:
    """In one sentence."""
    if not reason.applies:
        if reason.why == "other_team":
            return _("Another team pays for this person's questions.")
        return _("A limit of the person's own, or a more generous one of a team, stands in its place.")
    return {
        "organisation": _("It counts everybody's questions together and always applies."),
        "pool": _("This team pays for the person's questions, and its pool always applies."),
        "team": _("Of the limits for members of the person's teams the most generous one applies."),
        "own": _("It is the person's own and goes before those of teams and of everybody."),
        "key": _("It counts the questions of this key and always applies."),
        "each": _("Nothing else is said about this person, so what is said for each person applies."),
    }[reason.why]


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(MAY)
def correct(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A further entry for a call, with the reason: what was counted before stays as it was."""
    entry = get_object_or_404(LedgerEntry, uuid=uuid, kind=LedgerEntry.Kind.SETTLE)
    form = Correction(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            _correct(entry, form=form, request=request)
        except NotPossible as refused:
            form.add_error(None, str(refused.message))
        else:
            messages.success(request, _("Corrected: an entry was added to the ledger."))
            return HttpResponseRedirect(_page_of(entry))
    every = LedgerEntry.objects.filter(request_id=entry.request_id).order_by("pk")
    context = {"entry": entry, "entries": list(every), "form": form, "back": _page_of(entry)}
    return render(request, "setup/limit_correct.html", context, status=422 if form.errors else 200)


def _page_of(entry: LedgerEntry) -> str:
    return reverse("limits:why", args=[entry.person]) if entry.person else reverse("limits:all")


def _correct(entry: LedgerEntry, *, form: Correction, request: HttpRequest) -> None:
    given, cost = form.cleaned_data, form.cost_micro
    requests, tokens = given["requests"] or 0, (given["tokens_in"] or 0, given["tokens_out"] or 0)
    assert isinstance(request.user, User)
    rules.correct(
        entry.request_id, tokens=tokens, cost_micro=cost, requests=requests, reason=given["reason"], by=request.user,
        request=request,
    )  # fmt: skip
