"""What an administrator enters about people, teams, invitations and programs. Checks the words; rights and deeds stand elsewhere."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts import invitations, people_queries, people_rights
from accounts.forms import languages, time_zones
from accounts.models import Membership, Organisation, Team, User

NAME = User._meta.get_field("name").max_length
ROLES_IN_A_TEAM = [(value, capfirst(label)) for value, label in Membership.Role.choices]
ROLES = (("colleague", _("Colleague")), ("staff", _("Staff")), ("administrator", _("Administrator")))


class ColleagueField(forms.EmailField):
    """The e-mail of an active colleague; its value is that person."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"list": "colleagues", "autocomplete": "off", "spellcheck": "false"}
        super().__init__(max_length=254, widget=forms.EmailInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> Any:
        email = super().clean(value)
        if not email:
            return None
        found = people_queries.colleague(email)
        if found is None:
            raise ValidationError(_("No active colleague has this e-mail."))
        return found


class AccountField(forms.CharField):
    """The e-mail of an active colleague or the name of a program; its value is that account."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"list": "colleagues", "autocomplete": "off", "spellcheck": "false"}
        super().__init__(max_length=254, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> Any:
        named = super().clean(value)
        if not named:
            return None
        found = people_queries.account(named)
        if found is None:
            raise ValidationError(_("There is no active colleague or program of that name."))
        return found


class TeamField(forms.ModelChoiceField[Team]):
    """One of the teams that were offered, by its public number; asks for them once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Team.objects.none(), to_field_name="uuid", **kwargs)
        self.offered: list[Team] = []

    def offer(self, teams: QuerySet[Team]) -> None:
        """The teams to choose from."""
        self.queryset, self.offered = teams, list(teams)
        none = [] if self.required else [("", _("None"))]
        self.choices = [*none, *((str(team.uuid), team.name) for team in self.offered)]


class NameAndEmail(forms.Form):
    """How a colleague is called, and the address that is the name at the sign-in."""

    name = forms.CharField(label=_("Full name"), max_length=NAME, required=False)
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        help_text=_("Another address signs the person out everywhere; it is the name at the next sign-in."),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class Rights(forms.Form):
    """Colleague, staff with certain rights, or administrator."""

    role = forms.ChoiceField(label=_("What this person may do"), choices=ROLES, widget=forms.RadioSelect)
    bundles = forms.MultipleChoiceField(
        label=_("Staff may"), required=False, widget=forms.CheckboxSelectMultiple, choices=[]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["bundles"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(bundle.slug, bundle.title) for bundle in people_rights.bundles()]

    @staticmethod
    def of(person: User) -> dict[str, Any]:
        """What the form shows of a person."""
        role = "administrator" if person.is_superuser else "staff" if person.is_staff else "colleague"
        return {"role": role, "bundles": people_rights.held(person)}


class TeamFields(forms.Form):
    """A team's name and cost centre."""

    name = forms.CharField(label=_("Name"), max_length=120)
    cost_centre = forms.CharField(
        label=_("Cost centre"), max_length=64, required=False, help_text=_("Stands in reports. Can be left empty.")
    )


class Member(forms.Form):
    """Who joins a team, and as what."""

    person = ColleagueField(label=_("E-mail of the colleague"))
    role = forms.ChoiceField(
        label=_("Role"), choices=ROLES_IN_A_TEAM, help_text=_("A manager sees who is in the team.")
    )


class Joining(forms.Form):
    """Which team a person joins, and as what."""

    team = TeamField(label=_("Team"))
    role = forms.ChoiceField(label=_("Role"), choices=ROLES_IN_A_TEAM)

    def offer(self, teams: QuerySet[Team]) -> None:
        """The teams to choose from."""
        field = self.fields["team"]
        assert isinstance(field, TeamField)
        field.offer(teams)


class Leaving(forms.Form):
    """Who takes over what the person owns."""

    heir = ColleagueField(
        label=_("E-mail of the colleague who takes it over"), required=False, help_text=_("Empty: nobody takes over.")
    )


class Program(forms.Form):
    """A program's account: its name and who answers for it."""

    name = forms.CharField(
        label=_("Name"), max_length=NAME, help_text=_("What the program does, such as “Nightly report”.")
    )
    owner = ColleagueField(label=_("E-mail of the colleague who answers for it"))


class Guest(forms.Form):
    """One invitation."""

    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    name = forms.CharField(label=_("Full name"), max_length=NAME, required=False, help_text=_("Can be left empty."))
    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    team = TeamField(label=_("Team"), required=False)
    role = forms.ChoiceField(
        label=_("Role in the team"), choices=ROLES_IN_A_TEAM, required=False, initial=Membership.Role.MEMBER
    )
    days = forms.IntegerField(
        label=_("Days the link works"), min_value=1, max_value=invitations.MOST_DAYS, initial=invitations.DAYS
    )

    def __init__(self, *args: Any, may_choose_team: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language, zone, team = self.fields["language"], self.fields["time_zone"], self.fields["team"]
        assert isinstance(language, forms.ChoiceField)
        assert isinstance(zone, forms.ChoiceField)
        language.choices, zone.choices = languages(_("As the browser asks")), time_zones(_("As the browser says"))
        if not may_choose_team:
            del self.fields["team"], self.fields["role"]
        else:
            assert isinstance(team, TeamField)
            team.offer(Team.objects.all())

    def guest(self) -> invitations.Guest:
        """Whom the valid form names."""
        given = self.cleaned_data
        return invitations.Guest(
            email=given["email"],
            name=given["name"],
            language=given["language"],
            time_zone=given["time_zone"],
            team=given.get("team"),
            role=given.get("role") or Membership.Role.MEMBER,
        )


class Upload(forms.Form):
    """A file with one guest a line."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )
    days = forms.IntegerField(
        label=_("Days the links work"), min_value=1, max_value=invitations.MOST_DAYS, initial=invitations.DAYS
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, **{"auto_id": "id_upload_%s", **kwargs}
        )  # the form for one guest stands on the same page


class Domains(forms.ModelForm[Organisation]):
    """From which addresses people may register by themselves."""

    class Meta:
        model = Organisation
        fields = ("open_domains",)
