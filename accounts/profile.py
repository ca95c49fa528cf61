"""What a person sets about herself: name, language, time zone, theme, default model. Nothing that grants rights.

Which models there are is asked through a hook: this room knows none, the room of models registers itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.forms import languages, time_zones
from accounts.models import ApiKey, Theme, User

THEMES = [(value, capfirst(label)) for value, label in Theme.choices]
FIELDS = ("name", "language", "time_zone", "theme", "default_model")

Offer = Callable[[User], Sequence[tuple[str, str]]]
"""Public name and words of each model that a person may choose."""

_offers: list[Offer] = []


def offer_models(offer: Offer) -> None:
    """Registers who knows models; called in AppConfig.ready."""
    if offer not in _offers:
        _offers.append(offer)


def models_for(user: User) -> list[tuple[str, str]]:
    """What this person may choose as the default model."""
    return [pair for offer in _offers for pair in offer(user)]


class Profile(forms.ModelForm[User]):
    """The form of "My settings"."""

    # Said in both languages: whoever looks for it may not read the page's.
    language = forms.ChoiceField(label=_("Language · 语言"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    theme = forms.ChoiceField(label=_("Theme"), choices=THEMES, required=False)
    default_model = forms.ChoiceField(
        label=_("Default model"),
        required=False,
        help_text=_("Chosen for every new chat; each chat can use another one."),
    )

    class Meta:
        model = User
        fields = FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Your name")
        self.fields["name"].help_text = gettext("How you are greeted and shown to colleagues.")
        self._offer("language", languages(_("As the browser asks")))
        self._offer("time_zone", time_zones(_("As the organisation")))
        self._offer("default_model", [("", _("The organisation's")), *self._models()])

    def _offer(self, name: str, choices: Sequence[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices)

    def _models(self) -> list[tuple[str, str]]:
        """What may be chosen, and what is chosen: saving another field must not lose a model that is away for a while."""
        found, chosen = models_for(self.instance), self.instance.default_model
        if chosen and chosen not in dict(found):
            found.append((chosen, gettext("%s (not available now)") % chosen))
        return found

    def clean_theme(self) -> str:
        theme: str = self.cleaned_data["theme"] or self.instance.theme
        return theme


def save(form: Profile, *, request: HttpRequest, key: ApiKey | None = None) -> None:
    """Stores what the valid form changes, and writes it down; `key` is what she asked with, if it was one."""
    changed = [name for name in form.changed_data if name in FIELDS]
    if not changed:
        return
    user = form.instance
    before = User.objects.filter(pk=user.pk).values(*changed).get()
    with transaction.atomic():
        user.save(update_fields=changed)
        changes = {name: (before[name], getattr(user, name)) for name in changed}
        audit.record("person.changed", actor=key or user, request=request, target=user, changes=changes)
