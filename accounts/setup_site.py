"""What everybody is told, in the browser, for administrators: announcements, maintenance, and who agreed to the house rules."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import announcements, clock, house_rules, maintenance
from accounts.administration import administrator
from accounts.models import Announcement, Organisation

if TYPE_CHECKING:  # generic for the type checker only
    AnnouncementBase: TypeAlias = forms.ModelForm[Announcement]
else:
    AnnouncementBase = forms.ModelForm

CHANGE = "accounts.change_organisation"
PAGE = 50
_MOMENT = "%Y-%m-%dT%H:%M"


def _moment(label: Any, *, required: bool, hint: Any = "") -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT)
    return forms.DateTimeField(label=label, required=required, help_text=hint, widget=widget, input_formats=[_MOMENT])


class AnnouncementForm(AnnouncementBase):
    """A text, how important it is, from when until when."""

    starts_at = _moment(_("From"), required=False, hint=_("Empty: now."))
    ends_at = _moment(_("Until"), required=True)

    class Meta:
        model = Announcement
        fields = announcements.FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["text"].label, self.fields["level"].label = _("Text"), _("Kind")
        self.fields["text"].widget.attrs |= {"rows": 3, "maxlength": 1000}
        self.fields["text"].help_text = _("Plain text. Everybody sees it above the box until it is put away.")

    def clean_starts_at(self) -> dt.datetime:
        return self.cleaned_data["starts_at"] or clock.now()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        start, end = self.cleaned_data.get("starts_at"), self.cleaned_data.get("ends_at")
        if start and end and end <= start:
            self.add_error("ends_at", gettext("It ends before it begins."))
        return cleaned


class MaintenanceForm(forms.Form):
    """When it will probably be over, and a sentence for everybody."""

    until = _moment(_("Until about"), required=False, hint=_("What people are told. It ends when you end it."))
    note = forms.CharField(
        label=_("A sentence for everybody"),
        required=False,
        max_length=300,
        help_text=_("For example why. Can be left empty."),
    )

    def clean_until(self) -> dt.datetime | None:
        until: dt.datetime | None = self.cleaned_data["until"]
        if until is not None and until <= clock.now():
            raise forms.ValidationError(gettext("That moment has passed."))
        return until


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(CHANGE)
def announcement_list(request: HttpRequest) -> HttpResponse:
    """All of them, and a form for a new one."""
    form = AnnouncementForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        announcements.save(form.instance, before=None, request=request)
        return HttpResponseRedirect(reverse("setup_accounts:announcements"))
    shown = Paginator(Announcement.objects.all(), PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "shown": shown, "now": clock.now()}
    return render(request, "setup/announcements.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(CHANGE)
def announcement(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them: its words, its time, and taking it away."""
    found = get_object_or_404(Announcement, uuid=uuid)
    before = Announcement.objects.get(pk=found.pk)
    if request.method == "POST" and request.POST.get("do") == "remove":
        announcements.remove(found, request=request)
        return HttpResponseRedirect(reverse("setup_accounts:announcements"))
    form = AnnouncementForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        announcements.save(form.instance, before=before, request=request)
        return HttpResponseRedirect(reverse("setup_accounts:announcements"))
    context = {"form": form, "announcement": before}
    return render(request, "setup/announcement.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@administrator(CHANGE)
def keep_up(request: HttpRequest) -> HttpResponse:
    """Maintenance: on with a form, off with a button."""
    organisation = Organisation.get()
    if request.method == "POST" and request.POST.get("do") == "off":
        maintenance.switch(on=False, request=request)
        return HttpResponseRedirect(reverse("setup_accounts:maintenance"))
    initial = {"until": organisation.maintenance_until, "note": organisation.maintenance_note}
    form = MaintenanceForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        end, note = form.cleaned_data["until"], form.cleaned_data["note"]
        maintenance.switch(on=True, end=end, note=note, request=request)
        return HttpResponseRedirect(reverse("setup_accounts:maintenance"))
    context = {"form": form, "on": maintenance.under_way(organisation), "of": organisation}
    return render(request, "setup/maintenance.html", context, status=422 if form.is_bound else 200)


@require_safe
@administrator(CHANGE, "accounts.view_user")
def agreements(request: HttpRequest) -> HttpResponse:
    """Who agreed to the present house rules and when, who has not yet; and the texts that stood here before."""
    organisation = Organisation.get()
    missing = request.GET.get("show") == "missing"
    people = house_rules.people(organisation, agreed=not missing)
    context = {
        "rules": house_rules.present(organisation),
        "versions": house_rules.versions(),
        "counts": house_rules.counts(organisation),
        "missing": missing,
        "shown": Paginator(people, PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "setup/house_rules.html", context)
