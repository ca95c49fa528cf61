"""What an administrator enters about keeping: days, temporary chats, who is told of looks, legal holds. Saves and removes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import LooksTold, Organisation, Team, User
from chat.retention import FOR_EVER, Rules

MOST_DAYS = 36_500
MOST_HOURS = 24 * 366


def days_field(label: Any, *, hint: Any = "") -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=0, max_value=MOST_DAYS, help_text=hint)


class Keeping(forms.Form):
    """Days for the organisation and for each team; empty is for ever there, and as the organisation here."""

    organisation = days_field(_("Everybody, in days"), hint=_("Empty: for ever."))
    temporary_hours = forms.IntegerField(
        label=_("Temporary chats, in hours"),
        min_value=1,
        max_value=MOST_HOURS,
        help_text=_("Counted from their first question."),
    )

    def __init__(self, data: Any = None, *, organisation: Organisation, teams: Iterable[Team]) -> None:
        self.teams = list(teams)
        initial = {"organisation": organisation.retention_days or None, "temporary_hours": organisation.temporary_hours}
        super().__init__(data, initial=initial | {self.name(team): team.retention_days for team in self.teams})
        for team in self.teams:
            self.fields[self.name(team)] = days_field(team.name)

    @staticmethod
    def name(team: Team) -> str:
        return f"team-{team.uuid}"

    @property
    def of_teams(self) -> list[forms.BoundField]:
        return [self[self.name(team)] for team in self.teams]

    def days(self, team: Team) -> int | None:
        found: int | None = self.cleaned_data[self.name(team)]
        return found

    def rules(self) -> Rules:
        """As they would be."""
        teams = {team.pk: days for team in self.teams if (days := self.days(team)) is not None}
        return Rules(self.cleaned_data["organisation"] or FOR_EVER, teams)


class Looks(forms.Form):
    """Who is told of looks into conversations, and whether one person is enough for one."""

    looks_told = forms.ChoiceField(label=_("The person is told"), choices=LooksTold.choices)
    looks_told_days = forms.IntegerField(label=_("Days later"), min_value=1, max_value=365)
    looks_by_two = forms.BooleanField(
        label=_("A second person who holds the right must agree to each look"), required=False
    )


class Hold(forms.Form):
    """On a person or on a team."""

    person = forms.EmailField(label=_("A person, by e-mail"), required=False, max_length=254)
    team = forms.ChoiceField(label=_("or a team"), required=False)
    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, data: Any = None, *, teams: Iterable[Team]) -> None:
        super().__init__(data)
        self.by_uuid = {str(team.uuid): team for team in teams}
        team = self.fields["team"]
        assert isinstance(team, forms.ChoiceField)
        team.choices = [("", "–"), *((uuid, each.name) for uuid, each in self.by_uuid.items())]

    def clean_person(self) -> User | None:
        email = self.cleaned_data["person"].strip().lower()
        found = User.objects.filter(email=email).first() if email else None
        if email and found is None:
            raise ValidationError(_("Nobody has this address."))
        return found

    def clean_team(self) -> Team | None:
        return self.by_uuid.get(self.cleaned_data["team"])
