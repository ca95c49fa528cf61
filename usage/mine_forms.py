"""What somebody enters who asks for more of a limit. Checks the words; whether it is given is others' to decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from usage import limit_words
from usage.limit_models import Unit
from usage.limits import Limit
from usage.price_forms import AmountField


class Asking(forms.Form):
    """Why, and how much more; an amount of money is in micro-units."""

    reason = forms.CharField(
        label=_("What do you need it for?"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": 500}),
        help_text=_("An administrator reads this."),
    )
    amount = forms.IntegerField(
        label=_("How much more"),
        required=False,
        min_value=1,
        max_value=10**12,
        help_text=_("Empty: the administrator decides."),
    )
    field_order = ("reason", "amount")

    def __init__(self, *args: Any, limit: Limit, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limit = limit
        if limit.unit == Unit.COST:
            self.fields["amount"] = AmountField(
                label=_("How much more"), help_text=_("Empty: the administrator decides.")
            )
            self.fields["amount"].label = f"{self.fields['amount'].label} ({currency})"
        else:
            self.fields["amount"].label = f"{self.fields['amount'].label} ({limit_words.of_what(limit.unit)})"

    def clean_amount(self) -> int | None:
        return self.cleaned_data["amount"] or None
