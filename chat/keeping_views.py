"""What is kept and for how long, who is told of looks, legal holds: the page for whoever holds the right. Reads no conversation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import audit, clock, legal_holds, openings
from accounts.administration import administrator
from accounts.confirmation import confirmed
from accounts.models import Erasure, LegalHold, Organisation, Team
from accounts.refusals import NotPossible
from chat import keeping_forms, page, retention

MAY = "accounts.manage_privacy"
SHOWN = 50


@require_safe
@administrator(MAY)
def overview(request: HttpRequest) -> HttpResponse:
    """Rules as they are, holds, erasures, who may open conversations."""
    return _overview(request)


@require_POST
@administrator(MAY)
@confirmed
def rules(request: HttpRequest) -> HttpResponse:
    """`do=look` counts what would go; `do=save` saves. What goes then goes with the next run of the schedule."""
    form = _keeping(request)
    if not form.is_valid():
        return _overview(request, keeping=form, status=422)
    if request.POST.get("do") != "save":
        return _overview(request, keeping=form, looked=retention.preview(form.rules(), now=clock.now()))
    _save(request, form)
    messages.success(request, _("Saved. What is too old goes within a quarter of an hour."))
    return _back()


@require_POST
@administrator(MAY)
@confirmed
def looks(request: HttpRequest) -> HttpResponse:
    """Who is told of looks. Everybody sees the rule, and that it was changed, on the own privacy page."""
    form = keeping_forms.Looks(request.POST)
    if not form.is_valid():
        return _overview(request, looks=form, status=422)
    with transaction.atomic():
        row = Organisation.objects.select_for_update().get(pk=Organisation.get().pk)
        before = {name: getattr(row, name) for name in form.fields}
        after = form.cleaned_data
        if changes := {name: [before[name], after[name]] for name in form.fields if before[name] != after[name]}:
            Organisation.objects.filter(pk=row.pk).update(**after)
            audit.record("look.rules_changed", request=request, target=row, changes=changes)
    messages.success(request, _("Saved. It counts for looks from now on."))
    return _back()


@require_POST
@administrator(MAY)
@confirmed
def set_hold(request: HttpRequest) -> HttpResponse:
    """Nothing of the person or the team is removed until it ends."""
    form = keeping_forms.Hold(request.POST, teams=Team.objects.order_by("name"))
    if form.is_valid():
        try:
            legal_holds.set_on(by=page.person(request), request=request, **form.cleaned_data)
        except NotPossible as refused:
            form.add_error(None, str(refused.message))
    if form.errors:
        return _overview(request, hold=form, status=422)
    messages.success(request, _("Set. Nothing of it is removed until you end it."))
    return _back()


@require_POST
@administrator(MAY)
@confirmed
def end_hold(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What is too old goes with the next run."""
    hold = get_object_or_404(LegalHold, uuid=uuid)
    if legal_holds.end(hold, by=page.person(request), request=request):
        messages.success(request, _("Ended. What is too old by now goes within a quarter of an hour."))
    return _back()


def _keeping(request: HttpRequest | None) -> keeping_forms.Keeping:
    data = request.POST if request is not None else None
    return keeping_forms.Keeping(data, organisation=Organisation.get(), teams=Team.objects.order_by("name"))


def _save(request: HttpRequest, form: keeping_forms.Keeping) -> None:
    with transaction.atomic():
        row = Organisation.objects.select_for_update().get(pk=Organisation.get().pk)
        given = {
            "retention_days": form.cleaned_data["organisation"] or None,
            "temporary_hours": form.cleaned_data["temporary_hours"],
        }
        changes: dict[str, list[Any]] = {
            name: [getattr(row, name), value] for name, value in given.items() if getattr(row, name) != value
        }
        Organisation.objects.filter(pk=row.pk).update(**given)
        for team in form.teams:
            if (days := form.days(team)) != team.retention_days:
                Team.objects.filter(pk=team.pk).update(retention_days=days)
                changes[team.name] = [team.retention_days, days]
        if changes:
            audit.record("retention.changed", request=request, target=row, changes={"days": _pair(changes)})


def _pair(changes: dict[str, list[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after, by whose rule it is: a team's name is no field's name."""
    return {name: pair[0] for name, pair in changes.items()}, {name: pair[1] for name, pair in changes.items()}


def _overview(request: HttpRequest, *, status: int = 200, **given: Any) -> HttpResponse:
    organisation = Organisation.get()
    told = {name: getattr(organisation, name) for name in keeping_forms.Looks.base_fields}
    context = {
        "keeping": _keeping(None),
        "looks": keeping_forms.Looks(initial=told),
        "hold": keeping_forms.Hold(teams=Team.objects.order_by("name")),
        "holds": list(legal_holds.open_ones()[:SHOWN]),
        "erasures": list(Erasure.objects.order_by("-pk")[:SHOWN]),
        "holders": list(openings.holders()[:SHOWN]),
        **given,
    }
    return render(request, "setup/privacy.html", context, status=status)


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("keeping:overview"))
