"""What an administrator enters about limits, raises and corrections. Checks the words; rules and deeds stand elsewhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts import api_keys, people_queries
from accounts.models import ApiKey, Team, UsageShown
from accounts.people_forms import AccountField, ColleagueField
from providers import money
from providers.models import LanguageModel
from usage.limit_drafts import Draft
from usage.limit_models import NOBODY, TIMELESS, AtLimit, Period, Quota, Scope, Unit
from usage.price_forms import AmountField
from usage.rules import MOST

COMMON = (Unit.REQUESTS, Unit.TOKENS, Unit.COST)
PERIODS = tuple(period for period in Period if period != Period.NONE)


def amount_of(text: str, *, unit: str) -> int:
    """A typed amount in the limit's unit. Raises ValidationError."""
    try:
        amount = money.to_micro(text) if unit == Unit.COST else int(text.strip().replace("_", "x"))
    except ValueError:
        amount = -1
    if not 0 <= amount <= MOST or not text.strip().isascii():
        raise forms.ValidationError(_("“%s” is no amount.") % text[:40])
    return amount


def amount_text(quota: Quota) -> str:
    """The other way round."""
    return money.to_text(quota.amount) if quota.unit == Unit.COST else str(quota.amount)


class Consequence(forms.Form):
    """How much, and what then: what can be changed of a limit."""

    amount = forms.CharField(
        label=_("Amount"), max_length=24, widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    )
    at_limit = forms.ChoiceField(label=_("Then"), choices=AtLimit.choices, initial=AtLimit.BLOCK)
    switch_to = forms.ChoiceField(label=_("Other model"), required=False)

    def __init__(self, *args: Any, unit: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fixed_unit = unit
        self.known = list(LanguageModel.objects.filter(enabled=True, kind="chat").order_by("position", "name", "pk"))
        choices = [(str(model.uuid), model.name) for model in self.known]
        self._offer("switch_to", [("", "–"), *choices])

    def _offer(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        unit = self.fixed_unit or given.get("unit", "")
        if "amount" in given:
            try:
                given["amount"] = amount_of(given["amount"], unit=unit)
            except forms.ValidationError as wrong:
                self.add_error("amount", wrong)
        other = given.get("switch_to")
        given["switch_to"] = UUID(other) if other and given.get("at_limit") == AtLimit.SWITCH else None
        if given.get("at_limit") == AtLimit.SWITCH and not other:
            self.add_error("switch_to", _("Choose the model that answers at the limit."))
        return given


class Sentence(Consequence):
    """“[Each member of Support] may use [50] [questions] a [month] on [any model], then [block]”."""

    whom = forms.ChoiceField(label=_("Whom"))
    person = ColleagueField(label=_("E-mail of the person"), required=False)
    account = AccountField(label=_("E-mail of the person, or name of the program"), required=False)
    key = forms.ChoiceField(label=_("API key"), required=False)
    unit = forms.ChoiceField(label=_("What"))
    period = forms.ChoiceField(label=_("Per"), initial=Period.MONTH, choices=[(p.value, p.label) for p in PERIODS])
    model = forms.ChoiceField(label=_("On"), required=False)
    models = forms.MultipleChoiceField(label=_("Several models together"), required=False)
    field_order = (
        "whom",
        "person",
        "account",
        "key",
        "amount",
        "unit",
        "period",
        "model",
        "at_limit",
        "switch_to",
        "models",
    )

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = list(Team.objects.order_by("name").values_list("uuid", "name"))
        groups: list[Any] = [
            (Scope.EACH, _("Each person")),
            (Scope.ORGANISATION, _("Everybody together")),
            ("person", _("One person (e-mail below)")),
            ("key", _("One API key")),
        ]
        if teams:
            groups.append((_("Each member of"), [(f"member:{uuid}", name) for uuid, name in teams]))
            groups.append((_("Together: the team"), [(f"team:{uuid}", name) for uuid, name in teams]))
        self._offer("whom", groups)
        units = {unit: f"{unit.label} ({currency})" if unit == Unit.COST else unit.label for unit in Unit}
        rare = [(unit.value, units[unit]) for unit in Unit if unit not in COMMON]
        self._offer("unit", [*((unit.value, units[unit]) for unit in COMMON), (_("More"), rare)])
        models = [(str(model.uuid), model.name) for model in self.known]
        self._offer("model", [("", _("any model")), *models])
        self._offer("models", models)
        self.fields["person"].widget.attrs["placeholder"] = "ada@example.com"
        self.fields["account"].widget.attrs["placeholder"] = _("whose?")
        self.keys = self._keys()
        self._offer("key", [("", _("which key?")), *((str(key.uuid), str(key)) for key in self.keys)])

    def _keys(self) -> list[ApiKey]:
        """The living keys of the account that was named."""
        named = self["account"].value()
        whose = people_queries.account(named) if isinstance(named, str) and self["whom"].value() == "key" else None
        return list(api_keys.living().filter(user=whose).order_by("name", "pk")) if whose else []

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if given.get("whom") == "person" and "person" in given and given["person"] is None:
            self.add_error("person", _("Whose limit is it?"))
        if given.get("whom") == "key" and not given.get("key") and "key" in given:
            self._ask_for_key(given)
        return given

    def _ask_for_key(self, given: dict[str, Any]) -> None:
        if given.get("account") is None:
            if "account" in given:
                self.add_error("account", _("Whose key is it?"))
        elif self.keys:
            self.add_error("key", _("Choose one of these keys."))
        else:
            self.add_error("account", _("This account has no key that works."))

    def draft(self) -> Draft:
        """The limit that the valid form names."""
        given = self.cleaned_data
        scope, _colon, number = given["whom"].partition(":")
        subject = UUID(number) if number else self._one(scope)
        models = given["models"] or ([given["model"]] if given["model"] else [])
        return Draft(
            scope=scope,
            subject=subject,
            unit=given["unit"],
            period=Period.NONE if given["unit"] in TIMELESS else given["period"],
            amount=given["amount"],
            models=tuple(UUID(model) for model in models),
            at_limit=given["at_limit"],
            switch_to=given["switch_to"],
        )

    def _one(self, scope: str) -> UUID:
        given = self.cleaned_data
        if scope == Scope.KEY:
            return next(key.family for key in self.keys if str(key.uuid) == given["key"])
        found: UUID = given["person"].uuid if scope == Scope.PERSON else NOBODY
        return found


class Bulk(forms.Form):
    """What is done to many limits at once."""

    do = forms.ChoiceField(
        label=_("With the chosen ones"),
        choices=[("percent", _("change the amount by per cent")), ("remove", _("remove"))],
    )
    percent = forms.IntegerField(label=_("Per cent"), required=False, min_value=-99, max_value=1_000)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("do") == "percent" and not given.get("percent"):
            self.add_error("percent", _("By how much? For example 20 or -10."))
        return given


class Shown(forms.Form):
    """As what colleagues see what is left to them."""

    usage_shown = forms.ChoiceField(
        label=_("Colleagues see what is left as"), choices=UsageShown.choices, widget=forms.RadioSelect
    )


class Answer(forms.Form):
    """An answer to a request for more: how much, until the period ends, with a word."""

    amount = forms.CharField(label=_("How much more"), max_length=24)
    answer = forms.CharField(label=_("A word to the person"), required=False, max_length=500)

    def __init__(self, *args: Any, unit: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unit = unit

    def clean_amount(self) -> int:
        amount = amount_of(self.cleaned_data["amount"], unit=self.unit)
        if not amount:
            raise forms.ValidationError(_("“%s” is no amount.") % "0")
        return amount


class Correction(forms.Form):
    """More or less than was counted for a call, with the reason. Everything may be negative: it is taken back."""

    requests = forms.IntegerField(label=_("Questions"), required=False, min_value=-1, max_value=1)
    tokens_in = forms.IntegerField(label=_("Tokens in"), required=False, min_value=-(10**12), max_value=10**12)
    tokens_out = forms.IntegerField(label=_("Tokens out"), required=False, min_value=-(10**12), max_value=10**12)
    takes_money = forms.ChoiceField(
        label=_("Money"), choices=[("-", _("take back")), ("+", _("add"))], required=False, initial="-"
    )
    cost = AmountField(label=_("Amount"))
    reason = forms.CharField(label=_("Reason"), max_length=500)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        named = ("requests", "tokens_in", "tokens_out", "cost")
        if not self.errors and not any(given.get(name) for name in named):
            raise forms.ValidationError(_now("Nothing would change."))
        return given

    @property
    def cost_micro(self) -> int:
        """With its sign."""
        given = self.cleaned_data
        return int(given["cost"]) * (1 if given["takes_money"] == "+" else -1)
