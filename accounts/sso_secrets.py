"""Secrets of company sign-ins at rest: encrypted with a key derived from the installation's. Shows four characters at most."""

from __future__ import annotations

import base64
import functools
import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_USABLE = re.compile(r"[\x20-\x7e]{1,1000}")


class UnreadableSecret(Exception):
    """A stored secret was encrypted with a key that this installation no longer has."""


def encrypt(secret: str) -> str:
    """The text to store. Raises ValueError for what cannot be a client's secret."""
    if not _USABLE.fullmatch(secret):
        raise ValueError("not a secret")
    return _fernet(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).encrypt(secret.encode()).decode()


def decrypt(stored: str) -> str:
    """The secret itself, "" if none is stored. Raises UnreadableSecret."""
    if not stored:
        return ""
    try:
        return _fernet(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).decrypt(stored.encode()).decode()
    except InvalidToken:
        raise UnreadableSecret from None


def tail(secret: str) -> str:
    """The last four characters, to be shown; nothing of a secret so short that they would give it away."""
    return secret[-4:] if len(secret) >= 12 else ""


@functools.lru_cache(maxsize=4)
def _fernet(*keys: str) -> MultiFernet:
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"company sign-in")
    return base64.urlsafe_b64encode(hkdf.derive(key.encode()))
