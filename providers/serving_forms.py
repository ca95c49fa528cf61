"""What an administrator enters about how a model is asked: a further provider, fields of the body, modes. Writes nothing by itself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from providers import bodies, modes
from providers.models import LanguageModel, Provider

NAME = 16
_JSON = {"rows": 3, "spellcheck": "false", "autocapitalize": "off", "maxlength": bodies.LONGEST}


class Further(forms.Form):
    """Another provider that serves the model, and its name there."""

    provider = forms.ModelChoiceField(Provider.objects.none(), to_field_name="uuid", label=_("Provider"))
    upstream_name = forms.CharField(
        label=_("Name there"),
        max_length=200,
        help_text=_("Exactly as the provider writes it."),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "off"}),
    )

    def __init__(self, *args: Any, model: LanguageModel, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "id_further_%s", **kwargs})
        field = self.fields["provider"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Provider.objects.exclude(routes__model=model).order_by("name")
        field.empty_label = None
        self.fields["upstream_name"].initial = model.slug

    def clean_upstream_name(self) -> str:
        name: str = self.cleaned_data["upstream_name"]
        if not name.isprintable():
            raise ValidationError(gettext("The text has characters that can't be stored."))
        return name


class Ways(forms.Form):
    """Further fields of every call's body, and up to three modes. A mode without a name is none."""

    extra = forms.CharField(
        label=_("Further fields"),
        required=False,
        widget=forms.Textarea(attrs=_JSON),
        help_text=_(
            'A JSON object that goes with every call, for example {"temperature": 0.2}. No secrets: it is shown here.'
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "id_ways_%s", **kwargs})
        for number in range(modes.MOST):
            self.fields |= _fields(number)

    @classmethod
    def of(cls, model: LanguageModel) -> Ways:
        """The form as the model stands."""
        initial: dict[str, Any] = {"extra": bodies.written(model.body)}
        for number, mode in enumerate(modes.of(model)):
            values = {"key": mode.key, "name": mode.name, "chinese": mode.chinese, "tokens": mode.answer_tokens}
            initial |= {f"{name}_{number}": value for name, value in values.items()}
            initial[f"extra_{number}"] = bodies.written(mode.body)
        return cls(initial=initial)

    @property
    def rows(self) -> list[dict[str, BoundField | int]]:
        """The fields of each mode, for the template."""
        names = ("key", "name", "chinese", "extra", "tokens")
        return [{"number": n + 1} | {name: self[f"{name}_{n}"] for name in names} for n in range(modes.MOST)]

    def clean(self) -> None:
        super().clean()
        self.cleaned_data["extra"] = self._parsed("extra")
        for number in range(modes.MOST):
            self.cleaned_data[f"extra_{number}"] = self._parsed(f"extra_{number}")
            rest = (self.cleaned_data.get(f"{name}_{number}") for name in ("chinese", "extra", "tokens"))
            if not self.cleaned_data.get(f"name_{number}") and any(rest):
                self.add_error(f"name_{number}", gettext("Give the mode a name, or empty its other fields."))
        named = [self.cleaned_data.get(f"name_{number}") for number in range(modes.MOST)]
        for number, name in enumerate(named):
            if name and name in named[:number]:
                self.add_error(f"name_{number}", gettext("Another mode has this name."))
        if len([name for name in named if name]) == 1:
            self.add_error(None, gettext("One mode alone is no choice: name two or three, or none."))

    def _parsed(self, name: str) -> dict[str, Any]:
        try:
            return bodies.parse(self.cleaned_data.get(name) or "")
        except ValidationError as error:
            self.add_error(name, error)
            return {}

    @property
    def made(self) -> list[modes.Mode]:
        """The modes of a valid form; one that is new gets its key here."""
        found: list[modes.Mode] = []
        for number in range(modes.MOST):
            key, name, chinese, body, tokens = (
                self.cleaned_data.get(f"{part}_{number}") for part in ("key", "name", "chinese", "extra", "tokens")
            )
            if not name:
                continue
            taken = {mode.key for mode in found}
            if not key or key in taken:
                key = modes.new_key(name, taken=taken | self._kept())
            found.append(modes.Mode(key, name, chinese or "", body or {}, tokens))
        return found

    def _kept(self) -> set[str]:
        return {str(self.cleaned_data.get(f"key_{number}") or "") for number in range(modes.MOST)}


def _fields(number: int) -> dict[str, forms.Field]:
    """Those of one mode."""
    name = forms.CharField(label=_("Name"), required=False, max_length=NAME)
    name.widget.attrs |= {"autocomplete": "off"}
    chinese = forms.CharField(label=_("Name in Chinese"), required=False, max_length=NAME)
    chinese.widget.attrs |= {"autocomplete": "off", "lang": "zh-Hans"}
    chinese.help_text = _("Empty: the same name.")
    body = forms.CharField(label=_("Its fields"), required=False, widget=forms.Textarea(attrs=_JSON))
    body.help_text = _("They stand over those above.")
    tokens = forms.IntegerField(label=_("Usual answer"), required=False, min_value=16, max_value=10_000_000)
    tokens.help_text = _("In tokens; empty: as the model's.")
    key = forms.RegexField(r"^[a-z0-9-]{1,32}\Z", required=False, widget=forms.HiddenInput())
    made = {"key": key, "name": name, "chinese": chinese, "extra": body, "tokens": tokens}
    return {f"{part}_{number}": field for part, field in made.items()}
