"""The forms of months: an invoice, and when months close and who is sent the report. Know no row but those they offer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from providers import money

MOST_DAYS = 60


class Asked(forms.Form):
    """What a provider asked for; without an amount there is no invoice (any more)."""

    amount = forms.CharField(
        label=_("Sum"),
        max_length=24,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("As it stands on the invoice, without tax: 1250.40. Empty: there is none."),
    )
    currency = forms.ChoiceField(label=_("Currency"))

    def __init__(self, *args: Any, currencies: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = list(dict.fromkeys([*currencies, *money.KNOWN]))
        self.fields["currency"].choices = [(name, name) for name in offered]  # type: ignore[attr-defined]  # a ChoiceField

    def clean_amount(self) -> int | None:
        """In micro-units."""
        given = str(self.cleaned_data["amount"]).strip()
        if not given:
            return None
        try:
            return money.to_micro(given)
        except ValueError:
            raise ValidationError(_("An amount such as 1250.40: digits, at most six places, no sign.")) from None


class People(forms.ModelMultipleChoiceField[User]):
    """People by name."""

    def label_from_instance(self, obj: Any) -> str:
        return str(obj)


class Rules(forms.Form):
    """When months close by themselves, and who is sent the report: of the staff only whoever may see it is offered."""

    close_after_days = forms.IntegerField(
        label=_("Close a month by itself, days after its end"),
        min_value=1,
        max_value=MOST_DAYS,
        required=False,
        help_text=_("Empty: months are closed by hand."),
    )
    readers = People(
        label=_("Who is sent the report"),
        queryset=User.objects.none(),
        to_field_name="uuid",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "On the first of each month, by mail: the totals, a link, and a table of teams and models without names of people."
        ),
    )

    def __init__(self, *args: Any, offered: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["readers"].queryset = offered  # type: ignore[attr-defined]  # a field of rows
