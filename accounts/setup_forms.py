"""What an administrator enters about the organisation and about a new colleague. Grants no rights; sends nothing."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, TypeAlias

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import languages, time_zones
from accounts.models import Organisation, User

if TYPE_CHECKING:  # generic for the type checker only
    OrganisationBase: TypeAlias = forms.ModelForm[Organisation]
    UserBase: TypeAlias = forms.ModelForm[User]
else:
    OrganisationBase = UserBase = forms.ModelForm

LONGEST = 20_000
MOST_STARTERS = 4


class OrganisationForm(OrganisationBase):
    """How the organisation is called, its clock and language, and what everybody is told."""

    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    class Meta:
        model = Organisation
        fields = ("name", "time_zone", "language", "contact", "house_rules", "instructions", "starters")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {
            "name": (_("Name"), _("Shown above the list of conversations and at the sign-in.")),
            "contact": (
                _("Whom to ask"),
                _("A name, an address or a number. Shown where somebody cannot go on alone."),
            ),
            "house_rules": (_("House rules"), _("What may be asked and what not. For colleagues to read.")),
            "instructions": (_("Instructions"), _("Told to every model before the conversation, in any language.")),
            "starters": (
                _("Starters"),
                _(
                    "Up to four ways to begin, on the empty page: one a line, “title | text for the box”. Empty: four general ones."
                ),
            ),
            "time_zone": (_("Time zone"), _("Days and months of limits and reports follow it.")),
            "language": (_("Language"), _("For people who have chosen none.")),
        }
        for name, (label, hint) in labels.items():
            self.fields[name].label, self.fields[name].help_text = label, hint
        for name in ("house_rules", "instructions", "starters"):
            self.fields[name].widget.attrs |= {"rows": 4, "maxlength": LONGEST}
        zone, language = self.fields["time_zone"], self.fields["language"]
        assert isinstance(zone, forms.ChoiceField)
        assert isinstance(language, forms.ChoiceField)
        zone.choices = time_zones(_("As the server's setting TIME_ZONE"))
        language.choices = languages(_("As the browser asks"))

    def clean_house_rules(self) -> str:
        return self._bounded("house_rules")

    def clean_instructions(self) -> str:
        return self._bounded("instructions")

    def clean_starters(self) -> str:
        text = self._bounded("starters")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(lines) > MOST_STARTERS:
            raise forms.ValidationError(_("At most four lines."))
        if any(not line.partition("|")[0].strip() or len(line.partition("|")[0]) > 60 for line in lines):
            raise forms.ValidationError(_("Each line begins with a title of at most 60 characters."))
        return "\n".join(lines)

    def _bounded(self, name: str) -> str:
        text: str = self.cleaned_data[name]
        if len(text) > LONGEST:
            raise forms.ValidationError(_("At most 20,000 characters."))
        return text


class NewColleague(UserBase):
    """E-mail and name; the password is made here and works once."""

    class Meta:
        model = User
        fields = ("email", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("E-mail")
        self.fields["email"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        self.fields["name"].label = _("Name")
        self.fields["name"].help_text = _("How the person is greeted. Can be left empty.")

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        return email

    def make(self) -> tuple[User, str]:
        """The new person and the one-time password. Raises IntegrityError when somebody else was faster."""
        password = secrets.token_urlsafe(12)
        fields = {"name": self.cleaned_data["name"], "password_expired": True}
        return User.objects.create_user(self.cleaned_data["email"], password, **fields), password
