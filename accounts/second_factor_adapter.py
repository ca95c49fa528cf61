"""How allauth.mfa behaves here: its secrets are stored encrypted, and what a phone shows is the organisation's name."""

from __future__ import annotations

from urllib.parse import urlsplit

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import devices, sealing, second_factor
from accounts.models import Organisation, User


class SecondFactorAdapter(DefaultMFAAdapter):
    """allauth's hooks, each replaced for one reason."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This code is not right, or it has been used."),
        "cannot_delete_authenticator": _("A second factor is demanded here: add another one first."),
        "cannot_generate_recovery_codes": _("Set up an app or a passkey first."),
    }

    def encrypt(self, text: str) -> str:
        return sealing.seal(text, purpose=second_factor.PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(encrypted_text, purpose=second_factor.PURPOSE)

    def get_totp_issuer(self) -> str:
        return self._get_site_name()

    def _get_site_name(self) -> str:
        return Organisation.get().name or gettext("Chat")

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """The last one stays where one is demanded."""
        user = authenticator.user
        others = Authenticator.objects.filter(user=user, type__in=second_factor.TYPES).exclude(pk=authenticator.pk)
        return others.exists() or not second_factor.required_of(user, organisation=Organisation.get())

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        """The device it is made on: what somebody with three of them looks for."""
        return devices.words(context.request.META.get("HTTP_USER_AGENT", ""))

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys belong to the host of PUBLIC_URL."""
        host = urlsplit(settings.PUBLIC_URL).hostname if settings.PUBLIC_URL else ""
        return {"id": host or context.request.get_host().partition(":")[0], "name": self._get_site_name()}
