"""What is asked of whoever wants to look into somebody's conversations: whose, why, which days, for how long. Opens nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import openings
from accounts.models import User


class Ask(forms.Form):
    """Days are those of the reader's clock, both included."""

    person = forms.EmailField(
        label=_("Whose conversations"),
        max_length=254,
        help_text=_("The e-mail address; also of somebody who has left."),
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=500,
        widget=forms.Textarea,
        help_text=_("One sentence or two. It stands in the audit trail, and the person reads it when told."),
    )
    since = forms.DateField(label=_("Messages from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    until = forms.DateField(label=_("Messages to"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    minutes = forms.TypedChoiceField(label=_("Open for"), coerce=int)

    def __init__(self, data: Any = None) -> None:
        today = timezone.localdate()
        initial = {"since": today - dt.timedelta(days=30), "until": today, "minutes": openings.DEFAULT_MINUTES}
        super().__init__(data, initial=initial)
        minutes = self.fields["minutes"]
        assert isinstance(minutes, forms.TypedChoiceField)
        minutes.choices = [(n, ngettext("%(n)d minute", "%(n)d minutes", n) % {"n": n}) for n in openings.MINUTES]
        self.fields["reason"].widget.attrs |= {"rows": 3, "minlength": openings.SHORTEST_REASON}
        self.fields["person"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean_person(self) -> User:
        found = User.objects.filter(email=self.cleaned_data["person"].strip().lower(), is_service=False).first()
        if found is None:
            raise ValidationError(_("Nobody has this address."))
        return found

    def clean_since(self) -> dt.date:
        return _sane(self.cleaned_data["since"])

    def clean_until(self) -> dt.date:
        return _sane(self.cleaned_data["until"])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("since") and given.get("until") and given["since"] > given["until"]:
            self.add_error("until", _("The span of time ends before it begins."))
        return given

    def terms(self) -> dict[str, Any]:
        """What accounts.openings.ask wants to know."""
        given = self.cleaned_data
        since, until = (timezone.make_aware(dt.datetime.combine(given[name], dt.time())) for name in ("since", "until"))
        named = {name: given[name] for name in ("person", "reason", "minutes")}
        return {**named, "since": since, "until": until + dt.timedelta(days=1)}


def _sane(day: dt.date) -> dt.date:
    """Days of which every clock of the world can still say the moment."""
    if not 2000 <= day.year < 2200:
        raise ValidationError(_("Enter a day of this century."))
    return day
