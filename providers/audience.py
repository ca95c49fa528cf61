"""Which teams a model is for: the form, and the deed with its line in the trail. Who may use what is decided by providers.access."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.models import Team
from providers.models import LanguageModel

EVERYBODY, TEAMS = "all", "teams"


class Audience(forms.Form):
    """For everybody, or for those who are in one of these teams; and never for those who are in one of the `denied` ones."""

    who = forms.ChoiceField(choices=((EVERYBODY, _("Everybody")), (TEAMS, _("Only these teams"))))
    teams = forms.ModelMultipleChoiceField(Team.objects.none(), required=False, to_field_name="uuid")
    denied = forms.ModelMultipleChoiceField(Team.objects.none(), required=False, to_field_name="uuid")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # Django's own signature
        for name in ("teams", "denied"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelMultipleChoiceField)
            field.queryset = Team.objects.order_by("name", "pk")

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("who") == TEAMS and not self.errors and not self.cleaned_data.get("teams"):
            self.add_error("teams", _("Choose a team, or nobody could use the model."))
        both = set(self.cleaned_data.get("teams") or ()) & set(self.cleaned_data.get("denied") or ())
        if self.cleaned_data.get("who") == TEAMS and both:
            self.add_error("denied", _("A team cannot be named in both: the ban would win."))

    @property
    def chosen(self) -> list[str]:
        """The teams that are ticked, by their public numbers."""
        return [str(each) for each in self["teams"].value() or []]

    @property
    def banned(self) -> list[str]:
        """The teams that are shut out, in the same way."""
        return [str(each) for each in self["denied"].value() or []]

    @classmethod
    def of(cls, model: LanguageModel) -> Audience:
        """The form as the model stands."""
        chosen = [str(uuid) for uuid in model.teams.values_list("uuid", flat=True)]
        banned = [str(uuid) for uuid in model.denied_teams.values_list("uuid", flat=True)]
        return cls(initial={"who": EVERYBODY if model.for_all else TEAMS, "teams": chosen, "denied": banned})


def restrict(model: LanguageModel, *, form: Audience, request: HttpRequest) -> None:
    """From the next question on the model is for whoever the valid form names."""
    for_all = form.cleaned_data["who"] == EVERYBODY
    teams = [] if for_all else list(form.cleaned_data["teams"])
    with transaction.atomic():
        before = [model.for_all, _names(model.teams), _names(model.denied_teams)]
        LanguageModel.objects.filter(pk=model.pk).update(for_all=for_all)
        model.teams.set(teams)
        model.denied_teams.set(form.cleaned_data["denied"])
        after = [for_all, _names(model.teams), _names(model.denied_teams)]
        names = ("for_all", "teams", "denied_teams")
        changes = {name: [old, new] for name, old, new in zip(names, before, after, strict=True) if old != new}
        if changes:
            audit.record("model.changed", request=request, target=model, changes=changes)


def _names(teams: Any) -> list[str]:
    return sorted(teams.values_list("name", flat=True))
