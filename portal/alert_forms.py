"""The form of alerts: whom they go to, and when. Knows no row."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from accounts import sso_fetch

MOST_ADDRESSES = 10


class WhomToTell(forms.Form):
    """An empty secret leaves the one that is there as it is."""

    emails = forms.CharField(
        label=_("E-mail addresses"),
        max_length=500,
        required=False,
        help_text=_("With blanks between them. A letter goes to each."),
    )
    webhook_url = forms.CharField(
        label=_("Webhook"),
        max_length=500,
        required=False,
        help_text=_("An address that takes a POST with JSON: https, or this machine."),
    )
    secret = forms.CharField(
        label=_("Secret of the webhook"),
        max_length=200,
        min_length=16,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("At least 16 characters. Each message is signed with it. Empty: it stays as it is."),
    )
    quiet_minutes = forms.IntegerField(
        label=_("Quiet time, in minutes"),
        min_value=5,
        max_value=10_080,
        help_text=_("The same alert comes once in this time."),
    )
    error_percent = forms.IntegerField(
        label=_("Failed answers, in percent"),
        min_value=1,
        max_value=100,
        help_text=_("So many of the answers of 15 minutes are too many."),
    )
    queue_s = forms.IntegerField(
        label=_("Wait of a question, in seconds"),
        min_value=5,
        max_value=3600,
        help_text=_("So long is too long."),
    )

    def clean_emails(self) -> str:
        """The addresses, one blank between them."""
        found: list[str] = self.cleaned_data["emails"].replace(",", " ").split()
        if len(found) > MOST_ADDRESSES:
            raise ValidationError(_("At most %(n)d addresses.") % {"n": MOST_ADDRESSES})
        for each in found:
            validate_email(each)
        return " ".join(found)

    def clean_webhook_url(self) -> str:
        """An address that may be asked: the same rules as for the company's sign-in."""
        url = str(self.cleaned_data["webhook_url"]).strip()
        if url:
            try:
                sso_fetch.check(url)
            except sso_fetch.Unanswered as refused:
                if refused.fault == sso_fetch.Fault.INSECURE:
                    raise ValidationError(_("It must begin with https://.")) from None
                raise ValidationError(_("Nothing may be sent there: %(why)s") % {"why": refused.detail}) from None
        return url

    def clean(self) -> dict[str, Any]:
        """Letters need mail."""
        cleaned = super().clean() or {}
        if cleaned.get("emails") and not settings.EMAIL_URL:
            self.add_error("emails", _("Mail is not set up here (EMAIL_URL), so no letter would arrive."))
        return cleaned
