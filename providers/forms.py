"""What may be entered about a provider and a model. Keys go in and never come out; addresses are judged here first.

No network: a name is judged again when it is resolved (providers.client_transport).
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, TypeAlias

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from providers import addresses, keys
from providers.models import LanguageModel, Provider
from providers.presets import PLACEHOLDER, Preset

if TYPE_CHECKING:  # generic for the type checker only
    ProviderFormBase: TypeAlias = forms.ModelForm[Provider]
    ModelFormBase: TypeAlias = forms.ModelForm[LanguageModel]
else:
    ProviderFormBase = ModelFormBase = forms.ModelForm

MOST_TOKENS = 10_000_000
MOST_NAMES = 50


class ProviderForm(ProviderFormBase):
    """A key is pasted, never shown. Whoever changes the address must paste the key again: else it could be led away."""

    new_key = forms.CharField(
        label=_("new key"),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Becomes the next key: test it, then switch. The first key is used at once."),
    )

    class Meta:
        model = Provider
        fields = ("name", "enabled", "base_url", "proxy", "max_concurrency", "dialect")

    def clean_base_url(self) -> str:
        url: str = self.cleaned_data["base_url"].strip().rstrip("/")
        if not url:
            raise forms.ValidationError(gettext("Enter the address, up to and with /v1."))
        try:
            addresses.check_url(url, allow_private=settings.ALLOW_PRIVATE_PROVIDERS)
        except addresses.RefusedAddress:
            raise forms.ValidationError(gettext("No provider may have this address.")) from None
        return url

    def clean_proxy(self) -> str:
        proxy: str = self.cleaned_data["proxy"].strip()
        if not proxy:
            return ""
        if proxy.partition("://")[0].lower() not in addresses.PROXIES:
            raise forms.ValidationError(gettext("A proxy begins with http://, https:// or socks5://."))
        try:
            addresses.check_proxy(proxy)
        except addresses.RefusedAddress:
            raise forms.ValidationError(gettext("No provider may have this address.")) from None
        if proxy.lower().startswith("socks") and importlib.util.find_spec("aiohttp_socks") is None:
            raise forms.ValidationError(gettext("A socks5 proxy needs the Python package aiohttp-socks."))
        return proxy

    def clean_new_key(self) -> str:
        key: str = self.cleaned_data["new_key"]
        if key:
            try:
                keys.encrypt(key)
            except ValueError:
                raise forms.ValidationError(gettext("This is no key: it has blanks or unusual characters.")) from None
        return key

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        moved = {"base_url", "proxy"} & set(self.changed_data)
        if self.instance.pk and self.instance.key and moved and not self.cleaned_data.get("new_key"):
            self.add_error("new_key", gettext("The address has changed: paste the key again."))
        return cleaned

    def save(self, commit: bool = True) -> Provider:  # noqa: FBT001, FBT002  # Django's signature
        if key := self.cleaned_data.get("new_key"):
            keys.paste(self.instance, key=key, replace=bool({"base_url", "proxy"} & set(self.changed_data)))
        return super().save(commit)


class Connection(ProviderForm):
    """Name, address and key of a provider in the setup pages; whether it is on is decided elsewhere."""

    class Meta:
        model = Provider
        fields = ("name", "base_url", "proxy", "max_concurrency")

    def __init__(self, *args: Any, preset: Preset | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preset = preset
        self.fields["name"].label = _("Name")
        self.fields["name"].help_text = _("How administrators call it; colleagues see the names of models.")
        self.fields["name"].widget.attrs |= {"autocomplete": "off"}
        self.fields["base_url"].label = _("Address")
        self.fields["base_url"].widget.attrs |= {"inputmode": "url", "spellcheck": "false", "autocapitalize": "off"}
        self.fields["new_key"].label = _("Key")
        self.fields["new_key"].help_text = _(
            "Stored encrypted and never shown again, except for its last four characters."
        )
        self.fields["proxy"].label = _("Proxy")
        self.fields["max_concurrency"].label = _("Answers at once")
        if preset is None:
            self.fields["new_key"].help_text = _("Only needed here if you change the address or the proxy.")
        elif preset.check:
            self.fields["base_url"].help_text = preset.check

    def clean_base_url(self) -> str:
        url = super().clean_base_url()
        if PLACEHOLDER.lower() in url.lower():
            raise forms.ValidationError(gettext("Put the name of your own resource into the address."))
        return url

    def clean_new_key(self) -> str:
        key = super().clean_new_key()
        if self.preset is not None and self.preset.key_needed and not key:
            raise forms.ValidationError(gettext("This provider answers nobody without a key."))
        return key


class NextKey(forms.Form):
    """A key to be tested and switched to."""

    new_key = forms.CharField(
        label=_("Next key"),
        max_length=4000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("The key in use stays in use until you switch."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "id_next_%s", **kwargs})  # the form of the address has such a field, too

    def clean_new_key(self) -> str:
        key: str = self.cleaned_data["new_key"]
        try:
            keys.encrypt(key)
        except ValueError:
            raise forms.ValidationError(gettext("This is no key: it has blanks or unusual characters.")) from None
        return key


class Names(forms.Form):
    """Names of models, one a line, for providers that do not list theirs."""

    names = forms.CharField(
        label=_("Names of models"),
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "off"}),
        help_text=_("One a line, exactly as the provider writes them."),
    )

    def clean_names(self) -> list[str]:
        names = [line.strip() for line in self.cleaned_data["names"].splitlines() if line.strip()]
        if len(names) > MOST_NAMES or any(len(name) > 200 or not name.isprintable() for name in names):
            raise forms.ValidationError(gettext("At most 50 names of up to 200 characters."))
        return list(dict.fromkeys(names))


class Shown(ModelFormBase):
    """A model as colleagues see it."""

    class Meta:
        model = LanguageModel
        fields = ("name", "description", "context_window", "max_output_tokens", "answer_tokens")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Name")
        self.fields["name"].help_text = _("What colleagues choose from, for example “Quick” or “Thorough”.")
        self.fields["description"].label = _("One line about it")
        self.fields["description"].help_text = _("What it is good at. Shown where the model is chosen.")
        self.fields["context_window"].label = _("Context window")
        self.fields["context_window"].help_text = _("Tokens of a conversation that the model can take in.")
        self.fields["max_output_tokens"].label = _("Longest answer")
        self.fields["max_output_tokens"].help_text = _("In tokens. A longer answer is cut and can be continued.")
        self.fields["answer_tokens"].label = _("Usual answer")
        self.fields["answer_tokens"].help_text = _(
            "In tokens: what an answer holds at first; a longer one is continued."
        )
        for name in ("context_window", "max_output_tokens", "answer_tokens"):
            self.fields[name] = _bounded(self.fields[name])
        # A new model begins with the same usual answer as all, even where its longest one is shorter.
        self.initial["answer_tokens"] = min(self.instance.answer_tokens, self.instance.max_output_tokens)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        given = self.cleaned_data
        if given.get("answer_tokens", 0) > given.get("max_output_tokens", MOST_TOKENS):
            self.add_error("answer_tokens", gettext("Not more than the longest answer."))
        return cleaned


def _bounded(field: forms.Field) -> forms.Field:
    return forms.IntegerField(label=field.label, help_text=field.help_text, min_value=16, max_value=MOST_TOKENS)
