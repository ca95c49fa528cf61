"""What is entered about an API key in the browser. Checks the words; what may be asked is accounts.api_keys_rules' to say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import profile, scopes
from accounts.api_keys_rules import LONGEST_NAME
from accounts.models import User
from accounts.refusals import NotPossible

LIVES = (
    ("30", _("in 30 days")),
    ("90", _("in 90 days")),
    ("365", _("in a year")),
    ("", _("never, until somebody revokes it")),
)
KEEPS = (
    ("0", _("at once: whoever uses it is cut off now")),
    ("1", _("in an hour")),
    ("24", _("in a day")),
    ("168", _("in a week")),
)


class NewKey(forms.Form):
    """A key for one of the accounts that `offer` names; the first is the own one."""

    account = forms.ChoiceField(label=_("For"), help_text=_("Yourself, or a program that you answer for."))
    name = forms.CharField(
        label=_("Name"),
        max_length=LONGEST_NAME,
        help_text=_("The program that will use it, such as “Editor on my laptop”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(label=_("The key may"), widget=forms.CheckboxSelectMultiple)
    expires = forms.ChoiceField(label=_("Ends"), choices=LIVES, required=False, initial="365")
    models = forms.MultipleChoiceField(
        label=_("Only these models"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: every model that the account may use."),
    )
    allowed_ips = forms.CharField(
        label=_("Only from these addresses"),
        required=False,
        max_length=4000,
        help_text=_("One a line, such as 192.0.2.7 or 10.1.0.0/16. Empty: from anywhere."),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, accounts: Sequence[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accounts = {str(account.uuid): account for account in accounts}
        first = accounts[0]
        self._choices("account", [(number, str(account)) for number, account in self.accounts.items()])
        allowed = {name for account in accounts for name in scopes.of(account)}
        self._choices("scopes", [(name, scope.words) for name, scope in scopes.SCOPES.items() if name in allowed])
        self._choices("models", profile.models_for(first))
        self.fields["account"].initial = str(first.uuid)
        self.fields["scopes"].initial = list(scopes.DEFAULT)

    def _choices(self, name: str, choices: Sequence[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices)

    @property
    def restricts(self) -> bool:
        """Whether the folded part has something to say: then it is shown open."""
        return any(name in self.errors for name in ("models", "allowed_ips")) or bool(
            self.is_bound and (self.data.get("allowed_ips") or self.data.get("models"))
        )

    def account_chosen(self) -> User:
        """Whose key it will be."""
        return self.accounts[self.cleaned_data["account"]]

    def wanted(self) -> dict[str, Any]:
        """What accounts.api_keys.make is asked for."""
        given = self.cleaned_data
        days = given["expires"]
        return {
            "name": given["name"],
            "scopes": given["scopes"],
            "models": given["models"],
            "allowed_ips": [line for line in given["allowed_ips"].splitlines() if line.strip()],
            "expires_at": timezone.now() + dt.timedelta(days=int(days)) if days else None,
        }

    def refuse(self, refused: NotPossible) -> None:
        """Puts a refusal of the rules to the field that it speaks of."""
        field = getattr(refused, "field", "")
        where = {"expires_at": "expires"}.get(field, field)
        self.add_error(where if where in self.fields else None, str(refused.message))


class Roll(forms.Form):
    """When the old secret ends: nothing is chosen beforehand, because only the person knows who still uses it."""

    keep = forms.ChoiceField(label=_("The old secret ends"), choices=KEEPS, widget=forms.RadioSelect)
