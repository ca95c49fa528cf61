"""What the organisation demands at the door: a second factor of nobody, of staff, or of everybody. Administrators only."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import audit, second_factor
from accounts.administration import administrator
from accounts.confirmation import confirmed
from accounts.models import Organisation, SecondFactor
from accounts.refusals import Refused


class Demand(forms.Form):
    """Of whom a second factor is demanded."""

    second_factor = forms.ChoiceField(
        label=gettext_lazy("Second factor"), choices=SecondFactor.choices, widget=forms.RadioSelect
    )


@require_http_methods(["GET", "HEAD", "POST"])
@administrator("accounts.change_organisation")
@confirmed
def rules(request: HttpRequest) -> HttpResponse:
    """Sets the demand; who has none is led to setting one up with the next click."""
    if not request.user.is_superuser:
        raise Refused
    organisation = Organisation.get()
    form = Demand(request.POST or None, initial={"second_factor": organisation.second_factor})
    if request.method == "POST" and form.is_valid():
        _set(request, organisation=organisation, wanted=form.cleaned_data["second_factor"])
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(reverse("setup_accounts:sign_in"))
    people, without = second_factor.how_many()
    return render(request, "setup/sign_in.html", {"form": form, "people": people, "without": without})


def _set(request: HttpRequest, *, organisation: Organisation, wanted: str) -> None:
    before = organisation.second_factor
    with transaction.atomic():
        if Organisation.objects.filter(pk=organisation.pk).exclude(second_factor=wanted).update(second_factor=wanted):
            changes = {"second_factor": (before, wanted)}
            audit.record("organisation.changed", request=request, target=organisation, changes=changes)
