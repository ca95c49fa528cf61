"""What an administrator enters about prices, exchange rates and files of them. Checks the words; deeds stand elsewhere."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.clock import now
from providers import money
from providers.models import AMOUNTS, Price
from providers.prices import Draft
from usage import moments, rates


class AmountField(forms.CharField):
    """An amount of money; its value is in micro-units. Empty: 0."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"inputmode": "decimal", "autocomplete": "off", "placeholder": "0"}
        super().__init__(
            required=kwargs.pop("required", False), max_length=24, widget=forms.TextInput(attrs=attrs), **kwargs
        )

    def prepare_value(self, value: Any) -> Any:
        return (money.to_text(value) if value else "") if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return money.to_micro(text) if text else 0
        except ValueError:
            raise forms.ValidationError(
                _("“%s” is no amount: digits, at most six places, no sign.") % text[:40]
            ) from None


class Starting(forms.Form):
    """Something that holds from a day on."""

    starts = forms.DateField(
        label=_("Begins on"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, tz: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tz = tz
        self.fields["starts"].help_text = _("Empty: from now on. A day begins at 00:00, %(zone)s.") % {"zone": tz.key}
        self.fields["starts"].widget.attrs["min"] = now().astimezone(tz).date().isoformat()

    def clean_starts(self) -> dt.datetime | None:
        """The moment in UTC; None: now, which today is, too."""
        day: dt.date | None = self.cleaned_data["starts"]
        today = now().astimezone(self.tz).date()
        if day is None or day == today:
            return None
        if day < today:
            raise forms.ValidationError(_("The past stays as it was: choose a date to come."))
        try:
            return moments.begin_of(day, tz=self.tz)
        except OverflowError:
            raise forms.ValidationError(_("This is too far away.")) from None


def currencies(*more: str) -> list[tuple[str, str]]:
    """The choices, these first."""
    return [(name, name) for name in dict.fromkeys((*filter(None, more), *money.KNOWN))]


class PriceFields(Starting):
    """A price of one model at one provider."""

    currency = forms.ChoiceField(label=_("Currency"))
    input_micro = AmountField(label=_("Input"), help_text=_("For a million tokens of questions."))
    output_micro = AmountField(label=_("Output"), help_text=_("For a million tokens of answers."))
    cached_input_micro = AmountField(label=_("Cached input"), help_text=_("Empty: as input."))
    reasoning_micro = AmountField(label=_("Reasoning"), help_text=_("Empty: as output."))
    per_call_micro = AmountField(label=_("Per call"))
    per_image_micro = AmountField(label=_("Per image"))
    per_audio_minute_micro = AmountField(label=_("Per audio minute"))

    def __init__(self, *args: Any, known: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["currency"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = currencies(*known)

    @property
    def rare(self) -> list[forms.BoundField]:
        """The fields that few prices need."""
        return [self[name] for name in AMOUNTS if name not in ("input_micro", "output_micro")]

    @property
    def rare_is_used(self) -> bool:
        """Whether one of them holds something."""
        return any(field.errors or field.value() for field in self.rare)

    def draft(self, origin: str = Price.Origin.ENTERED) -> Draft:
        """What the valid form says."""
        given = self.cleaned_data
        return Draft(given["currency"], {name: given[name] for name in AMOUNTS}, given["starts"], origin)


class RateFields(Starting):
    """What one unit of a currency is in the organisation's."""

    currency = forms.ChoiceField(label=_("Currency"))
    rate = AmountField(label=_("Rate"), required=True)
    field_order = ("currency", "rate", "starts")

    def __init__(self, *args: Any, into: str, wanted: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["currency"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, name) for name, _label in currencies(*wanted) if name != into]
        self.fields["rate"].help_text = _("How many %(into)s one unit of it is worth, for example 0.14.") % {
            "into": into
        }

    def clean_rate(self) -> int:
        rate: int = self.cleaned_data["rate"]
        if not 0 < rate <= rates.MOST_MICRO:
            raise forms.ValidationError(_("A rate is a number above 0, with at most six places."))
        return rate


class File(forms.Form):
    """A file to be looked at, or (`text`) one that was looked at and shall be taken."""

    file = forms.FileField(
        label=_("CSV file"), required=False, widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"})
    )
    text = forms.CharField(required=False, strip=False, max_length=1_000_000, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("file") and not given.get("text"):
            self.add_error("file", _("Choose a file."))
        return given


class OwnCurrency(forms.Form):
    """In which currency the organisation counts."""

    currency = forms.ChoiceField(label=_("Money is counted in"))

    def __init__(self, *args: Any, now_in: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "id_own_%s", **kwargs})
        field = self.fields["currency"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = currencies(now_in)
        field.initial = now_in
