"""Provider keys at rest: encrypted with a key derived from the installation's secret. Shows four characters at most."""

from __future__ import annotations

import base64
import functools
import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import F

from providers.models import Provider

_USABLE = re.compile(r"[\x21-\x7e]{1,4000}")


class UnreadableKey(Exception):
    """A stored key was encrypted with a secret that this installation no longer has."""


def encrypt(key: str) -> str:
    """The text to store. Raises ValueError for a key that no HTTP header can carry (blanks inside, not ASCII)."""
    if not _USABLE.fullmatch(key):
        raise ValueError("not a key")
    return _fernet(*_secrets()).encrypt(key.encode()).decode()


def decrypt(stored: str) -> str:
    """The key itself, "" if none is stored. Raises UnreadableKey."""
    if not stored:
        return ""
    try:
        return _fernet(*_secrets()).decrypt(stored.encode()).decode()
    except InvalidToken:
        raise UnreadableKey from None


def hint(key: str) -> str:
    """The last four characters, to be shown; nothing of a key so short that they would give it away."""
    return key[-4:] if len(key) >= 12 else ""


def paste(provider: Provider, *, key: str, replace: bool = False) -> None:
    """Puts a pasted key on the row, unsaved: as the current one if there is none (or to `replace` it), else as the next."""
    stored, shown = encrypt(key), hint(key)
    if provider.key and not replace:
        provider.next_key, provider.next_key_hint = stored, shown
    else:
        provider.key, provider.key_hint, provider.next_key, provider.next_key_hint = stored, shown, "", ""


def switch(provider: Provider) -> bool:
    """Makes the next key the current one; False if there is none, or another administrator was first."""
    if not provider.next_key:
        return False
    mine = Provider.objects.filter(pk=provider.pk, next_key=provider.next_key)
    return mine.update(key=F("next_key"), key_hint=F("next_key_hint"), next_key="", next_key_hint="") == 1


def _secrets() -> tuple[str, ...]:
    """The secret in use first, then those that may still have encrypted something."""
    own = getattr(settings, "FIELD_KEY", "")
    return (*([own] if own else []), settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@functools.lru_cache(maxsize=4)
def _fernet(*secrets: str) -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret)) for secret in secrets])


def _derived(secret: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"provider keys")
    return base64.urlsafe_b64encode(hkdf.derive(secret.encode()))
